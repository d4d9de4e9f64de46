"""Bootstrap of recalls over clusters, for kfg.evaluation.paired and kfg.evaluation.versus. No TensorFlow here.

A cluster is a group of near-duplicates, or a single image if it has none; all answers on its images are drawn together.
An arm is one of the treatments or models that are compared. There are M answers of each arm (one per image and run),
A arms, G clusters and R resamples.
"""

import math

import numpy as np

from kfg.evaluation.intervals import wilson

CHUNK = 4_000_000  # clusters x resamples that are drawn at once: 32 MB of indices


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


def bootstrap(sums, count, resamples, seed) -> dict[str, np.ndarray]:
    """Return, for each group of classes, the recall of each arm in each resample, float64 (A, R).

    It is NaN if a resample holds no image of the group.
    """
    rng = np.random.default_rng(seed)
    table = np.concatenate(list(sums.values()))
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


def apart(difference, one, other) -> dict:
    """Return a difference of two recalls with new bounds if it is the same in every resample, else unchanged.

    The new bounds are computed from the bounds of the two recalls. A difference of 0 stays unchanged: both arms gave
    the same answers, so there is no uncertainty.

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
