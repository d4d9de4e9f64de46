import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kfg.errors import InputError
from kfg.layers.crop_and_resize import CropAndResize

HEIGHT, WIDTH, CHANNELS = 20, 30, 3


def images(count=2):
    return np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, CHANNELS)).astype("float32")


def align_corners(image, box, size):
    """Resize image[y0 : y1 + 1, x0 : x1 + 1] with the corner pixels kept, by SciPy's linear interpolation."""
    y0, x0, y1, x1 = box
    part = image[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
    places = np.meshgrid(*(np.linspace(0, n - 1, m) for n, m in zip(part.shape, size, strict=False)), indexing="ij")
    return np.stack([ndimage.map_coordinates(part[..., c], places, order=1) for c in range(CHANNELS)], axis=-1)


@pytest.mark.parametrize("size", [(20, 30), (10, 15), (33, 7), (2, 2)])
def test_equals_scipy_on_the_slice(size):
    boxes = np.array([[0, 0, 19, 29], [3, 7, 12, 8]], "float32")
    found = np.asarray(CropAndResize(size)([images(), boxes]))
    for one, image, box in zip(found, images(), boxes, strict=True):
        np.testing.assert_allclose(one, align_corners(image, box, size), atol=2e-3)  # of 255


def test_the_whole_image_at_its_size_is_the_image():
    box = np.array([[0, 0, HEIGHT - 1, WIDTH - 1]], "float32")
    np.testing.assert_allclose(CropAndResize((HEIGHT, WIDTH))([images(1), box])[0], images(1)[0], atol=1e-3)


def test_several_boxes_of_an_image_come_one_after_another():
    boxes = np.array([[[0, 0, 5, 5], [2, 2, 9, 9], [4, 1, 19, 20]], [[1, 1, 3, 3], [0, 0, 19, 29], [7, 7, 9, 9]]])
    found = np.asarray(CropAndResize((8, 8))([images(), boxes.astype("float32")]))
    assert found.shape == (6, 8, 8, 3)
    expected = [
        align_corners(image, box, (8, 8)) for image, of_image in zip(images(), boxes, strict=True) for box in of_image
    ]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_boxes_get_no_gradient_and_half_precision_keeps_pixels_exact():
    boxes = tf.constant([[0.0, 0.0, 19.0, 29.0]])
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = CropAndResize((HEIGHT, WIDTH))
    finally:
        keras.config.set_dtype_policy("float32")
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        crop = layer([images(1), boxes])
    assert tape.gradient(crop, boxes) is None
    np.testing.assert_allclose(crop, images(1), atol=1e-3)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = [keras.Input((HEIGHT, WIDTH, CHANNELS)), keras.Input((2, 4))]
    model = keras.Model(inputs, CropAndResize((5, 6))(inputs))
    model.save(tmp_path / "model.keras")
    boxes = np.array([[[0, 0, 5, 5], [2, 2, 9, 9]]] * 2, "float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded([images(), boxes]), model([images(), boxes]))
    assert loaded.output_shape == (None, 5, 6, CHANNELS)


def test_a_size_of_one_pixel_is_refused():
    with pytest.raises(InputError, match="size: must be at least 2 x 2, got 1 x 5"):
        CropAndResize((1, 5))
