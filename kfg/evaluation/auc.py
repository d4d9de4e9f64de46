"""Area under the ROC curve, one class against the rest, with DeLong's variance of its macro mean."""

import dataclasses
import math

import numpy as np

from kfg.evaluation.intervals import normal_quantile, wilson

EPSILON = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Areas:
    """One-vs-rest AUC of each class.

    Args:
        values: float64 (C,), in [0, 1]; NaN if the class, or every other class, has no image.
        influence: float64 (N,), the contribution of each image to the error of the mean over the judged
            classes: the variance of that mean is the sum of the squares of these contributions.
        effective: float, effective number of images: a proportion near 1 measured on so many images would be as
            uncertain as the mean is near 1 (see `_effective`).
    """

    values: np.ndarray
    influence: np.ndarray
    effective: float


def one_vs_rest(scores, labels) -> Areas:
    """Compute the one-vs-rest AUC of each class.

    The AUC of a class is the probability that an image of the class scores higher than an image of another class; a tie
    counts half. DeLong's placement values (the share of the other side's images that an image beats) give the areas
    and also, summed over the classes, the influence of each image on their mean: the classes share the same images, so
    their errors are not independent.

    Args:
        scores: float array (N, C), higher = more likely.
        labels: int array (N,), in [0, C).
    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; the ranks as in Sun & Xu 2014.
    Example:
        >>> one_vs_rest(np.array([[.9, .1], [.4, .6], [.6, .4], [.2, .8]]), np.array([0, 0, 1, 1])).values
        array([0.75, 0.75])
    """
    from scipy.stats import rankdata  # imported here: it takes longer than all other imports of the list of runs

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


def between(higher, lower, *, confidence: float = 0.95) -> dict:
    """Return how often a value of `higher` exceeds one of `lower`, ties counting half, as {"value", "low", "high"}.

    The bounds are normal ones with DeLong's variance, within [0, 1]. They are meant for areas that are not near 0 or 1,
    where the variance may be zero by luck.

    Args:
        higher, lower: float (M,), (N,); at least one each.
        confidence: level of the interval, in (0, 1).
    Source:
        as for `one_vs_rest`.
    Example:
        >>> {name: round(value, 3) for name, value in between([2, 3, 4, 5], [1, 2, 3, 6]).items()}
        {'value': 0.625, 'low': 0.156, 'high': 1.0}
    """
    scores = np.concatenate([np.asarray(higher, np.float64), np.asarray(lower, np.float64)])
    of_lower = (np.arange(len(scores)) >= len(higher)).astype(int)
    found = one_vs_rest(np.stack([scores, -scores], axis=1), of_lower)  # both classes have the same area
    value, half = float(found.values[0]), normal_quantile(confidence) * math.sqrt(float((found.influence**2).sum()))
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def _effective(images, total) -> float:
    """Return the number of images on which a proportion would have the variance of the mean AUC, if both are near 1.

    Near 1, the variance of an area A of m images against n is A (1 - A) (1 / 4m + 1 / 4n). The first term comes from
    the class's own images, which are independent from class to class. The second comes from all other images, which
    the classes share; these terms are added as if they were fully correlated.

    Source: Hanley & McNeil 1982, Radiology 143:29, for A near 1 and m, n not tiny, as in Newcombe 2006, Statistics in
        Medicine 25:559.
    """
    if not len(images):
        return 0.0
    own = math.sqrt(float((1 / (4 * images)).sum())) / len(images)
    others = float(np.sqrt(1 / (4 * (total - images))).mean())
    return 1 / (own + others) ** 2


def _degrees(n):
    """Return sqrt(n (n - 1)); deviations divided by it have squares that sum to the sample variance over n.

    For a single image, which shows no spread, it is 1.
    """
    return math.sqrt(n * max(n - 1, 1))


def macro(areas: Areas, *, confidence: float = 0.95) -> dict | None:
    """Return the mean AUC over the judged classes as {"value", "low", "high"}; None if no class can be judged.

    The interval is Wilson's with the effective number of images, A (1 - A) / DeLong's variance, so it stays in [0, 1].
    If all or nearly all images are in the right order, that variance may be zero by luck. Therefore the interval always
    reaches at least as far towards 0.5 as the interval of an area of 1 (or 0) on `_effective` images.
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
