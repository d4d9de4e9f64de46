"""Classifiers with a temperature after the softmax, and with a measure of how strange a photograph is to them."""

import hashlib

import keras
import numpy as np

from kfg.layers.strangeness import Strangeness, unit
from kfg.layers.temperature import Temperature
from kfg.models.branched import BranchedClassifier
from kfg.models.mirrored import PlainHalf, is_averaged

CALIBRATED, STRANGENESS = "calibrated", "strangeness"  # names of layers
FEATURES = "features"  # name of the layer from whose output strangeness is computed
BANK_ROWS = 1000  # most training photographs in the bank; with 1,280 features each, 5 MB


def with_temperature(model, temperature: float) -> keras.Model:
    """Return a model with the same layers and a temperature applied to its probabilities.

    Args:
        model: Keras model, images (B, H, W, 3) -> probabilities (B, C).
        temperature: float > 0.
    Example:
        >>> net = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
        >>> [type(layer).__name__ for layer in with_temperature(net, 2.0).layers[-2:]]
        ['Dense', 'Temperature']
    """
    answer = Temperature(temperature, name=CALIBRATED, dtype="float32")(model.outputs[0])
    if isinstance(model, BranchedClassifier):
        return model.with_answer(answer)
    return keras.Model(model.inputs[0], answer, name=model.name)


def without_temperature(model) -> keras.Model:
    """Return a model with the same layers without the temperature; a model that has none is returned as it is."""
    if temperature_of(model) is None:
        return model
    answer = model.layers[-1].input
    if isinstance(model, BranchedClassifier):
        return model.with_answer(answer)
    return keras.Model(model.inputs[0], answer, name=model.name)


def before_softmax(model) -> keras.Model:
    """Return a model with the same predictions that divides the logits by the temperature, with Keras's own layers.

    The returned model needs no logarithm of probabilities, which would not work in 8-bit arithmetic. A model that has
    no temperature, or no softmax layer right before it, is returned as it is.
    """
    temperature = temperature_of(model)
    if temperature is None or not _is_softmax(model.layers[-2]):
        return model
    logits = keras.layers.Rescaling(1 / temperature, name="divided_by_temperature", dtype="float32")
    answer = keras.layers.Softmax(name=CALIBRATED, dtype="float32")(logits(model.layers[-2].input))
    if isinstance(model, BranchedClassifier):
        return model.with_answer(answer)
    return keras.Model(model.inputs[0], answer, name=model.name)


def _is_softmax(layer) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.Activation) and activation is keras.activations.softmax


def temperature_of(model) -> float | None:
    """Return the temperature of a model's last layer; None if it has none."""
    layers = getattr(model, "layers", ())
    return layers[-1].temperature if layers and isinstance(layers[-1], Temperature) else None


def has_features(model) -> bool:
    """Return whether a model has pooled features with one row per image.

    A net with several branches computes features for more than one picture of an image, so the answer is False.
    """
    if isinstance(model, BranchedClassifier):
        return False
    found = [layer for layer in getattr(model, "layers", ()) if layer.name == FEATURES]
    return bool(found) and len(found[0].output.shape) == 2


def features_of(model):
    """Return the symbolic features (B, F) of a model's input images; the model must have them, see `has_features`."""
    features = model.get_layer(FEATURES).output
    return PlainHalf(name="features_of_images")(features) if is_averaged(model) else features


def trunk_with_features(model) -> keras.Model:
    """Return a model images -> features (B, F) with the same layers."""
    return keras.Model(model.inputs[0], features_of(model))


def chosen_rows(labels, *, rows: int = BANK_ROWS, seed: int = 0) -> np.ndarray:
    """Choose the training photographs for the bank of strangeness, as evenly over the classes as possible.

    Args:
        labels: int (N,), labels of the training photographs.
        rows: largest number of photographs to choose.
        seed: seed of the choice.
    Returns:
        int64 (M,), M <= N, positions in rising order.
    Example:
        >>> chosen_rows(np.array([0] * 50 + [1] * 2 + [2] * 50), rows=12).size
        12
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    of_class = np.asarray(labels)[order]
    place = np.arange(len(order)) - np.searchsorted(of_class, of_class)  # rank of each image within its class
    return np.sort(order[np.argsort(place, kind="stable")[:rows]])


def unit_rows(features) -> np.ndarray:
    """Return features (M, F) as the rows of a bank: float32, each scaled to length 1."""
    return np.asarray(unit(np.asarray(features, np.float32)))


def judge(model, bank) -> keras.Model:
    """Return a model images -> [probabilities (B, C), strangeness (B,)] with the same layers.

    Args:
        model: a model with features, see `has_features`.
        bank: float32 (M, F), from `unit_rows`.
    """
    layer = Strangeness(len(bank), name=STRANGENESS, dtype="float32")
    found = layer(features_of(model))
    layer.set_weights([bank])
    return keras.Model(model.inputs[0], [model.outputs[0], found], name=model.name)


def fingerprint(model, bank=None) -> str:
    """Return a digest of a model's weights, temperature and bank; it does not depend on Keras's order of weights."""
    values = [np.ascontiguousarray(weight.numpy()) for weight in model.weights]
    values += [] if bank is None else [np.ascontiguousarray(bank, dtype=np.float32)]
    parts = sorted(hashlib.sha256(f"{one.dtype} {one.shape}".encode() + one.tobytes()).hexdigest() for one in values)
    return hashlib.sha256(f"{temperature_of(model)} {' '.join(parts)}".encode()).hexdigest()
