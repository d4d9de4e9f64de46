"""Bootstrap of shares over clusters: images, or groups of near-duplicates, that bring along all answers on them.

What kfg.evaluation.paired draws; no TensorFlow here. M answers (an image in a run), A arms, G clusters, R resamples.
"""

import math

import numpy as np

from kfg.evaluation.intervals import wilson

CHUNK = 4_000_000  # clusters x resamples drawn at once: 32 MB of indices


def of_paths(paths, alike) -> tuple[int, np.ndarray]:
    """Return how many clusters there are, and that of each path, int (P,): its group, or itself."""
    alike = alike or {}
    names = [f"group {alike[path]}" if path in alike else f"image {path}" for path in map(str, paths)]
    unique, cluster = np.unique(names, return_inverse=True)
    return len(unique), cluster


def sums_of(cluster, right, count) -> np.ndarray:
    """Return float64 (A + 1, G): right answers of each arm per cluster, last the answers asked."""
    weights = [*right.astype(np.float64), np.ones(len(cluster))]
    return np.stack([np.bincount(cluster, weights=weight, minlength=count) for weight in weights])


def bootstrap(sums, count, resamples, seed) -> dict[str, np.ndarray]:
    """Return for each group the recall of each arm in each resample, float64 (A, R); NaN where none was drawn."""
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
    """Return right / asked, NaN where nothing was asked; both may be weighed, so that less than 1 was."""
    return np.where(asked > 0, right / np.where(asked > 0, asked, 1), np.nan)


def recall(value, spread, count, confidence) -> dict:
    """Percentile bounds; Wilson's where all answers are right, or all wrong, which no resample could show otherwise."""
    if value in (0.0, 1.0):
        low, high = wilson(value * count, count, confidence)
        return {"value": float(value), "low": low, "high": high}
    return interval(value, spread, confidence)


def apart(difference, one, other) -> dict:
    """Give a difference that is the same in every resample the bounds that those of the two recalls imply.

    Where the difference is nothing the arms answer alike, and there is nothing to be uncertain of.

    Source: Newcombe 1998, Statistics in Medicine 17:873, square-and-add.
    """
    value = difference["value"]
    if not value or difference["low"] != difference["high"]:
        return difference
    low = value - math.hypot(one["value"] - one["low"], other["high"] - other["value"])
    high = value + math.hypot(one["high"] - one["value"], other["value"] - other["low"])
    return {"value": value, "low": low, "high": high}


def interval(value, spread, confidence) -> dict:
    """Percentile bounds; None where the group has no image."""
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    low, high = np.nanquantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}
