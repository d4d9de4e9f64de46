"""Pretrained trunks by name, and classifiers built on them: flat Keras graphs that take raw pixels.

No model is nested in another, so every layer has one output in one graph, where taps, Grad-CAM and freezing by name can
find it. Sources: keras.applications; for EfficientNet-Lite `kfg.models.efficientnet_lite`.
"""

import dataclasses
import pathlib
import re
from collections.abc import Callable

import keras
from keras import applications, layers

from kfg import keras_settings
from kfg.errors import InputError
from kfg.models import builders, efficientnet_lite, flattening, heads, preprocessing, pretrained
from kfg.models import weights as stored_weights


@dataclasses.dataclass(frozen=True)
class Backbone:
    """The description of a trunk.

    Args:
        build: function (height, width) -> flat model with random weights, images -> last map (or features (B, F)).
        image_size: side in pixels of the square images that it was trained on.
        smallest: smallest side in pixels that it accepts.
        stages: names of the layers that end its stages. The maps of the last three have an eighth, a sixteenth and a
            32nd of the image's size. Every path through the net passes these layers.
        last_block: names of the layers that end the last block but one and the last block; needed only if the names of
            the layers between do not show that they are a block.
    """

    build: Callable[[tuple[int, int]], keras.Model]
    image_size: int
    smallest: int
    stages: tuple[str, ...]
    last_block: tuple[str, str] | None = None

    @property
    def taps(self) -> tuple[str, str, str]:
        """Names of the layers whose maps have 1/8, 1/16 and 1/32 of the image's size."""
        return self.stages[-3:]


FEATURES = "features"  # name of the layer with a net's pooled features; a second net's in one model is "features_2"
POOL = f"{FEATURES}_of_"  # beginning of the pooling layers' names if there are several trunks; the trunk's name follows


def _lite(name):
    return lambda image_size: efficientnet_lite.trunk(name, image_size=image_size, weights="none")


def _vgg(application):
    pools = tuple(f"block{i}_pool" for i in range(1, 6))
    return Backbone(builders.plain(application, preprocessing.caffe), 224, 32, pools)


def _resnet(application, third):
    ends = ("conv1_relu", "conv2_block3_out", "conv3_block4_out", f"conv4_block{third}_out", "conv5_block3_out")
    return Backbone(builders.plain(application, preprocessing.caffe), 224, 32, ends)


def _inception(application, *ends, last_block):
    return Backbone(builders.plain(application, preprocessing.symmetric), 299, 75, ends, last_block)


def _densenet(application, third, fourth):
    # the stages end before each transition and before the last normalisation, as in FBSD
    ends = (
        "conv1_relu",
        "conv2_block6_concat",
        "conv3_block12_concat",
        f"conv4_block{third}_concat",
        f"conv5_block{fourth}_concat",
    )
    return Backbone(builders.plain(application, preprocessing.standardised), 224, 32, ends)


def _b(application, size, first, *last, build=builders.efficientnet):
    """Describe an EfficientNet, given the last block of its stages 1, 2, 3 and 5."""
    ends = (first, *(f"block{block}_add" for block in last), "top_activation")
    return Backbone(build(application), size, 32, ends)


def _v2(application, size, first, *last):
    return _b(application, size, first, *last, build=builders.own)


def _next(application, name, depth):
    ends = tuple(f"{name}_stage_{stage}_block_{last}_add" for stage, last in enumerate((2, 2, depth - 1, 2)))
    return Backbone(builders.convnext(application), 224, 32, ends)


def _light(name, *last):
    ends = ("block1a_project_bn", *(f"block{block}_add" for block in last), "top_activation")
    return Backbone(_lite(name), efficientnet_lite.VARIANTS[name].image_size, 32, ends)


