"""Measure mean, standard deviation and mean image of a data set in one pass, and find its most common image size."""

import collections
import dataclasses

import numpy as np

from kfg.data import decode
from kfg.data.index import Index

CHUNK = 64  # images held in memory at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Stats:
    """Statistics of N images, in levels from 0 to 255, one value per channel (R, G, B).

    Args:
        images: N, the number of images.
        mean: float64 (3,), mean over all pixels of all images.
        std: float64 (3,), standard deviation over all pixels of all images.
        mean_of_image_stds: float64 (3,), mean over the images of each image's own standard deviation. It is never
            above `std`, because it leaves out differences in brightness between images; study retail258 calls it "std".
        mean_image: float32 (H, W, 3), the mean of all images.
    """

    images: int
    mean: np.ndarray
    std: np.ndarray
    mean_of_image_stds: np.ndarray
    mean_image: np.ndarray


def measure(images, positions=None, *, chunk: int = CHUNK) -> Stats:
    """Measure the images of a store, with memory for only `chunk` images.

    Sums are computed in whole numbers, so the result does not depend on the order of the images.

    Args:
        images: a store of N images of one size, with len() and `gather(positions) -> uint8 (B, H, W, 3)`.
        positions: ints, positions of the images to measure; default all.
        chunk: number of images read at a time.
    Raises:
        ValueError: there are no images.
    Example:
        >>> class Two:
        ...     gather = np.array([[[[0, 0, 0]]], [[[10, 20, 0]]]], np.uint8).__getitem__
        >>> stats = measure(Two, [0, 1])
        >>> stats.mean.tolist(), stats.std.tolist(), stats.mean_of_image_stds.tolist()
        ([5.0, 10.0, 0.0], [5.0, 10.0, 0.0], [0.0, 0.0, 0.0])
    """
    positions = np.arange(len(images)) if positions is None else np.asarray(positions, dtype=np.int64)
    if not len(positions):
        raise ValueError("positions: there are no images to measure")
    total, stds, squares = 0, np.zeros(3), np.zeros(3, np.int64)
    for start in range(0, len(positions), chunk):
        batch = images.gather(positions[start : start + chunk])
        total = total + batch.sum(axis=0, dtype=np.int64)
        for image in batch:
            pixels = image.reshape(-1, 3).astype(np.int64)  # int64 holds the sum of 255 squared over 2^44 pixels
            sums, own = pixels.sum(axis=0), (pixels**2).sum(axis=0)
            squares += own
            stds += _std(sums, own, len(pixels))
    count = len(positions) * total.shape[0] * total.shape[1]
    sums = total.sum(axis=(0, 1))
    return Stats(
        images=len(positions),
        mean=sums / count,
        std=_std(sums, squares, count),
        mean_of_image_stds=stds / len(positions),
        mean_image=(total / len(positions)).astype(np.float32),
    )


def _std(sums, squares, count):
    mean = sums / count
    return np.sqrt(np.maximum(squares / count - mean**2, 0))


def sizes(index: Index) -> list[tuple[int, int]]:
    """Return (width, height) in pixels of every file after its EXIF rotation; no picture is decoded.

    Raises:
        InputError: a file is not an image; the message names it.
    """
    return [decode.size_shown(path)[::-1] for path in index.full_paths()]


def of_commonest_size(index: Index) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the int64 positions of the files that have the most common size, and that size (width, height).

    This is the rule of study fruit3: of its 4,195 photographs it kept the 4,141 of exactly 300 x 300, since the others
    are drawings, collages and screenshots more often than not.
    """
    found = sizes(index)
    (commonest, _), *_ = collections.Counter(found).most_common(1)
    return np.flatnonzero([size == commonest for size in found]), commonest
