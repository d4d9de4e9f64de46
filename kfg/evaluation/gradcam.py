"""Grad-CAM: show which places of an image speak for a class, for every model whose layers are accessible.

Source: Selvaraju et al. 2017, arXiv:1610.02391: the last feature maps, weighted by the mean gradient of the class's
score.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from kfg.errors import InputError
from kfg.layers.adaptive_pooling import AdaptiveAveragePooling
from kfg.layers.object_boxes import ObjectBoxes
from kfg.layers.strip_attention import StripAttention
from kfg.models import backbones
from kfg.models.calibrated import without_temperature
from kfg.models.flattening import flatten, has_graph
from kfg.models.mirrored import plain

OPACITY = 0.5  # opacity of the heat map over the photograph
OBJECT_MAP = "object_map"  # layer of MMAL-Net with the last map of the object, which the net cuts out of the image
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
# Final layers that only make maps coarser are skipped, as places get lost: the last pooling of the ConvNets gives 4 x 1
COARSER = (layers.MaxPooling2D, layers.AveragePooling2D, AdaptiveAveragePooling, layers.Dropout)


def heatmaps(model, images, labels, *, layer: str | None = None) -> np.ndarray:
    """Return heat maps that show how much each place of an image speaks for a class.

    By default the feature maps before the final pooling are used. In FBSD these are the boosted maps of the last stage;
    its earlier stages, which also lead to the output, are held constant. In MMAL-Net they are the maps of the object:
    the heat is put back where the object was cut out, and is 0 around it, because the output does not depend on that
    area. The heat is also 0 outside of a crop with which a net begins.

    Args:
        model: Keras model, (B, H, W, 3) in [0, 255] -> probabilities (B, C); it may contain further models.
        images: uint8 (B, H, W, 3), of the model's input size.
        labels: int (B,), the class to explain for each image.
        layer: name of the layer whose maps are used; every path from the images to the output must pass it.
    Returns:
        float32 (B, H, W) in [0, 1], with largest value 1 in each image; all 0 if nothing speaks for the class.
    Raises:
        InputError: the layer is unknown or has no maps, or the model has no maps.
    """
    return reader(model, layer=layer)(images, labels)


def reader(model, *, layer: str | None = None) -> Callable[..., np.ndarray]:
    """Return a function (images, labels) -> heat that does the same as `heatmaps` but prepares the model only once.

    Args, Raises: as for `heatmaps`.
    """
    model = plain(without_temperature(flatten(model)))
    sources = [_named(model, layer)] if layer else _last(model)
    front, back = _halves(model, sources)
    finder = next((one for one in model.layers if isinstance(one, ObjectBoxes)), None)
    boxes = keras.Model(model.inputs, finder.output) if finder and sources[0].name == OBJECT_MAP else None
    y0, x0, y1, x1 = seen(model)

    def read(images, labels):
        images = tf.convert_to_tensor(images)
        maps = tf.nest.flatten(front(images))
        heat = _weighted(model, maps[: len(sources)], maps[len(sources) :], back=back, labels=labels)
        heat = tf.image.resize(heat, (y1 - y0 + 1, x1 - x0 + 1))[..., 0].numpy()
        if boxes is not None:
            heat = np.stack(list(map(_put_back, heat, boxes(images, training=False).numpy())))
        height, width = images.shape[1:3]
        heat = np.pad(heat, ((0, 0), (y0, height - 1 - y1), (x0, width - 1 - x1)))
        most = heat.max(axis=(1, 2), keepdims=True)
        return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)

    return read


def has_maps(model) -> bool:
    """Return whether Grad-CAM works for the model: whether it, or a model inside it, has a convolution."""
    flat = flatten(model)
    return has_graph(flat) and any(isinstance(layer, CONVOLUTIONS) for layer in flat.layers)


def seen(model) -> tuple[int, int, int, int]:
    """Return the box of an image that the model uses, y0, x0, y1, x1 in pixels, both ends included.

    The box is the whole image, or the part that is left by a Cropping2D if this is the model's first layer.

    Example:
        >>> seen(keras.Sequential([keras.Input((10, 8, 3)), layers.Cropping2D(((1, 2), (0, 3)))]))
        (1, 0, 7, 4)
    """
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise InputError(
            f"model: {model.name} takes images of any size, but Grad-CAM needs a model with one image size"
        )
    model = flatten(model)
    first = next(layer for layer in model.layers if not isinstance(layer, layers.InputLayer))
    (top, bottom), (left, right) = first.cropping if isinstance(first, layers.Cropping2D) else ((0, 0), (0, 0))
    return top, left, height - 1 - bottom, width - 1 - right


def _weighted(model, maps, others, *, back, labels):
    """Return the heat (B, h, w, 1) on the grid of the first maps; the heat of several trunks is added up."""
    with tf.GradientTape() as tape:
        tape.watch(maps)
        scores = _scores(model, back([*maps, *others]))
        chosen = tf.gather(scores, tf.cast(labels, tf.int32), axis=1, batch_dims=1)
    heat = 0
    for own, gradient in zip(maps, tape.gradient(chosen, maps), strict=True):
        weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2), keepdims=True)
        spoken = tf.reduce_sum(weights * tf.cast(own, tf.float32), axis=-1, keepdims=True)
        heat = heat + tf.image.resize(spoken, maps[0].shape[1:3])
    return tf.nn.relu(heat)


def _put_back(heat, box):
    """Place the heat of an object's image on the image that the object was cut from, corner pixels on corner pixels."""
    y0, x0, y1, x1 = box.astype(int)
    whole = np.zeros_like(heat)
    size = (y1 - y0 + 1, x1 - x0 + 1)
    inside = tf.image.crop_and_resize(heat[None, :, :, None], [[0.0, 0.0, 1.0, 1.0]], [0], size)
    whole[y0 : y1 + 1, x0 : x1 + 1] = inside[0, ..., 0]
    return whole


