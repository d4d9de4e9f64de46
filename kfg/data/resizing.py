"""Resize photographs in the one way that kfg uses everywhere: bilinear with antialiasing, on NumPy arrays.

Inside an export, `kfg.data.decode_in_graph.resize` computes the same pixels with a TensorFlow op, which takes three
times as long as these functions.
"""

import functools

import cv2
import numpy as np
from scipy import sparse

METHOD = "bilinear-antialias-2"  # part of the key of cached images: change it whenever the resized pixels change
BLOCK = 1 << 20  # number of float32 values weighted at once: few enough to stay in the processor's cache


def resize(image, image_size: tuple[int, int]) -> np.ndarray:
    """Resize one image as training does.

    Without antialiasing, shrinking a 300-pixel photograph to 68 pixels keeps one pixel in four and drops the rest.

    Args:
        image: uint8 (H, W, 3), an array or an eager tensor.
        image_size: (height, width) in pixels; the aspect ratio is not kept (the studies squash).
    Returns:
        uint8 (height, width, 3). An image of the right size comes back unchanged.
    Example:
        >>> resize(np.full((4, 4, 3), 7, np.uint8), (2, 3)).tolist()[0]
        [[7, 7, 7], [7, 7, 7], [7, 7, 7]]
    """
    image = np.asarray(image)
    height, width = (int(side) for side in image_size)
    if image.shape[:2] == (height, width):
        return image
    rows, columns = _weights(image.shape[0], height), _weights(image.shape[1], width)
    shrunk = _weighted(rows, image).reshape(height, -1, 3)
    turned = columns @ cv2.transpose(shrunk).reshape(len(image[0]), -1)
    # convertScaleAbs rounds halves to even, as tf.round does, and clips to 0..255
    return cv2.transpose(cv2.convertScaleAbs(turned).reshape(width, height, 3))


def _weighted(rows: sparse.csr_array, image) -> np.ndarray:
    """Return rows @ image as float32 (height, W * 3), a block of columns at a time."""
    flat = image.reshape(len(image), -1)
    wide = max(1, BLOCK // len(flat))
    blocks = [rows @ flat[:, at : at + wide].astype(np.float32) for at in range(0, flat.shape[1], wide)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


@functools.lru_cache(maxsize=256)
def _weights(before: int, after: int) -> sparse.csr_array:
    """Return the weights that resize a line of `before` pixels to `after` pixels, as a sparse float32 (after, before).

    Row i holds the weight of each old pixel in new pixel i. The steps are computed in float32 and in the same order as
    in TensorFlow's ScaleAndTranslate, so that the resized pixels are equal.
    """
    one, half = np.float32(1), np.float32(0.5)
    step = one / (np.float32(after) / np.float32(before))  # old pixels per new pixel
    reach = np.maximum(step, one)  # half the base of the triangle that weights the old pixels around a new pixel
    middle = (np.arange(after, dtype=np.float32) + half) * step
    first = np.clip(np.ceil(middle - reach - half).astype(int), 0, before - 1)
    last = np.clip(np.floor(middle + reach - half).astype(int), 0, before - 1)
    taps = first[:, None] + np.arange(int((last - first).max()) + 1)
    distance = np.abs(taps.astype(np.float32) + half - middle[:, None])
    shares = np.where(taps <= last[:, None], np.maximum(one - distance * (one / reach), 0), 0).astype(np.float32)
    shares *= (one / np.add.accumulate(shares, axis=1)[:, -1])[:, None]
    kept = shares != 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sparse.csr_array((shares[kept], taps[kept], starts), shape=(after, before))
