"""OpenVINO answers as the Keras model, a batch at once or image by image."""

import keras
import numpy as np
import pytest

pytest.importorskip("openvino", reason="openvino is not installed")

from kfg.inference import openvino_graph


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    images = keras.Input((12, 16, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("openvino") / "model.xml"
    openvino_graph.save(openvino_graph.convert(model, any_size=False), path)
    return path


@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_a_batch_and_single_images_get_the_same_answers_in_order(model, path, count):
    images = np.random.default_rng(count).integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)
    expected = np.asarray(model(images.astype(np.float32)))
    for opened in (openvino_graph.opened, openvino_graph.opened_for_many):
        answer = opened(path)
        for _ in range(3):  # requests are used again
            np.testing.assert_allclose(answer(images), expected, atol=1e-6)


def test_after_images_of_another_size_it_goes_on_answering(model, path):
    answer = openvino_graph.opened_for_many(path)
    images = np.zeros((4, 12, 16, 3), np.uint8)
    before = answer(images)
    with pytest.raises(Exception, match=r"shape|size"):
        answer(np.zeros((4, 9, 9, 3), np.uint8))
    np.testing.assert_array_equal(answer(images), before)
