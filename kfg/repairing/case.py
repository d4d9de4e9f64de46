"""A case: the features of a run's photographs, with one division into folds. Remedies are tried on cases."""

import dataclasses
import functools
import itertools

import numpy as np

from kfg.augment import draws
from kfg.evaluation import calibration
from kfg.repairing.manner import Manner
from kfg.training import out_of_fold
from kfg.training.out_of_fold import Heads, Lesson

_VIEW = 7  # number that keeps this use's derived seed apart from others


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """Features of pictures that are each cut together from two photographs.

    Args:
        rows: float32 (P, F), the features.
        first, second: int (P,), positions of the two photographs.
        share: float (P,) in [0, 1], share of the picture that shows the first photograph.
    """

    rows: np.ndarray
    first: np.ndarray
    second: np.ndarray
    share: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """Features of N photographs. A field that was not computed is None; remedies that need it are not tried.

    Args:
        plain: float32 (N, F), of the photographs themselves.
        views: float32 (V, N, F), of V augmented pictures of each photograph.
        mirrored: float32 (N, F), of the photographs flipped left to right.
        second, second_mirrored: float32 (N, G), of a second trunk.
        larger: float32 (N, F), of the photographs at a larger size.
        mixed: features of pictures cut together from a photograph of a weak class and one of the class it is mistaken
            for.
        missing: name of a field that was not computed -> why.
    """

    plain: np.ndarray
    views: np.ndarray | None = None
    mirrored: np.ndarray | None = None
    second: np.ndarray | None = None
    second_mirrored: np.ndarray | None = None
    larger: np.ndarray | None = None
    mixed: Mixed | None = None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)

    def has(self, *names: str) -> bool:
        return all(getattr(self, name) is not None for name in names)

    @functools.cached_property
    def stacked(self) -> np.ndarray:
        """Float32 ((V + 1) N, F), photographs and views: photograph i is row i, its view v (from 1) is row v N + i."""
        return np.concatenate([self.plain, *self.views])


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """N photographs of C classes, divided into K folds.

    Args:
        seen: the features of the photographs.
        labels: int (N,).
        classes: C, the number of classes.
        fold_of: int (N,) in [0, K), the fold of each photograph; near-duplicates share one.
        weak: the classes that a remedy should help.
        takers: weak class -> the class that its photographs are most often mistaken for; classes without mistakes are
            left out.
        manner: how the run's own net learns and answers; the heads do the same.
        seed: int >= 0, decides the order in which rows are shown.
        confirmed: positions of the photographs whose label a person has confirmed; no remedy may doubt it.
    """

    seen: Seen
    labels: np.ndarray
    classes: int
    fold_of: np.ndarray
    weak: tuple[int, ...]
    takers: dict[int, int]
    manner: Manner
    seed: int = 0
    confirmed: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def folds(self) -> int:
        return int(self.fold_of.max()) + 1

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Int (C,), the number of photographs of each class."""
        return np.bincount(self.labels, minlength=self.classes)

    def of(self, labels) -> np.ndarray:
        """Return the positions of the photographs of some classes."""
        return np.flatnonzero(np.isin(self.labels, list(labels)))

    @functools.cached_property
    def doubtful(self) -> np.ndarray:
        """Bool (N,), the photographs whose label nobody has confirmed."""
        return ~np.isin(np.arange(len(self)), list(self.confirmed))

    def shuffled(self, epoch, rows) -> np.ndarray:
        return draws.shuffled(self.seed, epoch=epoch, positions=rows)

    @functools.cached_property
    def visible(self) -> np.ndarray:
        """Float32 (N, K), 1 where the head of a fold may learn from a photograph, else 0."""
        return (self.fold_of[:, None] != np.arange(self.folds)).astype(np.float32)

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Float32 (N, K), weight of a photograph for a fold's head: 0, or as often as the run's sampling shows it."""
        return self.visible * self.manner.weights(self.labels)[:, None]

    def lesson(self, rows=None, **changes) -> Lesson:
        """Return the lesson of untreated heads, or a changed one: `rows` are other features, `changes` other fields."""
        made = {
            "rows": self.seen.plain if rows is None else rows,
            "labels": self.labels,
            "weights": self.weights,
            "shown": lambda epoch: self.shuffled(epoch, np.arange(len(self))),
        }
        return Lesson(**(made | changes))

    def taught(self, lesson, *, loss=None) -> Heads:
        """Return heads trained on the lesson; whatever the lesson, the number of steps is the same."""
        heads = Heads(lesson.rows.shape[1], lesson.weights.shape[1], self.classes)
        return heads.learn(lesson, loss=loss or self.manner.loss, steps=out_of_fold.steps_for(len(self)))

    def answers(self, lesson, *, asked=None, loss=None) -> np.ndarray:
        """Train heads; return each photograph's answer by the head that has not seen it: probabilities float32 (N, C).

        Args:
            asked: features (N, F) to answer on, or a list of them, whose answers are averaged; default those of the
                photographs.
        """
        return self.told(self.taught(lesson, loss=loss), self.asked if asked is None else asked)

    def told(self, heads: Heads, asked) -> np.ndarray:
        """Return each photograph's answer by the head that has not seen it, averaged over a list of features (N, F)."""
        return self.raised(np.mean([heads.ask(features, self.fold_of) for features in asked], axis=0))

    def forget(self) -> None:
        """Free the memory of what only trials need; it is computed again if it is asked for."""
        for name in ("inner", "second_inner"):
            self.__dict__.pop(name, None)  # where functools.cached_property keeps it

    @functools.cached_property
    def heads(self) -> Heads:
        """Heads without any remedy; several remedies change only what they are asked."""
        return self.taught(self.lesson())

    @functools.cached_property
    def second_heads(self) -> Heads:
        """The same, on the features of the second trunk."""
        return self.taught(self.lesson(self.seen.second))

    def raised(self, answers) -> np.ndarray:
        """Return the answers after adding the run's own bias, which is on the scale of calibrated answers."""
        return self.manner.raised(answers, temperature=self.temperature)

    @functools.cached_property
    def temperature(self) -> float:
        """The temperature of heads' answers; 1 if nothing needs it."""
        if self.manner.bias is None:
            return 1.0
        answers = np.mean([self.heads.ask(features, self.fold_of) for features in self.asked], axis=0)
        return calibration.temperature(answers, self.labels)

    @property
    def asked(self) -> list[np.ndarray]:
        """Features (N, F) of what the run's own net answers on: the photographs, or also their mirror images."""
        return [self.seen.plain, self.seen.mirrored] if self.manner.mirrored else [self.seen.plain]

    @functools.cached_property
    def untreated(self) -> np.ndarray:
        """Float32 (N, C), the answers without any remedy."""
        return self.told(self.heads, self.asked)

    @functools.cached_property
    def inner(self) -> np.ndarray:
        """Float32 (K, N, C), the result of `inner_of` without any remedy."""
        return self.inner_of(self.seen.plain, asked=self.asked)

    @functools.cached_property
    def second_inner(self) -> np.ndarray:
        """Float32 (K, N, C), the same on the features of the second trunk."""
        return self.inner_of(self.seen.second)

    def inner_of(self, rows, *, asked=None) -> np.ndarray:
        """Return, for each fold, answers on the other folds' photographs by heads that were trained without that fold.

        They are for decisions such as a bias, or which labels are wrong: a decision for a fold may not depend on the
        fold. Each head leaves out two folds, the one decided for and the one of the photograph it answers.

        Args:
            rows: float32 (N, F), features to train on.
            asked: features (N, F) to answer on, or a list of them, whose answers are averaged; default `rows`.
        Returns:
            float32 (K, N, C); row k is NaN for the photographs that lie in fold k.
        """
        pairs = list(itertools.combinations(range(self.folds), 2))
        hidden = np.array([[fold in pair for pair in pairs] for fold in range(self.folds)])  # (K, pairs)
        weights = ~hidden[self.fold_of] * self.manner.weights(self.labels)[:, None]
        heads = self.taught(self.lesson(rows, weights=weights))
        answered = self.raised(np.mean([heads.ask(one) for one in asked or [rows]], axis=0))
        found = np.full((self.folds, len(self), self.classes), np.nan, np.float32)
        for number, (a, b) in enumerate(pairs):
            for fold, other in ((a, b), (b, a)):
                at = np.flatnonzero(self.fold_of == other)
                found[fold, at] = answered[at, number]
        return found

    def on_views(self, shown, **changes) -> Lesson:
        """Return a lesson on photographs and their views; `shown` is a function epoch -> rows of `Seen.stacked`."""
        times = len(self.seen.views) + 1
        made = {"labels": np.tile(self.labels, times), "weights": np.tile(self.weights, (times, 1)), "shown": shown}
        return self.lesson(self.seen.stacked, **(made | changes))

    def any_view(self, epoch, chances) -> np.ndarray:
        """Return one row for each photograph: with its chance, (N,) in [0, 1], a random view of it, else itself."""
        where = np.arange(len(self))
        drawn = draws.uniforms(draws.derived_seed(self.seed, _VIEW), epoch=epoch, positions=where, count=2)
        view = 1 + np.minimum((drawn[:, 1] * len(self.seen.views)).astype(int), len(self.seen.views) - 1)
        return np.where(drawn[:, 0] < chances, view, 0) * len(self) + where

    @property
    def usual_chance(self) -> float:
        """The chance of showing a view if a photograph is to count as much as each of its views."""
        return len(self.seen.views) / (len(self.seen.views) + 1)
