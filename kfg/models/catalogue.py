"""Every model kfg can build, by name, with its size and cost."""

import math

import keras

from kfg.errors import InputError
from kfg.models import convnets

_STUDY = {"image_size": (68, 45)}

# name -> function (num_classes) -> model, at the study's image size and width
MODELS = {
    "convnet1": lambda num_classes: convnets.convnet(num_classes=num_classes, **_STUDY),
    "convnet2": lambda num_classes: convnets.convnet(num_classes=num_classes, l2_on=convnets.L2_PLACES[1:], **_STUDY),
    "convnet3": lambda num_classes: convnets.convnet(num_classes=num_classes, l2_on=convnets.L2_PLACES, **_STUDY),
    "convnet4": lambda num_classes: convnets.convnet(num_classes=num_classes, l2_on=convnets.L2_PLACES[1:], **_STUDY),
    "convnet5": lambda num_classes: convnets.convnet(num_classes=num_classes, l2_on=convnets.L2_PLACES[1:], **_STUDY),
}


def build(name: str, *, num_classes: int):
    """Build a model by name.

    Raises:
        InputError: an unknown name, or fewer than two classes.
    """
    if name not in MODELS:
        raise InputError(f"model: {name!r} is none of {', '.join(MODELS)}")
    if num_classes < 2:
        raise InputError(f"classes: at least 2, got {num_classes}")
    return MODELS[name](num_classes)


def describe(name: str, *, num_classes: int) -> dict:
    """Return name, input (H, W, C), parameters, trainable and gmacs (forward, one image) of a model."""
    model = build(name, num_classes=num_classes)
    return {
        "name": name,
        "input": list(model.input_shape[1:]),
        "parameters": model.count_params(),
        "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
        "gmacs": round(macs(model) / 1e9, 3),
    }


def macs(model) -> int:
    """Count the multiply-accumulates of one image's forward pass: convolutions and dense layers.

    Example:
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
        >>> macs(net)  # 36 places x 27 weights x 4 filters
        3888
    """
    return sum(_layer_macs(layer) for layer in model._flatten_layers(include_self=False, recursive=True))


def _layer_macs(layer) -> int:
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        _, height, width, _ = layer.output.shape
        return height * width * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    return 0
