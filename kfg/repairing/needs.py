"""How much more photographs would help: recall as a function of the share learned from, and a range beyond it."""

import dataclasses
import hashlib
import math
import pathlib

import numpy as np
import scipy.stats

from kfg import files, tables
from kfg.augment import draws
from kfg.data import splits
from kfg.data.index import Index
from kfg.evaluation import clusters
from kfg.evaluation.intervals import effective_counts, wilson
from kfg.names import printable
from kfg.repairing.manner import Manner
from kfg.training import out_of_fold
from kfg.training.out_of_fold import Heads, Lesson

VERSION = 1  # of the measurement, part of the cache key; raise it when the measurement changes
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of each class's photographs that heads learn from
SEEDS = 2  # random choices of these photographs, whose results are averaged
RESAMPLES = 500
MORE = 2.0  # extrapolate to this many times as many photographs
FLATTEST, STEEPEST = 0.0, 1.0  # bounds of b in error ~ n ** -b: at best the error falls as 1 / n
_RANK = 11  # number that keeps this use's derived seed apart from others
TINY = 1e-6
CHANCE = 0.05  # the largest chance of calling a rise clear that is none, one-sided, for one class


@dataclasses.dataclass(frozen=True, eq=False)
class Needs:
    """The measured and the expected recall of a run's classes, with fewer and with more photographs.

    Args:
        classes: the C names.
        images: int (C,), number of photographs of each class.
        recall: float (S, C), recall of each class if heads learn from each of SHARES of every class's photographs.
        low, high: float (C,), bounds of the 95% interval of the recall with all photographs.
        exponent: (low, high), 95% range of b in error ~ n ** -b, fitted over all classes.
        expected: float (C, 2), bounds of the recall with MORE times as many photographs of every class. The lower one
            is never below today's recall.
        clear: bool (C,), whether the recall with all photographs is above that with the smallest share by more than
            chance explains, see `clear_rises`.
    """

    classes: tuple[str, ...]
    images: np.ndarray
    recall: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exponent: tuple[float, float]
    expected: np.ndarray
    clear: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Float (C,), how far the upper expected bound lies above today's recall."""
        return np.nan_to_num(self.expected[:, 1] - self.recall[-1])

    def rise(self, label: int) -> float:
        """Return how much a class's recall rose with the last two fifths of the photographs."""
        return float(self.recall[-1, label] - self.recall[SHARES.index(0.6), label])

    def said(self, label: int) -> str:
        """Return a clause on how the recall of one class grows with the share of the photographs learned from."""
        *first, last = (f"{100 * value:.0f}" for value in self.recall[:, label])
        rise = "a rise beyond chance" if self.clear[label] else "no clear rise"
        return (
            f"classifiers that learn from 20, 40, 60, 80 and 100% of the photographs recognise {', '.join(first)} and "
            f"{last}% of this class, which is {rise}; twice as many photographs of every class {self._more(label)}"
        )

    def _more(self, label: int) -> str:
        """Say what twice as many photographs may bring; where nothing is in the range too, say so."""
        low, high = self.bounds(label)
        if low is not None:
            return f"would raise it to {f'about {high}' if low == high else f'between {low} and {high}'}%"
        now = f"{100 * self.recall[-1, label]:.0f}"
        return f"may bring nothing, and at most {high}%" if high != now else "would bring next to nothing"

    def bounds(self, label: int) -> tuple[str | None, str]:
        """Return the bounds of the expected recall in percent; the lower is None where it is not above today's."""
        now, low, high = (f"{100 * value:.0f}" for value in (self.recall[-1, label], *self.expected[label]))
        return None if low == now else low, high

    def range(self, label: int) -> str:
        """Return the expected recall in percent for a cell of a table, such as "86 to 94" or "at most 94"."""
        low, high = self.bounds(label)
        if low == high:
            return f"about {high}"
        return f"at most {high}" if low is None else f"{low} to {high}"

    def as_json(self, label: int) -> dict:
        """Return the entry of one class for repair.json."""
        recall = {
            f"{share:.0%}": round(float(value), 4) for share, value in zip(SHARES, self.recall[:, label], strict=True)
        }
        return {
            "recall": recall,
            "clear rise": bool(self.clear[label]),
            "with twice as many": [round(float(bound), 4) for bound in self.expected[label]],
        }

    def order(self) -> np.ndarray:
        """Return the class numbers, those with the most to gain first."""
        return np.argsort(-self.gain, kind="stable")


def measured(index: Index, features, manner: Manner, *, cache_dir=None, left: float = math.inf) -> Needs:
    """Measure recall as a function of the share of photographs, and extrapolate to twice as many.

    All classes lose the same share of photographs, so a class's curve also reflects that the other classes have fewer.
    The error over all photographs is assumed to fall as a power of their number; that exponent is used for every class,
    because one class has too few photographs for a curve of its own.

    Args:
        index: N photographs, groups filled in.
        features: float32 (N, F).
        manner: how the heads learn.
        cache_dir: folder in which the measurement is kept, so that it is done only once; None: it is not kept.
        left: seconds that are left.
    Raises:
        TooLong: the measurement is not in the cache, and takes longer than is left.
    Source: the power law of learning curves, Hestness et al. 2017, arXiv:1712.00409.
    """
    right = _kept(index, features, manner, cache_dir, left)
    count = np.bincount(index.labels, minlength=len(index.classes))
    hits = np.stack([np.bincount(index.labels, weights=one, minlength=len(count)) for one in right.T])
    recall = clusters.share(hits, np.broadcast_to(count, hits.shape))
    low, high = wilson(hits[-1], count, effective=effective_counts(index.groups, index.labels, len(count)))
    flat, steep = _exponent(right, index.groups)
    # Each bound of today's error is taken with the exponent that moves it further out.
    worst, best = (1 - low) * MORE**-flat, (1 - high) * MORE**-steep
    now = 1 - recall[-1]
    expected = np.stack([1 - np.minimum(worst, now), 1 - np.minimum(best, now)], axis=1)
    clear = clear_rises(right, index.labels, index.groups, len(count))
    return Needs(index.classes, count, recall, low, high, (flat, steep), expected, clear)


