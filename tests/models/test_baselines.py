import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models import baselines
from kfg.models.catalogue import shapes_only

# fruit3's printed table: name, output, parameters
PRINTED = [
    ("conv1", (296, 296, 6), 456),
    ("pool1", (148, 148, 6), 0),
    ("conv2", (144, 144, 16), 2_416),
    ("pool2", (72, 72, 16), 0),
    ("dropout1", (72, 72, 16), 0),
    ("flatten", (82_944,), 0),
    ("dense1", (120,), 9_953_400),
    ("dense2", (84,), 10_164),
    ("dropout2", (84,), 0),
    ("probabilities", (3,), 255),
]


def test_every_layer_of_the_fruit3_cnn_has_the_printed_shape_and_count():
    model = shapes_only(lambda: baselines.fruit3_cnn(num_classes=3, image_size=(300, 300)))
    assert [layer.name for layer in model.layers[2:]] == [name for name, *_ in PRINTED]
    for name, shape, count in PRINTED:
        layer = model.get_layer(name)
        assert layer.output.shape[1:] == shape, name
        assert layer.count_params() == count, name
    assert model.count_params() == 9_966_691
    assert (model.get_layer("dropout1").rate, model.get_layer("dropout2").rate) == (0.25, 0.5)


def test_the_others_have_the_derived_counts():
    mlp = shapes_only(lambda: baselines.fruit3_mlp(num_classes=3, image_size=(300, 300)))
    assert mlp.count_params() == 68_851_023
    cnn = shapes_only(lambda: baselines.retail258_cnn(num_classes=258, image_size=(128, 128)))
    assert cnn.count_params() == 1_649_806
    assert cnn.get_layer("flatten").output.shape == (None, 13_456)
    assert cnn.get_layer("dropout1").rate == cnn.get_layer("dropout2").rate == 0


@pytest.mark.parametrize("build", [baselines.fruit3_cnn, baselines.fruit3_mlp, baselines.retail258_cnn])
def test_raw_pixels_go_in_and_probabilities_come_out_also_of_a_saved_model(build, tmp_path):
    model = build(num_classes=4, image_size=(16, 20))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 20, 3), dtype=np.uint8)
    probabilities = np.asarray(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert probabilities.shape == (2, 4)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(images)), probabilities)


def test_the_mean_becomes_zero_and_a_deviation_one():
    model = baselines.retail258_cnn(num_classes=2, image_size=(16, 16), mean=(0.5, 0.2, 0.1), std=(0.25, 0.1, 0.1))
    normalise = keras.Model(model.input, model.get_layer("preprocess").output)
    pixels = np.broadcast_to(np.float32([255 * 0.75, 255 * 0.2, 255 * 0.3]), (1, 16, 16, 3))
    np.testing.assert_allclose(np.asarray(normalise(pixels))[0, 3, 3], [1, 0, 2], atol=1e-5)


@pytest.mark.parametrize("build", [baselines.fruit3_cnn, baselines.retail258_cnn])
def test_an_image_too_small_is_refused(build):
    with pytest.raises(InputError, match="needs at least 16 pixels on each side, got 16 x 15"):
        build(num_classes=3, image_size=(16, 15))
