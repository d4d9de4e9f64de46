"""What remedies are tried on: the features of a run's photographs, in one division into folds."""

import dataclasses
import functools
import itertools

import numpy as np

from kfg.augment import draws
from kfg.evaluation import posthoc
from kfg.training import out_of_fold
from kfg.training.out_of_fold import Heads, Lesson

_VIEW = 7  # purpose of a derived seed


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """Pictures of two photographs each.

    Args:
        rows: float32 (P, F).
        first, second: int (P,), positions of the photographs.
        share: float (P,) in [0, 1], of the picture that shows the first.
    """

    rows: np.ndarray
    first: np.ndarray
    second: np.ndarray
    share: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """Features of N photographs; what is None was not computed, and remedies that need it are not tried.

    Args:
        plain: float32 (N, F), of the photographs.
        views: float32 (V, N, F), of augmented pictures of them.
        mirrored: float32 (N, F), of the photographs turned left to right.
        second, second_mirrored: float32 (N, G), of another trunk.
        larger: float32 (N, F), of larger pictures.
        mixed: pictures of weak classes and of those that take their photographs, mixed.
    """

    plain: np.ndarray
    views: np.ndarray | None = None
    mirrored: np.ndarray | None = None
    second: np.ndarray | None = None
    second_mirrored: np.ndarray | None = None
    larger: np.ndarray | None = None
    mixed: Mixed | None = None

    def has(self, *names: str) -> bool:
        return all(getattr(self, name) is not None for name in names)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """N photographs of C classes, in K folds.

    Args:
        seen: their features.
        labels: int (N,).
        classes: C.
        fold_of: int (N,) in [0, K); near-duplicates share one.
        weak: the classes that a remedy is to help.
        takers: weak class -> the class that takes most of its photographs; those that none takes are left out.
        loss: of the heads.
        seed: int >= 0, of the order in which rows are shown.
    """

    seen: Seen
    labels: np.ndarray
    classes: int
    fold_of: np.ndarray
    weak: tuple[int, ...]
    takers: dict[int, int]
    loss: object
    seed: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def folds(self) -> int:
        return int(self.fold_of.max()) + 1

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Int (C,), photographs of each class."""
        return np.bincount(self.labels, minlength=self.classes)

    def of(self, labels) -> np.ndarray:
        """Return the positions of some classes' photographs."""
        return np.flatnonzero(np.isin(self.labels, list(labels)))

    def shuffled(self, epoch, rows) -> np.ndarray:
        return draws.shuffled(self.seed, epoch=epoch, positions=rows)

    @functools.cached_property
    def visible(self) -> np.ndarray:
        """Float32 (N, K), 1 where a fold's head may see a photograph."""
        return (self.fold_of[:, None] != np.arange(self.folds)).astype(np.float32)

    def lesson(self, rows=None, **changes) -> Lesson:
        """Return what heads learn if nothing is done, or with `changes` to it; `rows` are other features."""
        made = {
            "rows": self.seen.plain if rows is None else rows,
            "labels": self.labels,
            "weights": self.visible,
            "shown": lambda epoch: self.shuffled(epoch, np.arange(len(self))),
        }
        return Lesson(**(made | changes))

    def taught(self, lesson, *, loss=None) -> Heads:
        """Return heads that have learned it; all learn for the same number of steps."""
        heads = Heads(lesson.rows.shape[1], lesson.weights.shape[1], self.classes)
        return heads.learn(lesson, loss=loss or self.loss, steps=out_of_fold.steps_for(len(self)))

    def answers(self, lesson, *, asked=None, loss=None) -> np.ndarray:
        """Teach heads, and return what each photograph's own answers: probabilities float32 (N, C).

        Args:
            asked: features (N, F), or several of them, whose answers are averaged; default the photographs'.
        """
        heads = self.taught(lesson, loss=loss)
        asked = [self.seen.plain] if asked is None else asked
        return np.mean([heads.ask(features, self.fold_of) for features in asked], axis=0)

    @functools.cached_property
    def untreated(self) -> np.ndarray:
        """Float32 (N, C), the answers where nothing is done."""
        return self.answers(self.lesson())

    @functools.cached_property
    def inner(self) -> np.ndarray:
        """Float32 (K, N, C), see `inner_of`, where nothing is done."""
        return self.inner_of(self.seen.plain)

    def inner_of(self, rows) -> np.ndarray:
        """Return for each fold the answers on the other folds' photographs by heads that have seen neither.

        What is decided for a fold by these (a bias, which labels are wrong) has not seen the fold.

        Args:
            rows: float32 (N, F), features.
        Returns:
            float32 (K, N, C); rows of the fold itself are NaN.
        """
        pairs = list(itertools.combinations(range(self.folds), 2))
        hidden = np.array([[fold in pair for pair in pairs] for fold in range(self.folds)])  # (K, pairs)
        answered = self.taught(self.lesson(rows, weights=(~hidden[self.fold_of]).astype(np.float32))).ask(rows)
        found = np.full((self.folds, len(self), self.classes), np.nan, np.float32)
        for number, (a, b) in enumerate(pairs):
            for fold, other in ((a, b), (b, a)):
                at = np.flatnonzero(self.fold_of == other)
                found[fold, at] = answered[at, number]
        return found

    # rows of `stacked`: photograph i is row i, its view v (from 1) row v N + i
    @functools.cached_property
    def stacked(self) -> np.ndarray:
        """Float32 ((V + 1) N, F), the photographs and their views."""
        return np.concatenate([self.seen.plain, *self.seen.views])

    def on_views(self, shown, **changes) -> Lesson:
        """Return a lesson on photographs and views; `shown` gives rows of `stacked`."""
        times = len(self.seen.views) + 1
        made = {"labels": np.tile(self.labels, times), "weights": np.tile(self.visible, (times, 1)), "shown": shown}
        return self.lesson(self.stacked, **(made | changes))

    def any_view(self, epoch, chances) -> np.ndarray:
        """Return a row for each photograph: one of its views with its chance (N,) in [0, 1], else the photograph."""
        where = np.arange(len(self))
        drawn = draws.uniforms(draws.derived_seed(self.seed, _VIEW), epoch=epoch, positions=where, count=2)
        view = 1 + np.minimum((drawn[:, 1] * len(self.seen.views)).astype(int), len(self.seen.views) - 1)
        return np.where(drawn[:, 0] < chances, view, 0) * len(self) + where

    @property
    def usual_chance(self) -> float:
        """How often a view is shown where photographs and views are alike."""
        return len(self.seen.views) / (len(self.seen.views) + 1)


def shifted(answers, log_factors) -> np.ndarray:
    """Return answers (N, C) times a factor for each class, scaled to sum 1."""
    return posthoc.softmax(np.log(np.maximum(answers, posthoc.SMALLEST)) + log_factors)
