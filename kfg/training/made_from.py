"""Keep the settings and data that a training is made from in its checkpoint: a resumed run must have the same.

Only settings that decide the result are listed, and nothing that differs between machines.
"""

import hashlib
import json
import re

import keras
import tensorflow as tf

from kfg.errors import InputError

SECRET = re.compile(r"[0-9a-f]{64}")  # a digest; messages do not show it, because its digits tell the user nothing


class MadeFrom(keras.callbacks.Callback):
    """Holds the settings of a training for its checkpoint, and compares them with those in an earlier checkpoint.

    Args:
        settings: name -> value, possibly nested; a value that cannot be JSON is replaced by the name of its type.
    """

    def __init__(self, settings: dict):
        super().__init__()
        self.settings = json.loads(json.dumps(settings, default=lambda value: type(value).__name__))

    def check(self, state: dict) -> None:
        """Refuse to go on from the checkpoint of a training with other settings.

        Settings that only one of the two has are ignored, because versions of Keras list more or fewer settings.

        Args:
            state: the result of `checkpoint.read`; a checkpoint of an early version of kfg lists no settings.
        Raises:
            InputError: a setting differs; the message is one line that names the first such setting.
        """
        before = state["callbacks"].get("MadeFrom", {}).get("settings", {})
        found = first_difference(before, self.settings)
        if found is not None:
            name, old, new = found
            values = "" if any(SECRET.fullmatch(str(value)) for value in (old, new)) else f" ({old}, now {new})"
            raise InputError(
                f"{state['path']}: this training was started with another setting of {name}{values}; continue with the "
                "setting it was started with, or start again in another folder"
            )


def first_difference(before, now, name: str = ""):
    """Return (name, value before, value now) of the first setting that differs, None if all common ones are equal.

    Example:
        >>> first_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3, "d": 4}})
        ('b c', 2, 3)
        >>> first_difference({"weight_decay": None}, {"weight_decay": 0.0})
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in now:
            if key in before and (found := first_difference(before[key], now[key], f"{name} {key}".strip())):
                return found
        return None
    if name.endswith("weight_decay") and not before and not now:  # none is None in Keras's optimisers, 0.0 in kfg's
        return None
    return None if before == now else (name, before, now)


def of_batches(batches) -> dict:
    """Return what training batches are made from: the result of their data set's `made_from`, else its first labels.

    Args:
        batches: function first_epoch -> data set; it must return the same data set at each call.
    """
    data = batches(0)
    if hasattr(data, "made_from"):
        return data.made_from()
    if not isinstance(data, tf.data.Dataset):
        return {}
    found = hashlib.sha256()
    for _, labels, *_ in data.take(1):  # only the labels, because images may differ by rounding between machines
        for array in keras.tree.flatten(labels):
            found.update(f"{array.dtype} {array.shape}".encode() + array.numpy().tobytes())
    return {"first labels": found.hexdigest()}


def of_model(model) -> dict:
    """Return the settings of a compiled model's loss and optimiser, without the names that Keras gives them."""
    loss = model.loss
    of_loss = loss.get_config() if hasattr(loss, "get_config") else {"function": getattr(loss, "__name__", str(loss))}
    return {
        "loss": {"kind": type(loss).__name__, **_nameless(of_loss)},
        "optimizer": {"kind": type(model.optimizer).__name__, **_nameless(model.optimizer.get_config())},
    }


def _nameless(config):
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key != "name"}
    if isinstance(config, float):  # Keras keeps rates in float32, so further digits have no meaning
        return float(f"{config:.6g}")
    return config
