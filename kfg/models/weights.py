"""Load the weights in a file into a trunk, from all formats that Keras has had; all or nothing."""

import pathlib
import warnings

import h5py
import keras
import numpy as np

from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE

SUFFIXES = (".keras", ".h5")
# layers of keras.applications after the last feature map; a file that has them still fits a trunk without them
TOP = {"fc1", "fc2", "predictions", "conv_2", "logits"}


def load(model, path) -> None:
    """Load the weights in a file into a trunk; if the file also holds a head, that is ignored.

    Args:
        model: flat Keras model.
        path: `.keras` (a run's model), `.weights.h5`, or `.h5` (keras.applications, `model.save` of Keras 2).
    Raises:
        InputError: the file is missing, has another suffix, is damaged, or holds the weights of another net; the
            message names the file.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"weights: {path} is neither {' nor '.join(SUFFIXES)}; give imagenet, none or such a file")
    if not path.is_file():
        raise InputError(f"weights: {path}: no such file")
    try:
        if path.suffix == ".keras" or path.name.endswith(".weights.h5"):
            _load_by_structure(model, path)
        else:
            _load_in_order(model, path)
    except (*DAMAGED_ARCHIVE, LookupError, TypeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"weights: {path}: not a readable Keras weights file ({reason})") from error


def _load_by_structure(model, path):
    before = model.get_weights()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # before it raises, Keras warns about each part that is missing
            model.load_weights(path)
    except ValueError as error:
        model.set_weights(before)  # Keras may have loaded some layers before it found that the file does not fit
        reason = str(error).splitlines()[0]
        raise InputError(f"weights: {path}: not the weights of {model.name} ({reason})") from error


def _load_in_order(model, path):
    """Load the older HDF5 format, in which layers are matched by order; weights are assigned only if all fit."""
    own = [layer for layer in model.layers if layer.weights]
    with h5py.File(path, "r") as file:
        stored = _stored_layers(file.get("model_weights", file))
    extra = {name for name, _ in stored[len(own) :]} - TOP
    if len(stored) < len(own) or extra:
        raise InputError(
            f"weights: {path}: not the weights of {model.name}, which has {len(own)} layers; the file has {len(stored)}"
        )
    pairs = []
    for layer, (name, values) in zip(own, stored, strict=False):
        variables = [*layer.trainable_variables, *layer.non_trainable_variables]
        shapes = [tuple(variable.shape) for variable in variables], [value.shape for value in values]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"weights: {path}: not the weights of {model.name}: {name} has {shapes[1]}, but {layer.name} has "
                f"{shapes[0]}"
            )
        pairs += zip(variables, values, strict=True)
    for variable, value in pairs:
        variable.assign(value)
    for layer in own:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # updates the copies of variables that it computes with


def _stored_layers(group) -> list[tuple[str, list[np.ndarray]]]:
    """Return (name, arrays) for each stored layer that has weights."""
    layers = []
    for name in _names(group, "layer_names"):
        values = [np.asarray(group[name][weight]) for weight in _names(group[name], "weight_names")]
        if values:
            layers.append((name, values))
    return layers


def _names(group, attribute) -> list[str]:
    """Return a list of names; Keras divides a list that is too long for one attribute into NAME0, NAME1, ..."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        keys = (f"{attribute}{i}" for i in range(len(group.attrs)))
        parts = [group.attrs[key] for key in keys if key in group.attrs]
        if not parts:
            raise KeyError(f"no {attribute}")
    return [name.decode() if isinstance(name, bytes) else name for part in parts for name in part]
