"""Propose parts of an object: the most active windows of its feature map that overlap little."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kfg.errors import InputError


@keras.saving.register_keras_serializable(package="kfg")
class PartBoxes(keras.layers.Layer):
    """Score windows on a map, and choose some of each size group by non-maximum suppression.

    The score of a window is the mean, over its cells, of the map summed over channels. In each group the best window is
    taken, all windows whose boxes overlap it with an IoU above `overlap` are removed, and so on; if none is left, the
    last window taken is repeated. Of windows with equal scores the first counts, by the order of sizes, then rows, then
    columns.

    The positions of windows are fixed, so a table of which windows exclude each other is made when the layer is built.
    There is no gradient.

    Boxes are in pixels, both ends included: a window (h, w) at cell (i, j) has y0 = max(0, stride i - 1),
    y1 = stride (i + h) - 1, and the same for x. Areas count both ends: (y1 - y0 + 1) (x1 - x0 + 1).

    Input float (B, H, W, C), H and W fixed. Output float32 (B, N, 4): y0, x0, y1, x1 of the N parts of all groups.

    Args:
        groups: sequence of (sizes, count): window sizes (h, w) in cells, and the number of windows to take.
        stride: int >= 1, side of a cell in pixels of the image.
        overlap: float in [0, 1], the largest IoU allowed.
    Raises:
        InputError: there are no groups, sizes or counts; or, when built, a window is larger than the map.
    Source: Zhang et al. 2020, arXiv:2003.09150, section 3.3 ("attention part proposal module"); boxes are
        handled as in its code, whose order of equal scores is not defined.
    Example:
        >>> cells = np.zeros((1, 4, 4, 1), "float32")
        >>> cells[0, 0, 0], cells[0, 2:, 2:] = 3, 2
        >>> np.asarray(PartBoxes([([(2, 2)], 2)], stride=32)(cells))[0].tolist()
        [[63.0, 63.0, 127.0, 127.0], [0.0, 0.0, 63.0, 63.0]]
    """

    def __init__(self, groups, *, stride, overlap=0.25, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.groups = tuple((tuple((int(h), int(w)) for h, w in sizes), int(count)) for sizes, count in groups)
        if not self.groups or any(count < 1 or not sizes for sizes, count in self.groups):
            raise InputError(
                f"groups: expected at least one, each with at least one size and window, got {self.groups}"
            )
        if stride < 1 or not 0 <= overlap <= 1:
            raise InputError(f"stride: must be at least 1, and overlap: from 0 to 1, got {stride} and {overlap}")
        self.stride, self.overlap = stride, overlap

    @property
    def parts(self) -> int:
        """Number of windows taken per image."""
        return sum(count for _, count in self.groups)

    def build(self, input_shape):
        height, width = input_shape[1:3]
        self._tables = tuple(self._table(sizes, height, width) for sizes, _ in self.groups)

    def _table(self, sizes, height, width):
        windows = [boxes(size, cells=(height, width), stride=self.stride) for size in sizes]
        windows = np.concatenate(windows)
        return windows, iou(windows) <= self.overlap

    def call(self, x):
        activity = ops.sum(ops.stop_gradient(x), axis=-1, keepdims=True)
        chosen = []
        for (sizes, count), (windows, compatible) in zip(self.groups, self._tables, strict=True):
            means = [tf.nn.avg_pool2d(activity, size, 1, "VALID") for size in sizes]
            scores = ops.concatenate([ops.reshape(m, (-1, np.prod(m.shape[1:]))) for m in means], axis=1)
            chosen += [tf.gather(windows, pick) for pick in _picks(scores, compatible, count)]
        return ops.stack(chosen, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.parts, 4)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "stride": self.stride, "overlap": self.overlap}


def _picks(scores, compatible, count):
    """Return the numbers of the windows taken, as a list of `count` int tensors (B,).

    `scores` is float (B, G); `compatible` is bool (G, G), whether two windows may both be taken.
    """
    left = ops.ones_like(scores, dtype="bool")
    picks = []
    for _ in range(count):
        pick = tf.argmax(ops.where(left, scores, -np.inf), axis=1)
        if picks:
            pick = ops.where(ops.any(left, axis=1), pick, picks[-1])
        left = ops.logical_and(left, tf.gather(compatible, pick))
        picks.append(pick)
    return picks


def boxes(size: tuple[int, int], *, cells: tuple[int, int], stride: int) -> np.ndarray:
    """Return float32 (G, 4), the boxes in pixels of all windows of one size (h, w) on a map, row by row.

    Raises:
        InputError: the window is larger than the map.
    Example:
        >>> boxes((2, 1), cells=(2, 3), stride=32).tolist()
        [[0.0, 0.0, 63.0, 31.0], [0.0, 31.0, 63.0, 63.0], [0.0, 63.0, 63.0, 95.0]]
    """
    rows, columns = cells[0] - size[0] + 1, cells[1] - size[1] + 1
    if min(rows, columns, *size) < 1:
        raise InputError(f"windows: {size[0]} x {size[1]} cells do not fit a map of {cells[0]} x {cells[1]}")
    first = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    low, high = first * stride - 1, (first + np.array(size)) * stride - 1
    return np.concatenate([np.maximum(low, 0), high], axis=1).astype(np.float32)


def iou(windows: np.ndarray) -> np.ndarray:
    """Return float (G, G), the intersection over union of each pair of boxes (G, 4), both ends included.

    Example:
        >>> iou(np.array([[0, 0, 1, 1], [0, 1, 1, 2]])).tolist()[0]  # 2 pixels of 6
        [1.0, 0.3333333333333333]
    """
    low = np.maximum(windows[:, None, :2], windows[None, :, :2])
    high = np.minimum(windows[:, None, 2:], windows[None, :, 2:])
    common = np.maximum(high - low + 1, 0).prod(axis=-1).astype(np.float64)
    areas = (windows[:, 2:] - windows[:, :2] + 1).prod(axis=1).astype(np.float64)
    return common / (areas[:, None] + areas[None, :] - common)
