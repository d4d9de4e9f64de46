"""Answers of heads on photographs that they have not seen, on frozen features, and the labels they contradict."""

import dataclasses
import functools
import math
import time

import numpy as np

from kfg.data import splits
from kfg.data.index import Index
from kfg.errors import InputError
from kfg.evaluation.calibration import calibrated
from kfg.repairing.manner import Manner
from kfg.training import out_of_fold

REPEATS = 2  # independent divisions into folds; their answers are averaged
CONTRADICTED = 0.05  # a label of a lower probability is contradicted; see recipes/repair/README.md
SHARPNESS = 4  # of `suspicion`: how much one firm other answer counts beside an improbable label
TINY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Crossed:
    """N photographs, each answered by heads that have seen neither it nor its near-duplicates.

    Args:
        index: N photographs of C classes.
        answers: float32 (N, C), calibrated probabilities, of heads that learned from all labels of the other folds.
        cleaned: the same, but of heads that did not learn from the labels that `answers` contradict. Use these only to
            judge labels: leaving out contradicted photographs makes classes look easier to tell apart than they are.
        said: a sentence on what was left out because time was short; "" if nothing was.
    """

    index: Index
    answers: np.ndarray
    cleaned: np.ndarray
    said: str = ""

    @functools.cached_property
    def right(self) -> np.ndarray:
        """Bool (N,), whether the likeliest class is the label."""
        return self.answers.argmax(axis=1) == self.index.labels

    @functools.cached_property
    def likelier(self) -> np.ndarray:
        """Int (N,), the likeliest class other than the label."""
        return _others(self.cleaned, self.index.labels).argmax(axis=1)

    @functools.cached_property
    def margins(self) -> np.ndarray:
        """Float (N,) in [-1, 1], the label's probability minus that of the likeliest other class."""
        return margins(self.cleaned, self.index.labels)

    @functools.cached_property
    def label_probability(self) -> np.ndarray:
        """Float (N,), the probability of the label."""
        return label_probability(self.cleaned, self.index.labels)

    @functools.cached_property
    def suspicion(self) -> np.ndarray:
        """Float (N,) in [0, 1], how suspicious a label is: q^4 / (q^4 + p).

        p is the probability of the label, and q that of the likeliest other class. A label of any wrong class has a p
        near 0; for a label of a look-alike class p is larger, and what tells is that q is near 1.
        """
        firm = _others(self.cleaned, self.index.labels).max(axis=1).astype(np.float64) ** SHARPNESS
        return firm / np.maximum(firm + self.label_probability, TINY)

    def expected(self, label) -> float:
        """Return how many labels of a class would be contradicted if the calibrated answers were right about labels."""
        probability = self.cleaned[:, label]
        return float(probability[probability < CONTRADICTED].sum())

    def suspects(self) -> np.ndarray:
        """Return int (K,), the positions of the photographs whose label is contradicted, the most suspicious first."""
        return self._contradicted

    @functools.cached_property
    def _contradicted(self) -> np.ndarray:
        worst = np.argsort(-self.suspicion, kind="stable")
        return worst[self.label_probability[worst] < CONTRADICTED]


def crossed(index: Index, features, manner: Manner, *, mirrored=None, seed: int = 0, left: float = math.inf) -> Crossed:
    """Answer each photograph by heads that have not seen it, in two passes.

    The second pass does not learn from the labels that the first one contradicts: a wrong label would bias the head
    that judges similar photographs. If time is short, the photographs are divided into folds once instead of twice; if
    that is not enough, there is no second pass. The pace of the first division decides.

    Args:
        index: N photographs, groups filled in; copies and near-duplicates share a fold.
        features: float32 (N, F), of a frozen trunk that was trained on other photographs.
        manner: how the heads learn and answer.
        mirrored: float32 (N, F), features of the mirror images, if the manner averages over them.
        seed: int >= 0.
        left: seconds that are left.
    Raises:
        InputError: fewer than two groups of photographs.
        TooLong: even one division, first pass only, takes longer than is left.
    """
    began = time.monotonic()
    asked = [np.asarray(one, np.float32).reshape(len(index), -1) for one in (features, mirrored) if one is not None]
    division = functools.partial(_division, index, asked, manner, _folds(index))
    repeats = [*range(seed * REPEATS, (seed + 1) * REPEATS)]
    answers = [division(repeats[0], limit=left)]
    each = time.monotonic() - began
    more = math.inf if left == math.inf else (left - each) // each  # further divisions that fit into the time left
    if more < REPEATS * 2 - 1:
        repeats = repeats[:1]
    answers += [division(repeat) for repeat in repeats[1:]]
    first = manner.raised(calibrated(sum(answers) / len(answers), index.labels))
    believed = np.flatnonzero(margins(first, index.labels) > 0)
    said = _left_out(repeats, more)
    if more < 1 or len(np.unique(index.labels[believed])) < len(np.unique(index.labels)):
        return Crossed(index, first, first, said)  # else a second pass: there is no time, or a class would be gone
    answers = [division(repeat, shown=believed) for repeat in repeats]
    return Crossed(index, first, manner.raised(calibrated(sum(answers) / len(answers), index.labels)), said)


def _left_out(repeats, more) -> str:
    """Return a sentence on what was left out because time was short; "" if nothing was."""
    if len(repeats) == REPEATS:
        return ""
    passes = "" if more >= 1 else ", and labels are judged by classifiers that have learned from all labels"
    return f"For lack of time, the photographs were divided into folds only once, not {REPEATS} times{passes}."


def _others(answers, labels) -> np.ndarray:
    """Return a copy of the answers in which the label's own probability is replaced by -1."""
    others = answers.copy()
    others[np.arange(len(others)), labels] = -1
    return others


def label_probability(answers, labels) -> np.ndarray:
    """Return float (N,), the probability that answers (N, C) give to the labels."""
    return answers[np.arange(len(answers)), labels]


def margins(answers, labels) -> np.ndarray:
    return label_probability(answers, labels) - _others(answers, labels).max(axis=1)


def _folds(index) -> int:
    """Return the number of folds.

    Raises:
        InputError: there cannot be two folds.
    """
    folds = min(out_of_fold.FOLDS, len(set(index.groups.tolist())))
    if folds < 2:
        raise InputError(
            f"{index.root}: all photographs are near-duplicates of each other, so nothing can be judged; add different "
            "photographs"
        )
    return folds


def _division(index, asked, manner, folds, repeat, *, shown=None, limit=math.inf) -> np.ndarray:
    """Return the answers for one division into folds; `shown` are the photographs to learn from, default all."""
    return out_of_fold.answers(
        asked[0],
        index.labels,
        splits.fold_of_each_image(index, k=folds, seed=repeat),
        num_classes=len(index.classes),
        loss=manner.loss,
        seed=repeat,
        shown=manner.order(index.labels, np.arange(len(index)) if shown is None else shown, repeat),
        asked=asked,
        limit=limit,
    )
