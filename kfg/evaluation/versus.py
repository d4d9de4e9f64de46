"""Compare two models on the same photographs, over all photographs and class by class. No TensorFlow here.

The intervals of differences are paired: groups of near-duplicates (or single photographs, if groups are not known) are
drawn with replacement, together with the answers of both models. There are N photographs and C classes.
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats import binomtest

from kfg.evaluation import clusters
from kfg.evaluation.predict import Predictions, check_answers

ALL, LOSS = "all photographs", "loss"  # names of groups; the other groups are class numbers


def compare(
    first: Predictions,
    second: Predictions,
    *,
    alike: Mapping[str, int] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict:
    """Compare the predictions of two models on the same photographs.

    Args:
        first, second: predictions with equal paths, labels and classes, in the same order.
        alike: path -> group of near-duplicates; a path that is not listed is a group of its own.
        resamples, seed, confidence: settings of the bootstrap.
    Returns:
        A dict, ready for JSON: `images`, `clusters` (number of groups of near-duplicates, null if they are not known),
        `confidence`, `resamples`, `seed`; `top1`, `macro_recall` and `loss`, each {"first", "second", "difference"} of
        {"value", "low", "high"}, where the difference is second - first; `lost`, `gained` and `otherwise`, positions of
        the photographs that only the first model predicts rightly, that only the second does, and that both predict
        wrongly but differently; `p`, of McNemar's exact test over groups; and `per_class`, a list with a dict for each
        class that has photographs: {"id", "name", "images", "first", "second" (recalls), "difference", "lost", "gained"
        (counts), "p", "adjusted" (p adjusted by Holm's method)}.
    Raises:
        ValueError: the predictions are on different photographs or have different classes.
        InputError: the predictions are not probabilities.
    """
    for one in (first, second):
        check_answers(one)
    if first.paths != second.paths or first.classes != second.classes or (first.labels != second.labels).any():
        raise ValueError("first, second: must be answers on the same photographs, of the same classes")
    count, cluster = clusters.of_paths(first.paths, alike)
    right = np.stack([one.predicted == one.labels for one in (first, second)])
    sums = _sums(first.labels, right, np.stack([first.losses, second.losses]), cluster, count)
    spread = clusters.bootstrap(sums, count, resamples, seed)
    classes = [group for group in sums if isinstance(group, int)]
    per_class = [_class(c, first, right, sums[c], spread[c], cluster, confidence) for c in classes]
    for row, adjusted in zip(per_class, holm([row["p"] for row in per_class]), strict=True):
        row["adjusted"] = adjusted
    recalls = np.array([_shares(sums[c]) for c in classes]).mean(axis=0)
    means = np.nanmean(np.stack([spread[c] for c in classes]), axis=0)
    both_wrong = ~right[0] & ~right[1] & (first.predicted != second.predicted)
    return {
        "images": len(first),
        "clusters": None if alike is None else count,
        "confidence": confidence,
        "resamples": resamples,
        "seed": seed,
        "top1": _figure(_shares(sums[ALL]), spread[ALL], count, confidence),
        "macro_recall": _figure(recalls, means, count, confidence),
        "loss": _figure(_shares(sums[LOSS]), spread[LOSS], None, confidence),
        "lost": np.flatnonzero(right[0] & ~right[1]).tolist(),
        "gained": np.flatnonzero(~right[0] & right[1]).tolist(),
        "otherwise": np.flatnonzero(both_wrong).tolist(),
        "p": sign_test(sums[ALL]),
        "per_class": per_class,
    }


def _sums(labels, right, losses, cluster, count) -> dict:
    """Return sums per cluster (see `clusters.sums_of`), float64 (3, G), for all photographs, losses, and each class."""
    sums = {ALL: clusters.sums_of(cluster, right, count), LOSS: clusters.sums_of(cluster, losses, count)}
    for c in np.unique(labels).tolist():
        mine = labels == c
        sums[c] = clusters.sums_of(cluster[mine], right[:, mine], count)
    return sums


def _shares(sums) -> np.ndarray:
    return sums[:2].sum(axis=1) / sums[2].sum()


def _class(c, answers, right, sums, spread, cluster, confidence) -> dict:
    mine = answers.labels == c
    figure = _figure(_shares(sums), spread, len(np.unique(cluster[mine])), confidence)
    return {
        "id": c,
        "name": answers.classes[c],
        "images": int(mine.sum()),
        **figure,
        "lost": int((right[0] & ~right[1] & mine).sum()),
        "gained": int((~right[0] & right[1] & mine).sum()),
        "p": sign_test(sums),
    }


def _figure(values, spread, count, confidence) -> dict:
    """Return the figures of both models and their difference, with intervals.

    `count` is the number of clusters; None: the figure is not a proportion.
    """
    if count is None:
        one, other = (clusters.interval(*pair, confidence) for pair in zip(values, spread, strict=True))
    else:
        one, other = (clusters.recall(*pair, count, confidence) for pair in zip(values, spread, strict=True))
    difference = clusters.interval(values[1] - values[0], spread[1] - spread[0], confidence)
    if count is not None:
        difference = clusters.apart(difference, other, one)
    return {"first": one, "second": other, "difference": difference}


def sign_test(sums) -> float:
    """Return the two-sided p of McNemar's exact test over groups of near-duplicates.

    A group gains if the second model predicts more of its photographs rightly than the first. If the models are equally
    good, as many groups gain as lose. If no group changed, p is 1.

    Args:
        sums: float (3, G), for each group the right answers of the first and of the second model, and its photographs.
    Source:
        McNemar 1947, Psychometrika 12:153; exact, by the binomial distribution.
    Example:
        >>> sign_test(np.array([[1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])), sign_test(np.ones((3, 5)))
        (0.625, 1.0)
    """
    gained, lost = int((sums[1] > sums[0]).sum()), int((sums[1] < sums[0]).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(values) -> list[float]:
    """Return p values adjusted by Holm's method: each bounds the chance that any of the tests is as small by luck.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6:65.
    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 1.0])]
        [0.04, 0.09, 0.09, 1.0]
    """
    values = np.asarray(values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted.tolist()
