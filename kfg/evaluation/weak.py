"""The rule by which a class is called weak: never by rank alone, and never on a few images. No TensorFlow here."""

import numpy as np

JUDGED = 10  # images that a class needs; with fewer, each counts more than ten points of recall
BY_CHANCE = 0.025  # share of equally good classes whose whole 95 % interval lies below the target by chance


def weak(high, images, target: float) -> np.ndarray:
    """Return whether a class is weak, bool (C,): the whole interval of its recall lies below the target.

    A class of few images has a wide interval, so it is not called weak however low it ranks. A class of fewer than
    JUDGED images is not judged. Each class is tested by itself, see `by_chance`.

    Args:
        high: float (C,), upper bound of the 95 % interval of each recall.
        images: int (C,), number of images of each class.
        target: recall in (0, 1] that is asked for.
    Example:
        >>> weak([0.6, 0.6, 0.9], [100, 9, 100], 0.8).tolist()
        [True, False, False]
    """
    return (np.asarray(high) < target) & (np.asarray(images) >= JUDGED)


def by_chance(judged: int) -> str:
    """Return a sentence on how many of the classes judged chance alone would call weak; "" if less than half a class.

    Example:
        >>> by_chance(50)
        'If all 50 classes that were judged were equally good, chance alone would still call up to 1.2 of them weak.'
        >>> by_chance(19)
        ''
    """
    expected = judged * BY_CHANCE
    if expected < 0.5:
        return ""
    return (
        f"If all {judged:,} classes that were judged were equally good, chance alone would still call up to "
        f"{expected:.1f} of them weak."
    )
