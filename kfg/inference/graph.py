"""Turn a Keras model into one TensorFlow function, from which converters make other formats."""

import contextlib
import re

import keras
import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.models import folding
from kfg.models.flattening import all_layers

IMAGES = "images"  # name of a graph's input, in every format
OUTPUTS = ("probabilities", "strangeness")  # names of its outputs, as many as the model has


def function_of(model, *, dtype=tf.uint8):
    """Return a model's forward pass for inference, with batch normalisation folded into the convolutions before it.

    Args:
        model: Keras model, images in [0, 255] (B, H, W, 3) -> answers (B, ...), or a list of several.
        dtype: type of the pixels.
    Returns:
        tf.function images -> float32 answers, or a list of them, which keeps the variables alive; and the tf.TensorSpec
        of its input.
    """
    folded = folding.fold(model)
    spec = tf.TensorSpec((None, *model.input_shape[1:]), dtype, name=IMAGES)

    @tf.function(input_signature=[spec], autograph=False, jit_compile=False)
    def answers(images):
        answered = folded(tf.cast(images, tf.float32), training=False)
        several = isinstance(answered, (list, tuple))
        typed = [tf.identity(tf.cast(one, tf.float32)) for one in (answered if several else [answered])]
        return typed if several else typed[0]

    with _constants_inside(folded):
        answers.get_concrete_function()  # traced now; later calls use the same graph
    return answers, spec


@contextlib.contextmanager
def _constants_inside(model):
    """Let Normalization layers be traced with their mean and variance as constants of the graph.

    As tensors outside the graph, tf2onnx and OpenVINO would take them for further inputs.
    """
    found = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Normalization)]
    kept = [(layer.mean, layer.variance) for layer in found]
    for layer, values in zip(found, kept, strict=True):
        layer.mean, layer.variance = map(np.asarray, values)
    try:
        yield
    finally:
        for layer, (mean, variance) in zip(found, kept, strict=True):
            layer.mean, layer.variance = mean, variance


def refusal(model, format: str, said) -> InputError:
    """Return the error for a model that a format cannot hold: the operations that the format lacks, with their layers.

    Args:
        model: the Keras model.
        format: name of the format for the reader.
        said: the converter's message, an exception or text with the names of the operations.
    """
    text, found = str(said), {}
    for kind, name in operations(model):
        if re.search(rf"\b{re.escape(kind)}\b", text):
            found.setdefault(kind, {})[name] = None
    if found:
        named = [f"{kind} of the layer {_with_others(list(names))}" for kind, names in found.items()]
        return InputError(
            f"{format}: this model cannot be exported to this format, which has no operation {'; '.join(named)}"
        )
    first = (text.strip().splitlines() or [type(said).__name__])[0]
    return InputError(f"{format}: this model cannot be exported to this format; its converter says: {first}")


def _with_others(names) -> str:
    return f"{names[0]!r}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def operations(model) -> list[tuple[str, str]]:
    """Return (kind, name of the Keras layer) of each TensorFlow operation in a model's forward pass."""
    answers, _ = function_of(model)
    graph = answers.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    names = sorted((layer.name for layer in model.layers), key=len, reverse=True)
    return [(node.op, layer_of(node.name, names)) for node in nodes]


def layer_of(operation: str, layers) -> str:
    """Return the layer that an operation belongs to, by its name; the name itself if it belongs to none.

    Example:
        >>> layer_of("net_1/object_box_1/while/Max", ["object_box", "object"]), layer_of("Identity", ["conv"])
        ('object_box', 'Identity')
    """
    parts = [re.sub(r"_\d+$", "", part) for part in operation.split("/")] + operation.split("/")
    return next((name for name in layers if name in parts), operation)