def clear_rises(right, labels, groups, classes: int) -> np.ndarray:
    """Return for each class whether its recall with all photographs exceeds that with the fewest by more than chance.

    This is an exact sign test. Of the photographs whose answers the larger share made better or worse, so many must be
    better that chance would do this less than once in 20 times if better and worse were equally likely: five of five,
    seven of eight, ten of twelve. A group of near-duplicates counts as one photograph.

    Args:
        right: float (N, S), how often each photograph is recognised with each share, the smallest share first.
        labels, groups: int (N,).
        classes: C, the number of classes.
    Returns:
        bool (C,).
    """
    change, found = right[:, -1] - right[:, 0], np.zeros(classes, bool)
    for label in np.unique(labels):
        own = labels == label
        _, number = np.unique(groups[own], return_inverse=True)
        sums = np.bincount(number, weights=change[own])
        better, changed = int((sums > 0).sum()), int((sums != 0).sum())
        if changed:
            found[label] = scipy.stats.binomtest(better, changed, alternative="greater").pvalue < CHANCE
    return found


def _kept(index, features, manner, cache_dir, left) -> np.ndarray:
    """Return float32 (N, S), how often each photograph is recognised; read from the cache if it was measured before."""
    path = None if cache_dir is None else pathlib.Path(cache_dir) / f"shares-{_key(index, features, manner)}.float32"
    if path is not None and path.is_file() and path.stat().st_size == 4 * len(index) * len(SHARES):
        return np.fromfile(path, np.float32).reshape(len(index), len(SHARES))
    right = [_right(index, features, manner, 0, left / SEEDS)]
    right += [_right(index, features, manner, seed, math.inf) for seed in range(1, SEEDS)]
    found = np.mean(right, axis=0, dtype=np.float32)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path, "wb") as file:
            file.write(found.tobytes())
    return found


def _key(index, features, manner) -> str:
    """Return a hash of everything that decides the result of the measurement."""
    made = (VERSION, SHARES, SEEDS, manner.sampling, sorted(manner.loss.get_config().items()))
    found = hashlib.sha256(repr(made).encode())
    for array in (index.labels, index.groups, features):
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:32]


def _right(index, features, manner, seed, limit) -> np.ndarray:
    """Return bool (N, S), whether the head of a photograph's fold recognises it after learning from each share."""
    folds = min(out_of_fold.FOLDS, len(set(index.groups.tolist())))
    fold_of = np.asarray(splits.fold_of_each_image(index, k=folds, seed=seed))
    rank = ranks(index.labels, fold_of, seed)
    visible = fold_of[:, None] != np.arange(folds)
    weights = np.concatenate([visible & (rank < share) for share in SHARES], axis=1)
    lesson = Lesson(
        rows=features,
        labels=index.labels,
        weights=weights * manner.weights(index.labels)[:, None],
        shown=lambda epoch: draws.shuffled(seed, epoch=epoch, positions=np.arange(len(index))),
    )
    heads = Heads(features.shape[1], weights.shape[1], len(index.classes))
    heads.learn(lesson, loss=manner.loss, steps=out_of_fold.steps_for(len(index)), limit=limit)
    own = (heads.ask(features, fold_of + folds * number) for number in range(len(SHARES)))
    return np.stack([one.argmax(axis=1) == index.labels for one in own], axis=1)


def ranks(labels, fold_of, seed) -> np.ndarray:
    """Return float (N, K), for each fold the relative rank of a photograph among those of its class outside the fold.

    Ranks are random and in [0, 1); the photographs with a rank below `share` make up that share of the class. The first
    photograph has rank 0, so it is always taken. Photographs inside the fold have 1.

    Args:
        labels, fold_of: int (N,).
        seed: int >= 0, decides the order.
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
    """Return bounds of b in error ~ share ** -b, fitted over all photographs, by a bootstrap of groups."""
    count, of_image = clusters.of_paths(range(len(right)), {str(i): g for i, g in enumerate(groups)})
    sums = [np.bincount(of_image, weights=one, minlength=count) for one in (*right.T, np.ones(len(right)))]
    spread = clusters.bootstrap({"all": np.stack(sums)}, count, RESAMPLES, 0)["all"]  # (SHARES, RESAMPLES)
    errors = np.log(np.maximum(1 - spread, TINY))
    slopes = -np.polyfit(np.log(SHARES), errors, 1)[0]
    low, high = np.clip(np.quantile(slopes, [0.025, 0.975]), FLATTEST, STEEPEST)
    return float(low), float(high)


def table(found: Needs) -> str:
    """Return a table with a line for each class, those with the most to gain first."""
    rows = []
    for at in found.order():
        if not found.images[at]:
            continue
        curve = [f"{100 * value:.0f}" for value in found.recall[:, at]]
        name, rise = printable(found.classes[at]), "yes" if found.clear[at] else "no"
        rows.append((name, str(found.images[at]), *curve, rise, found.range(at)))
    shares = [f">{share:.0%}" for share in SHARES]
    return tables.text(("class", ">images", *shares, "clear rise", "with twice as many"), rows)


NOTE = (
    "In percent: the recall of classifiers that learn from these shares of the training and validation photographs, on "
    "those that they have not seen. A rise is clear if the recall at 100% exceeds that at 20% by more than chance "
    'explains for so few photographs. Where the last column says "at most", twice as many may also bring nothing.'
)
