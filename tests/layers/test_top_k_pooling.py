import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.layers.top_k_pooling import TopKPooling2D


def maps():
    return np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype("float32")


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_equals_sorting(k):
    expected = np.sort(maps().reshape(3, 20, 6), axis=1)[:, 20 - k :].mean(axis=1)
    np.testing.assert_allclose(TopKPooling2D(k)(maps()), expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_goes_to_the_largest_in_equal_parts():
    x = tf.constant(maps())
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(TopKPooling2D(5)(x))
    gradient = tape.gradient(total, x).numpy().reshape(3, 20, 6)
    order = np.argsort(maps().reshape(3, 20, 6), axis=1)
    np.testing.assert_allclose(np.take_along_axis(gradient, order[:, 15:], axis=1), 0.2, rtol=1e-6)
    assert not np.take_along_axis(gradient, order[:, :15], axis=1).any()


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = keras.Input((4, 5, 6))
    model = keras.Model(inputs, TopKPooling2D(3)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.output_shape == (None, 6)
    np.testing.assert_array_equal(loaded(maps()), model(maps()))


def test_no_values_and_small_maps_are_refused():
    with pytest.raises(InputError, match="k: must be at least 1, got 0"):
        TopKPooling2D(0)
    with pytest.raises(InputError, match="image_size: a map of 4 x 5 cells has no 21 largest values"):
        TopKPooling2D(21)(maps())
