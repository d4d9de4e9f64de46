"""Area under the ROC curve, one class against the rest, with DeLong's variance of its macro mean."""

import dataclasses
import math

import numpy as np
from scipy.stats import rankdata

from kfg.evaluation.intervals import wilson

EPSILON = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Areas:
    """One-vs-rest AUC of each class.

    Args:
        values: float64 (C,), in [0, 1]; NaN where the class, or every other, has no image.
        influence: float64 (N,), the share of each image in the error of the mean over the judged
            classes: the variance of that mean is the sum of its squares.
        effective: float, the images of which one share would be as uncertain as the mean is at 1 (`_effective`).
    """

    values: np.ndarray
    influence: np.ndarray
    effective: float


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
    images = np.bincount(labels, minlength=scores.shape[1])[~np.isnan(values)]
    return Areas(values=values, influence=influence / max(judged, 1), effective=_effective(images, len(labels)))


def _effective(images, total) -> float:
    """Return how many images of one share would give it the variance of the mean AUC where that is nearly 1.

    The variance of an area A of m images against n is there A (1 - A) (1 / 4m + 1 / 4n): the first part is of the
    class's own images, independent from class to class, the second of all others, which the classes share, so that
    its parts are added as if they rose and fell together.

    Source: Hanley & McNeil 1982, Radiology 143:29, for A near 1 and m, n not tiny, as in Newcombe 2006, Statistics in
        Medicine 25:559.
    """
    if not len(images):
        return 0.0
    own = math.sqrt(float((1 / (4 * images)).sum())) / len(images)
    others = float(np.sqrt(1 / (4 * (total - images))).mean())
    return 1 / (own + others) ** 2


def _degrees(n):
    """sqrt(n (n - 1)): the squares then sum to the sample variance over n. One image has no spread to show."""
    return math.sqrt(n * max(n - 1, 1))


def macro(areas: Areas, *, confidence: float = 0.95) -> dict | None:
    """Mean AUC over the judged classes as {"value", "low", "high"}; None where there is none.

    Wilson's interval with the effective number of images, A (1 - A) / DeLong's variance, which stays in [0, 1]. Where
    nothing, or next to nothing, is out of order that variance is zero by luck; the interval is then never narrower on
    the inner side than that of an area of 1 (or 0) on `_effective` images.
    """
    if np.isnan(areas.values).all():
        return None
    value = float(np.nanmean(areas.values))
    variance = float((areas.influence**2).sum())
    certain, _ = wilson(areas.effective, areas.effective, confidence)
    low = high = value
    if variance > EPSILON:
        effective = value * (1 - value) / variance
        low, high = wilson(effective * value, effective, confidence)
    low, high = (min(low, certain), high) if value >= 0.5 else (low, max(high, 1 - certain))
    return {"value": value, "low": low, "high": high}
