"""Bootstrap of recalls over clusters, for kfg.evaluation.paired and kfg.evaluation.versus. No TensorFlow here.

A cluster is a group of near-duplicates, or a single image if it has none; all answers on its images are drawn together.
An arm is one of the treatments or models that are compared. There are M answers of each arm (one per image and run),
A arms, G clusters and R resamples.
"""

import math

import numpy as np
from scipy import sparse
from scipy.stats import binomtest

from kfg.evaluation.intervals import wilson

CHUNK = 4_000_000  # clusters x resamples that are drawn at once: 32 MB of indices
TINY = 1e-12  # smaller changes are rounding
FEW = 10  # changed clusters; of fewer, resamples hold too few different ones to show how far chance goes


def of_paths(paths, alike) -> tuple[int, np.ndarray]:
    """Return the number of clusters, and the cluster of each path, int (P,).

    Paths that `alike` (path -> group) gives the same group are one cluster; any other path is a cluster of its own.
    """
    alike = alike or {}
    names = [f"group {alike[path]}" if path in alike else f"image {path}" for path in map(str, paths)]
    unique, cluster = np.unique(names, return_inverse=True)
    return len(unique), cluster


def sums_of(cluster, right, count) -> np.ndarray:
    """Return float64 (A + 1, G): for each cluster, the right answers of each arm; the last row counts all answers."""
    weights = [*right.astype(np.float64), np.ones(len(cluster))]
    return np.stack([np.bincount(cluster, weights=weight, minlength=count) for weight in weights])


def among(at, sums, count) -> sparse.csr_array:
    """Return the sums of a few clusters as a sparse (A + 1, G), for `bootstrap`: of many groups most cells are 0.

    Args:
        at: int (K,), the clusters that have an image of the group.
        sums: float (A + 1, K).
        count: G.
    """
    rows = np.repeat(np.arange(len(sums)), len(at))
    return sparse.csr_array((sums.ravel(), (rows, np.tile(at, len(sums)))), shape=(len(sums), count))


def bootstrap(sums, count, resamples, seed) -> dict[str, np.ndarray]:
    """Return, for each group of classes, the recall of each arm in each resample, float64 (A, R).

    It is NaN if a resample holds no image of the group.

    Args:
        sums: group -> the result of `sums_of`, or of `among`.
        count: G.
        resamples: R.
        seed: int >= 0.
    """
    rng = np.random.default_rng(seed)
    dense = not any(map(sparse.issparse, sums.values()))
    table = np.concatenate(list(sums.values())) if dense else sparse.vstack(list(sums.values()), format="csr")
    drawn, size = [], max(1, CHUNK // count)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        picks = rng.integers(0, count, (rows, count)) + np.arange(rows)[:, None] * count
        weights = np.bincount(picks.ravel(), minlength=rows * count).reshape(rows, count)
        drawn.append(table @ weights.T)
    parts = np.split(np.concatenate(drawn, axis=1), len(sums))
    return {group: share(part[:-1], part[-1]) for group, part in zip(sums, parts, strict=True)}


def share(right, asked) -> np.ndarray:
    """Return right / asked, NaN where `asked` is 0; both may be weighted, so `asked` may be between 0 and 1."""
    return np.where(asked > 0, right / np.where(asked > 0, asked, 1), np.nan)


def recall(value, spread, count, confidence) -> dict:
    """Return a recall with percentile bounds, or with Wilson's bounds if all answers are right or all are wrong.

    In these two cases all resamples are equal, so the percentile bounds would have no width.
    """
    if value in (0.0, 1.0):
        low, high = wilson(value * count, count, confidence)
        return {"value": float(value), "low": low, "high": high}
    return interval(value, spread, confidence)


def unseen(count: int, confidence: float) -> float:
    """Return the largest share of changes of which `count` photographs may well show none.

    Source: Hanley & Lippman-Hand 1983, JAMA 249:1743; two-sided.
    """
    return 1 - ((1 - confidence) / 2) ** (1 / count)


def difference(changes, spread, *, count: int, confidence: float, hidden: float | None = None) -> dict:
    """Return a paired difference of two shares with percentile bounds; where few clusters changed, with wider ones.

    Of 4 clusters that gained and none that lost, each resample has a gain or none at all, so the percentile bounds
    would exclude a loss, although the exact test has p = 0.12. Where fewer than FEW clusters changed, the bounds
    therefore reach at least as far as the exact interval of the share of gains among the changes; so they exclude 0
    only where McNemar's exact test does. Where they include 0, they also reach as far as the largest change that
    `count` clusters without any would leave possible.

    Args:
        changes: float (G,), what each cluster adds to the difference.
        spread: float (R,), the difference in each resample.
        count: number of clusters that have an image of the group; 0: all three values are None.
        confidence: level of the interval, in (0, 1).
        hidden: the largest change of the difference that may not show; default that of a share, `unseen`.
    Source:
        Clopper & Pearson 1934, Biometrika 26:404.
    Example:
        >>> changes = np.array([0.001] * 4 + [0] * 996)
        >>> found = difference(changes, np.array([0.001, 0.004, 0.008]), count=1000, confidence=0.95)
        >>> round(found["value"], 4), round(found["low"], 4), round(found["high"], 4)
        (0.004, -0.0008, 0.0078)
    """
    value = float(np.sum(changes)) if count else np.nan
    found = interval(value, spread, confidence)
    gained, lost = int((changes > TINY).sum()), int((changes < -TINY).sum())
    if not count or gained + lost >= FEW:
        return found
    hidden = unseen(count, confidence) if hidden is None else hidden
    low, high = max(-1.0, value - hidden), min(1.0, value + hidden)
    if gained + lost:
        size = float(np.abs(changes).sum())
        exact = binomtest(gained, gained + lost).proportion_ci(confidence, method="exact")
        ends = size * (2 * exact.low - 1), size * (2 * exact.high - 1)
        low, high = ends if exact.low > 0.5 or exact.high < 0.5 else (min(low, ends[0]), max(high, ends[1]))
    return {"value": value, "low": min(found["low"], low, value), "high": max(found["high"], high, value)}


def apart(difference, one, other) -> dict:
    """Return a difference of two recalls with new bounds if it is the same in every resample and not 0, else unchanged.

    The new bounds are computed from the bounds of the two recalls.

    Source: Newcombe 1998, Statistics in Medicine 17:873, square-and-add.
    """
    value = difference["value"]
    if not value or difference["low"] != difference["high"]:
        return difference
    low = value - math.hypot(one["value"] - one["low"], other["high"] - other["value"])
    high = value + math.hypot(one["high"] - one["value"], other["value"] - other["low"])
    return {"value": value, "low": low, "high": high}


def interval(value, spread, confidence) -> dict:
    """Return a value with percentile bounds; all three are None if the group has no image."""
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    low, high = np.nanquantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}
