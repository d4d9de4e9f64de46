"""The rule by which a class is called weak: never by rank alone, and never on a few images. No TensorFlow here."""

import numpy as np
from scipy.stats import binom

from kfg.evaluation.intervals import wilson

JUDGED = 10  # images that a class needs; with fewer, each counts more than ten points of recall


def weak(high, images, target: float) -> np.ndarray:
    """Return whether a class is weak, bool (C,): the whole interval of its recall lies below the target.

    A class of few images has a wide interval, so it is not called weak however low it ranks. A class of fewer than
    JUDGED images is not judged. Each class is tested by itself, see `by_chance`.

    Args:
        high: float (C,), upper bound of the 95% interval of each recall.
        images: int (C,), number of images of each class.
        target: recall in (0, 1] that is asked for.
    Example:
        >>> weak([0.6, 0.6, 0.9], [100, 9, 100], 0.8).tolist()
        [True, False, False]
    """
    return (np.asarray(high) < target) & (np.asarray(images) >= JUDGED)


def by_chance(images, target: float) -> str:
    """Return a sentence on how many classes of these sizes chance alone would call weak; "" if less than half a class.

    Args:
        images: int (C,), number of images of each class; near-duplicates are taken for different images.
        target: recall that is asked for, which all classes are supposed to have.
    Example:
        >>> by_chance([20] * 50, 0.9)
        'If all 50 classes that were judged were equally good, chance alone would still call about 2.2 of them weak.'
        >>> by_chance([20] * 5, 0.9)
        ''
    """
    sizes, counts = np.unique([count for count in images if count >= JUDGED], return_counts=True)
    expected = sum(number * _share(size, target) for size, number in zip(sizes.tolist(), counts.tolist(), strict=True))
    if expected < 0.5:
        return ""
    return (
        f"If all {counts.sum():,} classes that were judged were equally good, chance alone would still call about "
        f"{expected:.1f} of them weak."
    )


def _share(images: int, target: float) -> float:
    """Return the probability that a class whose recall is the target is called weak."""
    _, high = wilson(np.arange(images + 1), np.full(images + 1, images))
    return float(binom.cdf(np.flatnonzero(high < target).max(initial=-1), images, target))