BACKBONES = {
    "vgg16": _vgg(applications.VGG16),
    "vgg16-fc": dataclasses.replace(_vgg(applications.VGG16), build=builders.vgg16_fc),
    "vgg19": _vgg(applications.VGG19),
    "resnet50": _resnet(applications.ResNet50, 6),
    "resnet101": _resnet(applications.ResNet101, 23),
    "inception-v3": _inception(
        applications.InceptionV3, "mixed2", "mixed7", "mixed10", last_block=("mixed9", "mixed10")
    ),
    "inception-resnet-v2": _inception(
        applications.InceptionResNetV2, "block35_10_ac", "block17_20_ac", "conv_7b_ac",
        last_block=("block8_9_ac", "block8_10_conv"),
    ),
    "densenet121": _densenet(applications.DenseNet121, 24, 16),
    "densenet169": _densenet(applications.DenseNet169, 32, 32),
    "densenet201": _densenet(applications.DenseNet201, 48, 32),
    "mobilenet-v2": Backbone(
        builders.plain(applications.MobileNetV2, preprocessing.symmetric), 224, 32,
        ("expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "out_relu"),
    ),
    "mobilenet-v3-small": Backbone(
        builders.mobilenet_v3(applications.MobileNetV3Small), 224, 32,
        ("expanded_conv_project_bn", "expanded_conv_2_add", "expanded_conv_7_add", "top_activation"),
    ),
    "mobilenet-v3-large": Backbone(
        builders.mobilenet_v3(applications.MobileNetV3Large), 224, 32,
        ("expanded_conv_add", "expanded_conv_2_add", "expanded_conv_5_add", "expanded_conv_11_add",
         "top_activation"),
    ),
    "efficientnet-b0": _b(applications.EfficientNetB0, 224, "block1a_project_bn", "2b", "3b", "5c"),
    "efficientnet-b1": _b(applications.EfficientNetB1, 240, "block1b_add", "2c", "3c", "5d"),
    "efficientnet-b2": _b(applications.EfficientNetB2, 260, "block1b_add", "2c", "3c", "5d"),
    "efficientnet-b3": _b(applications.EfficientNetB3, 300, "block1b_add", "2c", "3c", "5e"),
    "efficientnetv2-b0": _v2(applications.EfficientNetV2B0, 224, "block1a_project_activation", "2b", "3b", "5e"),
    "efficientnetv2-b1": _v2(applications.EfficientNetV2B1, 240, "block1b_add", "2c", "3c", "5f"),
    "efficientnetv2-b2": _v2(applications.EfficientNetV2B2, 260, "block1b_add", "2c", "3c", "5f"),
    "efficientnetv2-b3": _v2(applications.EfficientNetV2B3, 300, "block1b_add", "2c", "3c", "5g"),
    "efficientnetv2-s": _v2(
        applications.EfficientNetV2S, 384, "block1b_add", "2d", "3d", "5i"
    ),
    "convnext-tiny": _next(applications.ConvNeXtTiny, "convnext_tiny", 9),
    "convnext-base": _next(applications.ConvNeXtBase, "convnext_base", 27),
    "efficientnet-lite0": _light("efficientnet-lite0", "2b", "3b", "5c"),
    "efficientnet-lite1": _light("efficientnet-lite1", "2c", "3c", "5d"),
    "efficientnet-lite2": _light("efficientnet-lite2", "2c", "3c", "5d"),
}  # fmt: skip


def trunk(name: str, *, image_size: tuple[int, int], weights="imagenet") -> keras.Model:
    """Build a trunk up to its last feature map.

    Args:
        name: a key of BACKBONES.
        image_size: (height, width) in pixels.
        weights: "imagenet"; "none" for random weights; or the path of a file of weights, see `kfg.models.weights`.
    Returns:
        Functional model: uint8 or float RGB in [0, 255] (B, H, W, 3) -> float (B, H / 32, W / 32, C), rounded up or
        down depending on the net's padding; "vgg16-fc" -> (B, 4096).
    Raises:
        InputError: the name is unknown, the size is too small, or the weights cannot be obtained or do not fit.
    """
    net = _network(name, image_size, weights)
    if name.startswith("convnext"):
        return keras.Model(net.input, net.get_layer("pool").input, name=name)
    return net


def classifier(
    name: str, *, num_classes: int, image_size: tuple[int, int], weights="imagenet", head=None, second: str = ""
) -> keras.Model:
    """Build a trunk with pooled features and a head on it.

    Args:
        name, image_size, weights: as for `trunk`; the weights of the head are always random.
        second: another key of BACKBONES, a second trunk whose features are appended to those of the first. It gets
            ImageNet's weights unless `weights` is "none". Layer names that both trunks have get a number in the second.
        num_classes: int >= 2.
        head: function (features, num_classes) -> logits, from `kfg.models.heads`; default one dense layer.
    Returns:
        Functional model, not compiled: uint8 or float RGB in [0, 255] (B, H, W, 3) -> float32 class probabilities
        (B, num_classes); its layer "features" gives float32 (B, F).
    Raises:
        InputError: as for `trunk`; or there are fewer than two classes.
    Example:
        >>> net = classifier("mobilenet-v3-small", num_classes=3, image_size=(32, 32), weights="none")
        >>> net.get_layer("features").output.shape, net.output.shape
        ((None, 576), (None, 3))
    """
    if num_classes < 2:
        raise InputError(f"classes: must be at least 2, got {num_classes}")
    net = _network(name, image_size, weights)
    if second:
        net = _side_by_side(net, _network(second, image_size, "none" if str(weights) == "none" else "imagenet"))
    features = net.output
    if len(features.shape) == 4:
        features = layers.GlobalAveragePooling2D(name=FEATURES, dtype="float32")(features)
    logits = (head or heads.linear())(features, num_classes)
    probabilities = layers.Activation("softmax", name="probabilities", dtype="float32")(logits)
    return keras.Model(net.input, probabilities, name=name)


def ends_of_trunks(model) -> list:
    """Return the layers with the last maps of trunks that stand side by side in a model; [] for a single trunk.

    The trunks' features are joined in one layer "features", or there is a layer "features_2" of a second opinion.
    """
    made_by = {id(layer.output): layer for layer in model.layers if not isinstance(layer.output, (list, tuple, dict))}
    pooled = [layer for layer in model.layers if re.fullmatch(rf"{FEATURES}(_\d+)?", layer.name)]
    ends = [end for layer in pooled for end in _last_maps(layer, made_by)]
    return ends if len(ends) > 1 else []


def _last_maps(layer, made_by) -> list:
    """Return the layers with maps from which a layer's features are computed without further maps in between.

    Args:
        made_by: id of a symbolic tensor -> the layer whose output it is.
    """
    ends = []
    for tensor in layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]:
        before = made_by.get(id(tensor))
        if before is None or isinstance(before, keras.layers.InputLayer):
            continue
        ends += [before] if len(tensor.shape) == 4 else _last_maps(before, made_by)
    return ends


