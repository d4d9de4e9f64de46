"""Compare two models on the same photographs, over all photographs and class by class. No TensorFlow here.

The intervals of differences are paired: groups of near-duplicates (or single photographs, if groups are not known) are
drawn with replacement, together with the answers of both models. The intervals of a single model's shares are computed
as in its report (kfg.evaluation.metrics). There are N photographs and C classes.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.stats import binomtest

from kfg.evaluation import clusters, confusion, macro
from kfg.evaluation.intervals import effective_counts, wilson
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
    losses = np.stack([first.losses, second.losses])
    groups = {ALL: _Group.of(cluster, right), LOSS: _Group.of(cluster, losses)}
    groups |= {c: _Group.of(cluster[at], right[:, at]) for c, at in _positions(first.labels)}
    drawn = {name: clusters.among(group.at, group.sums, count) for name, group in groups.items()}
    spread = clusters.bootstrap(drawn, count, resamples, seed)
    classes = [name for name in groups if isinstance(name, int)]
    per_class = [_class(c, first, right, groups[c], spread[c], confidence) for c in classes]
    for row, adjusted in zip(per_class, holm([row["p"] for row in per_class]), strict=True):
        row["adjusted"] = adjusted
    worth = effective_counts(cluster, first.labels, len(first.classes))
    recalls = [
        macro.recall(
            confusion.confusion_matrix(one.labels, one.predicted, len(one.classes)),
            confidence=confidence,
            effective=worth,
        )
        for one in (first, second)
    ]
    means = np.nanmean(np.stack([spread[c] for c in classes]), axis=0)
    places, changes = (np.concatenate([getattr(groups[c], name) for c in classes]) for name in ("at", "changes"))
    changes = np.bincount(places, weights=changes, minlength=count) / len(classes)
    both_wrong = ~right[0] & ~right[1] & (first.predicted != second.predicted)
    return {
        "images": len(first),
        "clusters": None if alike is None else count,
        "confidence": confidence,
        "resamples": resamples,
        "seed": seed,
        "top1": _figure(groups[ALL].figures(confidence), groups[ALL].changes, spread[ALL], confidence),
        "macro_recall": _figure(
            recalls, changes, means, confidence, hidden=_hidden([groups[c] for c in classes], confidence)
        ),
        "loss": _loss(groups[LOSS].shares, spread[LOSS], confidence),
        "lost": np.flatnonzero(right[0] & ~right[1]).tolist(),
        "gained": np.flatnonzero(~right[0] & right[1]).tolist(),
        "otherwise": np.flatnonzero(both_wrong).tolist(),
        "p": sign_test(groups[ALL].sums),
        "per_class": per_class,
    }


@dataclasses.dataclass(frozen=True, eq=False)
class _Group:
    """The sums of some photographs, such as those of a class, over their K clusters.

    Only clusters that have such a photograph are kept, so all classes together take no more room than the photographs.

    Args:
        at: int (K,), the clusters.
        sums: float64 (3, K), see `clusters.sums_of`.
    """

    at: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, cluster, values) -> "_Group":
        """Make a group from the cluster of each photograph, int (M,), and both models' values on it, (2, M)."""
        at, number = np.unique(cluster, return_inverse=True)
        return cls(at, clusters.sums_of(number, values, len(at)))

    @property
    def shares(self) -> np.ndarray:
        """Float64 (2,), the mean value of each model."""
        return self.sums[:2].sum(axis=1) / self.sums[2].sum()

    def figures(self, confidence) -> list[dict]:
        """Return the share of each model with Wilson's bounds, as {"value", "low", "high"}."""
        count, worth = self.sums[2].sum(), float(self.sums[2].sum() ** 2 / (self.sums[2] ** 2).sum())
        bounds = [wilson(right, count, confidence, effective=worth) for right in self.sums[:2].sum(axis=1)]
        return [
            {"value": float(value), "low": low, "high": high}
            for value, (low, high) in zip(self.shares, bounds, strict=True)
        ]

    @property
    def changes(self) -> np.ndarray:
        """Float64 (K,), what each cluster adds to the difference of the shares."""
        return (self.sums[1] - self.sums[0]) / self.sums[2].sum()


def _positions(labels):
    """Yield each class that has photographs, in order, with their positions."""
    order = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[order], return_index=True)
    yield from zip(classes.tolist(), np.split(order, starts[1:]), strict=True)


def _class(c, answers, right, group, spread, confidence) -> dict:
    gained, lost = (int((one & (answers.labels == c)).sum()) for one in (right[1] & ~right[0], right[0] & ~right[1]))
    return {
        "id": c,
        "name": answers.classes[c],
        "images": int(group.sums[2].sum()),
        **_figure(group.figures(confidence), group.changes, spread, confidence),
        "lost": lost,
        "gained": gained,
        "p": sign_test(group.sums),
    }


def _hidden(groups, confidence) -> float:
    """Return the largest change of a mean over classes that may not show, in the rarest class or spread over all."""
    sizes = [len(group.at) for group in groups]
    alone = max(clusters.unseen(size, confidence) for size in sizes) / len(sizes)
    return max(alone, clusters.unseen(sum(sizes), confidence))


def _figure(figures, changes, spread, confidence, *, hidden: float | None = None) -> dict:
    """Return the shares of both models and their difference, with intervals.

    Args:
        figures: the shares with their bounds.
        changes: float (K,), what each cluster adds to their difference.
        spread: float (2, R), the shares in each resample.
        hidden: as for `clusters.difference`.
    """
    count, (one, other) = len(changes), figures
    difference = clusters.difference(changes, spread[1] - spread[0], count=count, confidence=confidence, hidden=hidden)
    difference["value"] = other["value"] - one["value"]  # without the rounding of a sum over clusters
    return {"first": one, "second": other, "difference": clusters.apart(difference, other, one)}


def _loss(values, spread, confidence) -> dict:
    one, other = (clusters.interval(*pair, confidence) for pair in zip(values, spread, strict=True))
    difference = clusters.interval(values[1] - values[0], spread[1] - spread[0], confidence)
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
