"""Find the object in an image: the box around the largest patch in which the feature maps are above their mean."""

import keras
import tensorflow as tf
from keras import ops

from kfg.errors import InputError


@keras.saving.register_keras_serializable(package="kfg")
class ObjectBoxes(keras.layers.Layer):
    """Return the box of the object in each image, from the active cells of two feature maps.

    Each map is summed over its channels, and the cells above the mean of the sums are its mask. In the first map's mask
    the largest 8-connected component is kept (of several equally large ones the first, row by row). The box encloses
    those of its cells that are also in the second map's mask, even if they are not connected. If there are none, the
    box is the whole image.

    The box is in pixels, both ends included: y0 = max(0, stride * first row - 1), y1 = stride * (last row + 1) - 1, and
    the same for x. There is no gradient. The layer uses TensorFlow ops on the whole batch, and no Python in the graph.

    Input: two float maps (B, H, W, C), (B, H, W, C'), H and W fixed. Output float32 (B, 4): y0, x0, y1, x1.

    Args:
        stride: int >= 1, side of a cell in pixels of the image.
    Raises:
        InputError: the stride is below 1; or, when built, the maps have different sizes.
    Source: Zhang et al. 2020, arXiv:2003.09150, section 3.2 ("attention object location module").
    Example:
        >>> import numpy as np
        >>> cells = np.zeros((1, 4, 4, 1), "float32")
        >>> cells[0, 1:3, 2:] = 1
        >>> np.asarray(ObjectBoxes(stride=32)([cells, cells]))[0].tolist()
        [31.0, 63.0, 95.0, 127.0]
    """

    def __init__(self, *, stride, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)  # in half precision cells could be rounded to the mean
        if stride < 1:
            raise InputError(f"stride: must be at least 1, got {stride}")
        self.stride = stride

    def build(self, input_shape):
        first, second = input_shape
        if tuple(first[1:3]) != tuple(second[1:3]):
            raise InputError(
                f"taps: expected two maps of the same size, got {tuple(first[1:3])} and {tuple(second[1:3])} cells"
            )

    def call(self, maps):
        first, second = (above_mean(ops.stop_gradient(x)) for x in maps)
        common = ops.logical_and(largest_component(first), second)
        (y0, y1), (x0, x1) = _span(ops.any(common, axis=2)), _span(ops.any(common, axis=1))
        low = ops.maximum(ops.stack([y0, x0], axis=1) * self.stride - 1, 0)
        high = ops.stack([y1, x1], axis=1) * self.stride - 1
        return ops.cast(ops.concatenate([low, high], axis=1), "float32")

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 4)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


def above_mean(maps):
    """Return bool (B, H, W): whether each cell's sum over the channels, of maps (B, H, W, C), is above the mean sum."""
    sums = ops.sum(maps, axis=-1)
    return sums > ops.mean(sums, axis=(1, 2), keepdims=True)


def largest_component(mask):
    """Return the largest 8-connected component of each mask, as bool (B, H, W); of several the first by rows.

    Each cell holds the number of the first cell that is known to be connected to it. These numbers spread to
    neighbouring cells until none changes, at most H W times.
    """
    height, width = mask.shape[1:]
    cells = height * width
    # Cells are numbered backwards, so that of two numbers the larger one belongs to the earlier cell; 0 is outside.
    numbers = ops.reshape(ops.arange(cells, 0, -1, dtype="float32"), (1, height, width, 1))
    inside = mask[..., None]

    def spread(labels, _):
        spread_out = ops.where(inside, tf.nn.max_pool2d(labels, 3, 1, "SAME"), 0.0)
        return spread_out, tf.reduce_any(spread_out != labels)

    start = ops.where(inside, numbers, 0.0)
    labels, _ = tf.while_loop(lambda _, changed: changed, spread, (start, True), maximum_iterations=cells)
    flat = ops.reshape(labels, (-1, cells))
    sizes = ops.sum(ops.cast(ops.equal(flat[:, :, None], flat[:, None, :]), "float32"), axis=2)
    sizes = ops.where(flat > 0, sizes, 0.0)
    # the first cell with the largest size belongs to the component that comes first; Keras's argmax of floats asks for
    # negative zeros by a bitcast, which other runtimes do not know
    chosen = tf.gather(flat, tf.argmax(sizes, axis=1), batch_dims=1)
    return ops.logical_and(mask, ops.equal(labels[..., 0], chosen[:, None, None]))


def _span(lines):
    """Return the first index and the last index + 1 of True in each row of bool (B, N), int32 (B,) each.

    For a row without True they are 0 and N.
    """
    count = lines.shape[1]
    lines = ops.cast(ops.logical_or(lines, ops.logical_not(ops.any(lines, axis=1, keepdims=True))), "int32")
    return ops.argmax(lines, axis=1), count - ops.argmax(ops.flip(lines, axis=1), axis=1)