def _side_by_side(*trunks):
    """Return a flat model that outputs the concatenated pooled features of several trunks."""
    images = keras.Input(trunks[0].input_shape[1:], name="images")
    features = [
        layers.GlobalAveragePooling2D(name=f"{POOL}{trunk.name}", dtype="float32")(trunk(images))
        if len(trunk.output_shape) == 4
        else trunk(images)
        for trunk in trunks
    ]
    both = layers.Concatenate(name=FEATURES, dtype="float32")(features)
    return flattening.flatten(keras.Model(images, both, name=trunks[0].name))


def _network(name, image_size, weights):
    keras_settings.check()
    if name not in BACKBONES:
        raise InputError(f"backbone: {name!r} is not one of {', '.join(BACKBONES)}")
    backbone = BACKBONES[name]
    if min(image_size) < backbone.smallest:
        size = f"{image_size[0]} x {image_size[1]}"
        raise InputError(f"image_size: {name} needs at least {backbone.smallest} pixels on each side, got {size}")
    if name in efficientnet_lite.VARIANTS and pathlib.Path(weights).suffix not in stored_weights.SUFFIXES:
        return efficientnet_lite.trunk(name, image_size=image_size, weights=weights)
    net = backbone.build(tuple(image_size))
    net = keras.Model(net.input, net.output, name=name)
    path = weights_file(name, weights)
    if path is not None:
        stored_weights.load(net, path)
        builders.check_normalization(net, path)
    return net


def weights_file(name: str, weights="imagenet") -> pathlib.Path | None:
    """Return the path of a trunk's weights file, after downloading it if necessary; None for random weights.

    Args:
        name, weights: as for `trunk`.
    Raises:
        InputError: there is no such file, or it cannot be obtained. A file that the caller gives is not checked.
    """
    if str(weights) == "none":
        return None
    if str(weights) != "imagenet":
        if not pathlib.Path(weights).is_file():
            raise InputError(f"weights: {weights}: no such file; give imagenet, none or a file")
        return pathlib.Path(weights)
    return efficientnet_lite.packaged_weights(name) if name in efficientnet_lite.VARIANTS else pretrained.fetch(name)
