"""Area under the ROC curve, one class against the rest, with DeLong's variance of its macro mean."""

import dataclasses
import math

import numpy as np
from scipy.stats import rankdata

from kfg.evaluation.intervals import normal_quantile

EPSILON = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Areas:
    """One-vs-rest AUC of each class.

    Args:
        values: float64 (C,), in [0, 1]; NaN where the class, or every other, has no image.
        influence: float64 (N,), the share of each image in the error of the mean over the judged
            classes: the variance of that mean is the sum of its squares.
    """

    values: np.ndarray
    influence: np.ndarray


def one_vs_rest(scores, labels) -> Areas:
    """Compare each class's score on its own images with that on all others.

    The AUC of a class is the chance that an image of it scores higher than one that is not; a tie counts
    half. DeLong's placement values (how many of the other side an image beats) give both the areas and, summed
    over the classes an image takes part in, its influence on their mean: the classes share the same
    images, so their errors are not independent.

    Args:
        scores: float array (N, C), higher = more likely.
        labels: int array (N,), in [0, C).
    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; the ranks as in Sun & Xu 2014.
    Example:
        >>> one_vs_rest(np.array([[.9, .1], [.4, .6], [.6, .4], [.2, .8]]), np.array([0, 0, 1, 1])).values
        array([0.75, 0.75])
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    values, influence = np.full(scores.shape[1], np.nan), np.zeros(len(labels))
    for c in range(scores.shape[1]):
        own = np.flatnonzero(labels == c)
        others = np.flatnonzero(labels != c)
        if not len(own) or not len(others):
            continue
        column = scores[:, c]
        ranks = rankdata(column)
        beaten = (ranks[own] - rankdata(column[own])) / len(others)
        beaten_by = 1 - (ranks[others] - rankdata(column[others])) / len(own)
        values[c] = beaten.mean()
        influence[own] += (beaten - values[c]) / _degrees(len(own))
        influence[others] += (beaten_by - values[c]) / _degrees(len(others))
    judged = np.count_nonzero(~np.isnan(values))
    return Areas(values=values, influence=influence / max(judged, 1))


def _degrees(n):
    """sqrt(n (n - 1)): the squares then sum to the sample variance over n. One image has no spread to show."""
    return math.sqrt(n * max(n - 1, 1))


def macro(areas: Areas, *, confidence: float = 0.95) -> dict | None:
    """Mean AUC over the judged classes as {"value", "low", "high"}; None where there is none.

    The interval is made on the logit scale, so that it stays in [0, 1]; at exactly 0 or 1 it has no width.
    """
    if np.isnan(areas.values).all():
        return None
    value = float(np.nanmean(areas.values))
    error = math.sqrt(float((areas.influence**2).sum()))
    if error < EPSILON or not EPSILON < value < 1 - EPSILON:
        return {"value": value, "low": value, "high": value}
    logit = math.log(value / (1 - value))
    half = normal_quantile(confidence) * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-edge)) for edge in (logit - half, logit + half))
    return {"value": value, "low": low, "high": high}
