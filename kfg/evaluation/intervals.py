"""Confidence intervals of proportions."""

import statistics

import numpy as np


def wilson(successes, n, confidence: float = 0.95):
    """Return the Wilson score interval of a proportion.

    Args:
        successes, n: ints or int arrays, 0 <= successes <= n.
        confidence: level of the interval, in (0, 1).
    Returns:
        (low, high), floats or arrays in [0, 1]; (0, 1) if n = 0.
    Source:
        Wilson 1927, JASA 22:209; without continuity correction.
    Example:
        >>> low, high = wilson(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    z = normal_quantile(confidence)
    successes, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (successes < 0).any() or (successes > n).any():
        raise ValueError(f"successes must be in [0, n], got {successes} of {n}")
    safe = np.maximum(n, 1)
    p = successes / safe
    centre = (p + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(p * (1 - p) / safe + z**2 / (4 * safe**2))
    # For p = 0 the lower bound is exactly 0, and for p = 1 the upper bound is exactly 1; rounding must not change that.
    low = np.where((n == 0) | (successes == 0), 0.0, centre - half)
    high = np.where((n == 0) | (successes == n), 1.0, centre + half)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def normal_quantile(confidence: float) -> float:
    """Return z with P(|Z| < z) = confidence; ValueError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return statistics.NormalDist().inv_cdf((1 + confidence) / 2)