def _has_map(layer) -> bool:
    output = layer.output
    return not isinstance(layer, layers.InputLayer) and not isinstance(output, (list, tuple)) and len(output.shape) == 4


def _named(model, name):
    for layer in model.layers:
        if layer.name == name and _has_map(layer):
            return layer
    raise InputError(f"layer: {model.name} has no feature maps at {name!r}")


def _last(model) -> list:
    """Return the layer with the last maps, as a list of one, or of one per trunk if the model has several trunks."""
    if not has_maps(model):
        raise InputError(f"model: {model.name} has no layer with feature maps, which Grad-CAM needs")
    strips = [layer for layer in model.layers if isinstance(layer, StripAttention)]
    if strips:
        return strips[-1:]
    if several := backbones.ends_of_trunks(model):
        return several
    return [layer for layer in model.layers if _has_map(layer) and not isinstance(layer, COARSER)][-1:]


def _halves(model, sources):
    """Return two functions: from images to maps (the sources' maps first), and from these to the last layer's input."""
    source = sources[0]
    if isinstance(model, keras.Sequential):  # layers of a loaded Sequential belong to another graph than the model's
        cut = model.layers.index(source) + 1
        front, back = _chain(model.layers[:cut]), _chain(model.layers[cut:-1])
        return front, lambda maps: back(*maps)
    cut = [one.output for one in sources]
    if isinstance(source, StripAttention):  # the boosted map of each stage leads to a head of its own
        cut = [one.output[0] for one in reversed(model.layers) if isinstance(one, StripAttention)]
    halves = keras.Model(model.inputs, cut), keras.Model(cut, model.layers[-1].input)
    return tuple(functools.partial(half, training=False) for half in halves)


def _chain(steps):
    return lambda x: functools.reduce(lambda value, layer: layer(value, training=False), steps, x)


def _scores(model, x):
    """Return the logits of the classes, computed from the input of the last layer."""
    last = model.layers[-1]
    if isinstance(last, layers.Dense):  # computed here without the layer's softmax
        scores = tf.cast(x, last.compute_dtype) @ tf.cast(last.kernel, last.compute_dtype)
        return scores if last.bias is None else scores + last.bias
    return x


def overlay(image, heat) -> np.ndarray:
    """Return the image with the heat map over it, from blue (none) to red (most), as uint8 (H, W, 3).

    Args:
        image: uint8 (H, W, 3).
        heat: float (H, W) in [0, 1].
    """
    import matplotlib

    colours = matplotlib.colormaps["turbo"](heat)[..., :3] * 255
    return np.round(image * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)
