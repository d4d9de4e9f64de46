"""Where in an image a model finds what speaks for a class: Grad-CAM, for every flat model that kfg builds.

Source: Selvaraju et al. 2017, arXiv:1610.02391: the last maps, weighted by the mean gradient of the class's score.
"""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from matplotlib.figure import Figure

from kfg.errors import InputError
from kfg.evaluation.figures import INK, short, styled

OPACITY = 0.5  # of the heat over the photograph
COLUMNS = 3  # images beside each other, each with its maps


def heatmaps(model, images, labels, *, layer: str | None = None) -> np.ndarray:
    """Return how much each place of an image speaks for a class.

    Args:
        model: Keras model without nested models, (B, H, W, 3) in [0, 255] -> probabilities (B, C).
        images: uint8 (B, H, W, 3), of the model's size.
        labels: int (B,), the classes asked about.
        layer: whose maps are weighted; default the last layer with maps. Every path from images to answer must
            pass it.
    Returns:
        float32 (B, H, W) in [0, 1], each image's largest value 1; all 0 where nothing speaks for the class.
    Raises:
        InputError: an unknown layer, one without maps, or a model that has none.
    """
    source = _maps_layer(model, layer)
    front, back = _halves(model, source)
    maps = front(tf.convert_to_tensor(images))
    places = tf.range(len(images))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        chosen = tf.gather_nd(_scores(model, back(maps)), tf.stack([places, tf.cast(labels, tf.int32)], axis=1))
    weights = tf.reduce_mean(tf.cast(tape.gradient(chosen, maps), tf.float32), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=-1, keepdims=True))
    heat = tf.image.resize(heat, model.input_shape[1:3])[..., 0].numpy()
    most = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)


def _maps_layer(model, name):
    with_maps = [one for one in model.layers if not isinstance(one, layers.InputLayer) and len(one.output.shape) == 4]
    if name is not None:
        with_maps = [one for one in with_maps if one.name == name]
    if not with_maps:
        raise InputError(f"layer: {model.name} has {'no layer with maps' if name is None else f'no maps at {name!r}'}")
    return with_maps[-1]


def _halves(model, source):
    """Return the functions from images to the maps, and from the maps to what goes into the last layer."""
    if isinstance(model, keras.Sequential):  # a loaded one's layers remember another graph than its own
        cut = model.layers.index(source) + 1
        return _chain(model.layers[:cut]), _chain(model.layers[cut:-1])
    halves = keras.Model(model.inputs, source.output), keras.Model(source.output, model.layers[-1].input)
    return tuple(functools.partial(half, training=False) for half in halves)


def _chain(steps):
    return lambda x: functools.reduce(lambda value, layer: layer(value, training=False), steps, x)


def _scores(model, x):
    """Return the classes' scores before the softmax, from what goes into the last layer."""
    last = model.layers[-1]
    if isinstance(last, layers.Dense):  # its softmax is undone by leaving it out
        return tf.cast(x, last.compute_dtype) @ tf.cast(last.kernel, last.compute_dtype) + last.bias
    return x


def overlay(image, heat) -> np.ndarray:
    """Return the image with the heat over it, blue for none to red for most, as uint8 (H, W, 3).

    Args:
        image: uint8 (H, W, 3).
        heat: float (H, W) in [0, 1].
    """
    import matplotlib

    colours = matplotlib.colormaps["turbo"](heat)[..., :3] * 255
    return np.round(image * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)


@styled
def sheet(images, maps: list[dict[str, np.ndarray]]) -> Figure:
    """Draw images, each with its heat maps beside it.

    Args:
        images: uint8 (N, H, W, 3).
        maps: N times title -> float (H, W) in [0, 1]; the same number of titles for each.
    """
    wide = 1 + len(maps[0])
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.5 * wide * columns, 1.85 * rows))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.25 / (1.85 * rows), wspace=0.04, hspace=0.24)
    grid = figure.subplots(rows, wide * columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for number, (image, heats) in enumerate(zip(images, maps, strict=True)):
        row, first = number // columns, number % columns * wide
        grid[row, first].imshow(image)
        for place, (title, heat) in enumerate(heats.items(), start=first + 1):
            grid[row, place].imshow(overlay(image, heat))
            grid[row, place].set_title(short(title, 18), fontsize=8, color=INK, pad=2, loc="left")
    return figure
