import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.layers.adaptive_pooling import AdaptiveAveragePooling


def test_nine_cells_become_seven_as_torch_divides_them():
    column = np.arange(9, dtype="float32").reshape(1, 9, 1, 1) * np.ones((1, 1, 9, 1), "float32")
    pooled = np.asarray(AdaptiveAveragePooling(7)(column))
    # cells span 0-1, 1-2, 2-3, 3-5, 5-6, 6-7, 7-8
    assert pooled.shape == (1, 7, 7, 1)
    np.testing.assert_allclose(pooled[0, :, 3, 0], [0.5, 1.5, 2.5, 4, 5.5, 6.5, 7.5], rtol=1e-6)


def test_a_map_of_that_size_passes_and_a_multiple_is_plain_pooling():
    rng = np.random.default_rng(0)
    same = rng.random((2, 7, 7, 3), dtype="float32")
    np.testing.assert_allclose(np.asarray(AdaptiveAveragePooling(7)(same)), same, rtol=1e-6)
    twice = rng.random((2, 14, 14, 3), dtype="float32")
    expected = twice.reshape(2, 7, 2, 7, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(np.asarray(AdaptiveAveragePooling(7)(twice)), expected, rtol=1e-5)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = keras.Input((5, 6, 2))
    model = keras.Model(inputs, AdaptiveAveragePooling(3, name="pool")(inputs))
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 5, 6, 2), dtype="float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(model(images)))
    assert loaded.output_shape == (None, 3, 3, 2)


def test_no_cells_are_refused():
    with pytest.raises(InputError, match="size: must be at least 1, got 0"):
        AdaptiveAveragePooling(0)
