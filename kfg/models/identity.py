"""A hash that identifies a net by what it computes, whatever names Keras gives to its layers."""

import hashlib
import json
import re

import numpy as np


def weights_hash(model) -> str:
    """Return a hash of a model's layers, settings, wiring and weights; layer names and `trainable` do not count."""
    digest = hashlib.sha256(_wiring(model).encode())
    for layer in model.layers:
        settings = {name: value for name, value in layer.get_config().items() if name not in ("name", "trainable")}
        digest.update(f"{type(layer).__name__} {json.dumps(settings, sort_keys=True, default=str)}".encode())
        for variable in layer.weights:
            value = np.ascontiguousarray(variable.numpy())
            digest.update(f"{value.dtype} {value.shape}".encode())
            digest.update(value.data)
    return digest.hexdigest()


def _wiring(model) -> str:
    """Return text that says which layer takes the output of which, with layer numbers in place of names."""
    config = model.get_config()
    numbers = {layer["config"]["name"]: str(number) for number, layer in enumerate(config["layers"])}
    wires = [[layer.get("inbound_nodes") for layer in config["layers"]], config.get("output_layers")]
    names = re.compile(r'"([^"]*)"')
    return names.sub(lambda name: numbers.get(name[1], name[0]), json.dumps(wires, default=str))
