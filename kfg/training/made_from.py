"""What a training is made from, kept in its checkpoint: a resumed run must go on with the same.

Only what decides the result is listed, and nothing that differs from one machine to the next.
"""

import hashlib
import json
import re

import keras
import tensorflow as tf

from kfg.errors import InputError

SECRET = re.compile(r"[0-9a-f]{64}")  # a digest: that it differs says all there is to say


class MadeFrom(keras.callbacks.Callback):
    """Carries the settings into the checkpoint, and compares them with those that a checkpoint brings.

    Args:
        settings: name -> value, nested as one likes; of anything that is not JSON the type's name counts.
    """

    def __init__(self, settings: dict):
        super().__init__()
        self.settings = json.loads(json.dumps(settings, default=lambda value: type(value).__name__))

    def check(self, state: dict) -> None:
        """Refuse to go on from a checkpoint that was made from something else.

        Settings that only one of the two lists are passed over: versions of Keras list more or fewer.

        Args:
            state: what `checkpoint.read` returned; one of an earlier version of kfg lists nothing.
        Raises:
            InputError: one line that names the first setting that differs.
        """
        before = state["callbacks"].get("MadeFrom", {}).get("settings", {})
        found = first_difference(before, self.settings)
        if found is not None:
            name, old, new = found
            values = "" if any(SECRET.fullmatch(str(value)) for value in (old, new)) else f" ({old}, now {new})"
            raise InputError(
                f"{state['path']}: this training was begun with another setting of {name}{values}; go on with what it "
                "was begun with, or begin anew in another folder"
            )


def first_difference(before, now, name: str = ""):
    """Return (name, value before, value now) of the first setting that differs, None if all are equal.

    Example:
        >>> first_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3, "d": 4}})
        ('b c', 2, 3)
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in now:
            if key in before and (found := first_difference(before[key], now[key], f"{name} {key}".strip())):
                return found
        return None
    return None if before == now else (name, before, now)


def of_batches(batches) -> dict:
    """Return what training batches are made from: what their data set says, else its first labels.

    Args:
        batches: function first_epoch -> data set, the same at each call.
    """
    data = batches(0)
    if hasattr(data, "made_from"):
        return data.made_from()
    if not isinstance(data, tf.data.Dataset):
        return {}
    found = hashlib.sha256()
    for _, labels, *_ in data.take(1):  # the labels alone: images may differ by a rounding between machines
        for array in keras.tree.flatten(labels):
            found.update(f"{array.dtype} {array.shape}".encode() + array.numpy().tobytes())
    return {"first labels": found.hexdigest()}


def of_model(model) -> dict:
    """Return loss and optimiser of a compiled model, without the names and numbers that Keras gives them."""
    loss = model.loss
    of_loss = loss.get_config() if hasattr(loss, "get_config") else {"function": getattr(loss, "__name__", str(loss))}
    return {
        "loss": {"kind": type(loss).__name__, **_nameless(of_loss)},
        "optimizer": {"kind": type(model.optimizer).__name__, **_nameless(model.optimizer.get_config())},
    }


def _nameless(config):
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key != "name"}
    if isinstance(config, float):  # Keras keeps rates in float32, whose digits beyond these nobody chose
        return float(f"{config:.6g}")
    return config
