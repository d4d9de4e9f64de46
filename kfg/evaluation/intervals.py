"""Confidence intervals of proportions."""

import statistics

import numpy as np


def wilson(successes, n, confidence: float = 0.95, *, effective=None):
    """Return the Wilson score interval of a proportion.

    Args:
        successes, n: ints or int arrays, 0 <= successes <= n.
        confidence: level of the interval, in (0, 1).
        effective: float or float array, the number of independent observations that the n are worth, see
            `effective_counts`; default n.
    Returns:
        (low, high), floats or arrays in [0, 1]; (0, 1) if n = 0.
    Source:
        Wilson 1927, JASA 22:209; without continuity correction. With an effective number: Korn & Graubard 1998, Survey
        Methodology 24:193.
    Example:
        >>> low, high = wilson(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    z = normal_quantile(confidence)
    successes, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (successes < 0).any() or (successes > n).any():
        raise ValueError(f"successes must be in [0, n], got {successes} of {n}")
    p = successes / np.maximum(n, 1)
    safe = np.maximum(n if effective is None else np.asarray(effective, dtype=np.float64), 1)
    centre = (p + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(p * (1 - p) / safe + z**2 / (4 * safe**2))
    # For p = 0 the lower bound is exactly 0, and for p = 1 the upper bound is exactly 1; rounding must not change that.
    low = np.where((n == 0) | (successes == 0), 0.0, centre - half)
    high = np.where((n == 0) | (successes == n), 1.0, centre + half)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def effective_counts(groups, labels=None, classes: int = 1) -> np.ndarray:
    """Return how many independent images the images of each class are worth, float64 (C,); 0 for a class without any.

    Near-duplicates share a group, and their answers are mostly right or wrong together. If they always are, and a class
    has groups of m images, this is (sum of m)^2 / sum of m^2. So ten copies of one image count once, and images that
    are all different count as they are.

    Args:
        groups: (N,), the group of each image.
        labels: int (N,) in [0, C), its class; default one class for all.
        classes: C.
    Source:
        Kish 1965, Survey Sampling, section 8.2, with an intraclass correlation of 1.
    Example:
        >>> effective_counts([0, 0, 0, 1, 2], [0, 0, 0, 1, 1], 2).tolist(), effective_counts([5, 6, 6]).tolist()
        ([1.0, 2.0], [1.8])
    """
    _, number = np.unique(groups, return_inverse=True)
    labels = np.zeros(len(number), np.int64) if labels is None else np.asarray(labels, np.int64)
    pairs, sizes = np.unique(labels * max(1, len(number)) + number, return_counts=True)
    of_class = pairs // max(1, len(number))
    total, squares = (np.bincount(of_class, weights=one, minlength=classes) for one in (sizes, sizes**2))
    return total**2 / np.maximum(squares, 1)


def normal_quantile(confidence: float) -> float:
    """Return z with P(|Z| < z) = confidence; ValueError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return statistics.NormalDist().inv_cdf((1 + confidence) / 2)
