import keras
import numpy as np

from kfg.layers.strangeness import Strangeness, unit

RNG = np.random.default_rng(0)
BANK = np.asarray(unit(RNG.normal(size=(30, 8)).astype(np.float32)))


def layer(neighbours=5):
    made = Strangeness(len(BANK), neighbours)
    made.build((None, 8))
    made.set_weights([BANK])
    return made


def test_equals_sorting_all_cosines_whatever_the_length_of_the_features():
    features = RNG.normal(size=(20, 8)).astype(np.float32) * 7
    cosines = np.sort(features @ BANK.T / np.linalg.norm(features, axis=1, keepdims=True), axis=1)
    np.testing.assert_allclose(layer()(features), 1 - cosines[:, -5:].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(layer(neighbours=99)(features), 1 - cosines.mean(axis=1), atol=1e-5)


def test_features_of_the_bank_are_not_strange_and_nothing_is():
    np.testing.assert_allclose(layer(neighbours=1)(3 * BANK), 0, atol=1e-5)
    np.testing.assert_array_equal(layer()(np.zeros((1, 8), np.float32)), [1])


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layer()(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    features = RNG.normal(size=(6, 8)).astype(np.float32)
    np.testing.assert_array_equal(loaded(features), model(features))
    assert loaded.trainable_variables == []
