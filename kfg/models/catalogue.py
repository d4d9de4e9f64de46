"""Every model kfg can build, by name, with its size and cost."""

import concurrent.futures
import math

import keras

from kfg.errors import InputError
from kfg.models import backbones, baselines, convnets, fbsd, mmal
from kfg.models.freezing import trainable_count


def _convnet(**options):
    return lambda num_classes: convnets.convnet(num_classes=num_classes, image_size=(68, 45), **options)


def _baseline(build, side):
    return lambda num_classes: build(num_classes=num_classes, image_size=(side, side))


def _transfer(name):
    side = backbones.BACKBONES[name].image_size
    return lambda num_classes: backbones.classifier(
        name, num_classes=num_classes, image_size=(side, side), weights="none"
    )


def _attentive(module, backbone, side, **options):
    return lambda num_classes: module.classifier(
        backbone, num_classes=num_classes, image_size=(side, side), weights="none", **options
    )


# name -> function (num_classes) -> model with random weights, at the study's or the trunk's own image size
MODELS = {
    "convnet1": _convnet(),
    "convnet2": _convnet(l2_on=convnets.L2_PLACES[1:]),
    "convnet3": _convnet(l2_on=convnets.L2_PLACES),
    "convnet4": _convnet(l2_on=convnets.L2_PLACES[1:]),
    "convnet5": _convnet(l2_on=convnets.L2_PLACES[1:]),
    "fruit3-cnn": _baseline(baselines.fruit3_cnn, 300),
    "fruit3-mlp": _baseline(baselines.fruit3_mlp, 300),
    "retail258-cnn": _baseline(baselines.retail258_cnn, 128),
    **{name: _transfer(name) for name in backbones.BACKBONES},
    "fbsd-resnet50": _attentive(fbsd, "resnet50", 448),
    "fbsd-efficientnet-lite0": _attentive(fbsd, "efficientnet-lite0", 256, width=256),
    "mmal-resnet50": _attentive(mmal, "resnet50", 448),
    "mmal-efficientnet-lite0": _attentive(mmal, "efficientnet-lite0", 256),
}


def build(name: str, *, num_classes: int):
    """Build a model by name, with random weights.

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
    model = shapes_only(lambda: build(name, num_classes=num_classes))
    return {
        "name": name,
        "input": list(model.input_shape[1:]),
        "parameters": model.count_params(),
        "trainable": trainable_count(model),
        "gmacs": round(macs(model) / 1e9, 3),
    }


def shapes_only(build):
    """Call `build` so that no weight of its model gets a value, which takes most of the time and all the memory.

    Keras remembers such weights, per thread, to fill them in later; hence a thread that ends.

    Args:
        build: function () -> Keras model.
    Returns:
        The model, good for counting parameters and looking at shapes.
    """

    def scoped():
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(scoped).result()


def macs(model) -> int:
    """Count the multiply-accumulates of one image's forward pass: convolutions and dense layers of a flat model.

    A layer that is called several times counts as often, each time with the shape of its first call.

    Example:
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
        >>> macs(net)  # 36 places x 27 weights x 4 filters
        3888
    """
    graph = keras.Model(model.inputs, model.outputs)  # layers may be called in other graphs too
    calls = {layer["config"]["name"]: len(layer["inbound_nodes"]) for layer in graph.get_config()["layers"]}
    return sum(calls[layer.name] * _layer_macs(layer) for layer in graph.layers)


def _layer_macs(layer) -> int:
    # A grouped kernel holds only its group's channels, a depthwise one only one: each weight works once a place.
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    return 0
