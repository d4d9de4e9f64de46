"""What more photographs would bring: recall over the share of photographs learned from, and a range beyond it."""

import dataclasses

import numpy as np

from kfg.augment import draws
from kfg.data import splits
from kfg.evaluation import clusters
from kfg.evaluation.intervals import wilson
from kfg.names import printable
from kfg.repairing.findings import Diagnosis
from kfg.training import out_of_fold
from kfg.training.out_of_fold import Heads, Lesson

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of each class's photographs
SEEDS = 2  # choices of them
RESAMPLES = 500
MORE = 2.0  # times as many photographs
FLATTEST, STEEPEST = 0.0, 1.0  # exponents of an error that falls with the number of photographs: 1 / n at the best
_RANK = 11  # purpose of a derived seed
TINY = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Needs:
    """What a run's classes would gain by more photographs.

    Args:
        classes: C names.
        images: int (C,), photographs of each.
        recall: float (S, C), recall where heads learn from each of SHARES of the photographs of every class.
        low, high: float (C,), bounds of the 95 % interval of the recall of all photographs.
        exponent: (low, high), the range of b in error ~ n ** -b over all classes, 95 %.
        expected: float (C, 2), bounds of the recall with MORE times as many photographs of every class.
    """

    classes: tuple[str, ...]
    images: np.ndarray
    recall: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exponent: tuple[float, float]
    expected: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Float (C,), the points of recall that lie between now and the better bound."""
        return np.nan_to_num(self.expected[:, 1] - self.recall[-1])

    def order(self) -> np.ndarray:
        """Return the classes, those first that have most to gain."""
        return np.argsort(-self.gain, kind="stable")


def needs(found: Diagnosis) -> Needs:
    """Measure recall over the share of photographs, and say what twice as many would bring.

    All classes are cut alike, so a class's curve holds what its neighbours lack, too. The error of all is taken to fall
    as a power of the number of photographs; a class's own curve is of too few photographs to be believed alone.

    Source: the power law of learning curves, Hestness et al. 2017, arXiv:1712.00409.
    """
    index, features = found.crossed.index, found.eyes.plain()
    right = np.mean([_right(index, features, found.loss, seed) for seed in range(SEEDS)], axis=0)  # (N, S)
    count = np.bincount(index.labels, minlength=len(index.classes))
    hits = np.stack([np.bincount(index.labels, weights=one, minlength=len(count)) for one in right.T])
    recall = clusters.share(hits, np.broadcast_to(count, hits.shape))
    low, high = wilson(hits[-1], count)
    flat, steep = _exponent(right, index.groups)
    # the bounds of today's error, each with the exponent that takes it further out
    worst, best = (1 - low) * MORE**-flat, (1 - high) * MORE**-steep
    now = 1 - recall[-1]
    expected = np.stack([1 - np.minimum(worst, now), 1 - np.minimum(best, now)], axis=1)
    return Needs(index.classes, count, recall, low, high, (flat, steep), expected)


def _right(index, features, loss, seed) -> np.ndarray:
    """Return float (N, S), whether each photograph is recognised by the head of its fold that learned from a share."""
    folds = min(out_of_fold.FOLDS, len(set(index.groups.tolist())))
    fold_of = np.asarray(splits.fold_of_each_image(index, k=folds, seed=seed))
    rank = ranks(index.labels, fold_of, seed)
    visible = fold_of[:, None] != np.arange(folds)
    weights = np.concatenate([visible & (rank < share) for share in SHARES], axis=1).astype(np.float32)
    lesson = Lesson(
        rows=features,
        labels=index.labels,
        weights=weights,
        shown=lambda epoch: draws.shuffled(seed, epoch=epoch, positions=np.arange(len(index))),
    )
    heads = Heads(features.shape[1], weights.shape[1], len(index.classes))
    heads.learn(lesson, loss=loss, steps=out_of_fold.steps_for(len(index)))
    own = (heads.ask(features, fold_of + folds * number) for number in range(len(SHARES)))
    return np.stack([one.argmax(axis=1) == index.labels for one in own], axis=1)


def ranks(labels, fold_of, seed) -> np.ndarray:
    """Return float (N, K): where among the photographs of its class that a fold's head may see each one stands.

    0 is the first of them, and below `share` stand that share of them; the first is always taken.

    Args:
        labels, fold_of: int (N,).
        seed: int >= 0, of the order.
    """
    folds = int(fold_of.max()) + 1
    order = draws.shuffled(draws.derived_seed(seed, _RANK), epoch=0, positions=np.arange(len(labels)))
    found = np.ones((len(labels), folds))
    for fold in range(folds):
        for label in np.unique(labels):
            own = order[(labels[order] == label) & (fold_of[order] != fold)]
            found[own, fold] = np.arange(len(own)) / max(1, len(own))
    return found


def _exponent(right, groups) -> tuple[float, float]:
    """Return bounds of b in error ~ share ** -b over all photographs, by a bootstrap of groups."""
    count, of_image = clusters.of_paths(range(len(right)), {str(i): g for i, g in enumerate(groups)})
    sums = [np.bincount(of_image, weights=one, minlength=count) for one in (*right.T, np.ones(len(right)))]
    spread = clusters.bootstrap({"all": np.stack(sums)}, count, RESAMPLES, 0)["all"]  # (S, R)
    errors = np.log(np.maximum(1 - spread, TINY))
    slopes = -np.polyfit(np.log(SHARES), errors, 1)[0]
    low, high = np.clip(np.quantile(slopes, [0.025, 0.975]), FLATTEST, STEEPEST)
    return float(low), float(high)


def table(found: Needs) -> str:
    """Return a line for each class, those with most to gain first."""
    width = max(5, *(len(printable(name)) for name in found.classes))
    heads = "  ".join(f"{share:>4.0%}" for share in SHARES)
    lines = [f"{'class':<{width}}  images  {heads}  with twice as many"]
    for at in found.order():
        if not found.images[at]:
            continue
        curve = "  ".join(f"{100 * value:4.0f}" for value in found.recall[:, at])
        low, high = found.expected[at]
        name = printable(found.classes[at])
        lines.append(f"{name:<{width}}  {found.images[at]:>6}  {curve}  {100 * low:.0f} to {100 * high:.0f}")
    return "\n".join(lines)
