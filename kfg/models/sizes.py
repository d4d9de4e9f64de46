"""Size and cost of every model that kfg can build, from a table, without building a model or loading TensorFlow.

The table, sizes.json, is made by tools/model_sizes.py. All its figures have the form a + b C with the number of
classes C, because only dense layers depend on the classes.
"""

import functools
import json
import pathlib

from kfg.errors import InputError

TABLE = pathlib.Path(__file__).with_name("sizes.json")
COUNTED = ("parameters", "trainable", "macs")


@functools.cache
def table() -> dict[str, dict]:
    """Return model -> {"input": [H, W, C], "parameters": [a, b], "trainable": [a, b], "macs": [a, b]}."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


def describe(name: str, *, num_classes: int) -> dict:
    """Return a model's size: a dict with name, input (H, W, C), parameters, trainable and gmacs (forward, one image).

    Args:
        name: a key of `table()`.
        num_classes: int >= 2.
    Raises:
        InputError: the name is unknown, or there are fewer than two classes.
    Example:
        >>> describe("convnet3", num_classes=20)
        {'name': 'convnet3', 'input': [68, 45, 3], 'parameters': 2153940, 'trainable': 2153940, 'gmacs': 1.903}
    """
    if name not in table():
        raise InputError(f"model: {name!r} is not one of {', '.join(table())}")
    if num_classes < 2:
        raise InputError(f"classes: must be at least 2, got {num_classes}")
    found = table()[name]
    counts = {figure: found[figure][0] + found[figure][1] * num_classes for figure in COUNTED}
    return {
        "name": name,
        "input": found["input"],
        "parameters": counts["parameters"],
        "trainable": counts["trainable"],
        "gmacs": round(counts["macs"] / 1e9, 3),
    }
