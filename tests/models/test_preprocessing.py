import keras
import numpy as np
import pytest

from kfg.models import preprocessing

PIXELS = np.float32([[[[255, 0, 127.5]]]])  # R, G, B


def net(preprocess):
    images = keras.Input((1, 1, 3), name="images")
    return keras.Model(images, preprocess(images))


@pytest.mark.parametrize(
    ("preprocess", "expected"),
    [
        (preprocessing.caffe, [127.5 - 103.939, 0 - 116.779, 255 - 123.68]),  # B, G, R
        (preprocessing.symmetric, [1, -1, 0]),
        (preprocessing.standardised, [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.5 - 0.406) / 0.225]),
    ],
)
def test_known_pixels_also_of_a_saved_model(preprocess, expected, tmp_path):
    model = net(preprocess)
    np.testing.assert_allclose(np.asarray(model(PIXELS)).ravel(), expected, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(PIXELS)), np.asarray(model(PIXELS)))


def test_bfloat16_does_not_round_pixels():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = net(preprocessing.caffe)
    finally:
        keras.config.set_dtype_policy("float32")
    odd = np.float32([[[[201, 203, 205]]]])
    expected = [205 - 103.939, 203 - 116.779, 201 - 123.68]
    np.testing.assert_allclose(np.asarray(model(odd)).ravel(), expected, rtol=1e-6)
