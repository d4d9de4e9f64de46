"""Every model that kfg can build, by name; `kfg.models.sizes` has their sizes and costs."""

import concurrent.futures
import math

import keras

from kfg.errors import InputError
from kfg.models import backbones, baselines, convnets, fbsd, mmal


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


# name -> function (num_classes) -> model with random weights, for the image size of the study or of the trunk
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
        InputError: the name is unknown, or there are fewer than two classes.
    """
    if name not in MODELS:
        raise InputError(f"model: {name!r} is not one of {', '.join(MODELS)}")
    if num_classes < 2:
        raise InputError(f"classes: must be at least 2, got {num_classes}")
    return MODELS[name](num_classes)


def shapes_only(build):
    """Call `build` without giving values to the weights of its model, which would take most time and all the memory.

    Keras remembers such weights, per thread, to fill them in later; so this runs in a thread of its own, which ends.

    Args:
        build: function () -> Keras model.
    Returns:
        The model, which can be used to count parameters and to look at shapes.
    """

    def scoped():
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(scoped).result()


def macs(model) -> int:
    """Return the multiply-accumulates of one image's forward pass: convolutions and dense layers of a flat model.

    A layer that is called several times counts several times, always with the shape of its first call.

    Example:
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
        >>> macs(net)  # 36 places x 27 weights x 4 filters
        3888
    """
    graph = keras.Model(model.inputs, model.outputs)  # layers may be called in other graphs too
    calls = {layer["config"]["name"]: len(layer["inbound_nodes"]) for layer in graph.get_config()["layers"]}
    return sum(calls[layer.name] * layer_macs(layer) for layer in graph.layers)


def layer_macs(layer) -> int:
    """Return the multiply-accumulates of a layer's first call, for one image; 0 where `macs` counts none."""
    # A grouped kernel holds only the channels of its group, and a depthwise one a single channel, so in all cases each
    # weight is used once per place.
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    return 0
