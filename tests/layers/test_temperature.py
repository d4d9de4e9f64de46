import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.layers.temperature import Temperature


def answers():
    logits = np.random.default_rng(0).normal(size=(50, 4)) * 3
    return logits, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_it_is_the_softmax_of_divided_logits_and_the_likeliest_class_stays(temperature):
    logits, probabilities = answers()
    divided = np.exp(logits / temperature)
    found = np.asarray(Temperature(temperature)(probabilities.astype(np.float32)))
    np.testing.assert_allclose(found, divided / divided.sum(axis=1, keepdims=True), atol=1e-5)
    assert (found.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_certain_answers_stay_certain():
    assert np.asarray(Temperature(0.5)(np.float32([[1, 0, 0]]))).tolist() == [[1, 0, 0]]


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Temperature(0.7)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    probabilities = answers()[1].astype(np.float32)
    np.testing.assert_array_equal(loaded(probabilities), model(probabilities))
    assert loaded.layers[-1].temperature == 0.7


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(InputError, match="temperature: must be above 0"):
        Temperature(temperature)
