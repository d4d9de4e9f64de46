"""What heads on frozen features answer on photographs that they have not seen, and which labels that speaks against."""

import dataclasses

import numpy as np

from kfg.augment import draws
from kfg.data import splits
from kfg.data.folder import Index
from kfg.errors import InputError
from kfg.evaluation import posthoc
from kfg.training import out_of_fold

REPEATS = 2  # divisions into folds; their answers are averaged
TEMPERATURES = np.geomspace(0.5, 8, 33)
CONTRADICTED = -0.6  # a margin below this speaks against the label; see recipes/repair/README.md


@dataclasses.dataclass(frozen=True, eq=False)
class Crossed:
    """Photographs, each answered by heads that have seen neither it nor its near-duplicates.

    Args:
        index: N photographs of C classes.
        answers: float32 (N, C), calibrated probabilities, of heads that learned from all other labels.
        cleaned: the same of heads that did not learn from the labels that `answers` contradict. Labels are judged by
            these, and nothing else: what one pass leaves out for the next makes classes look further apart.
    """

    index: Index
    answers: np.ndarray
    cleaned: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Bool (N,), whether the likeliest class is the label."""
        return self.answers.argmax(axis=1) == self.index.labels

    @property
    def doubtful(self) -> np.ndarray:
        """Bool (N,), whether a photograph could firmly be called neither its class nor another."""
        return np.abs(margins(self.answers, self.index.labels)) < -CONTRADICTED

    @property
    def likelier(self) -> np.ndarray:
        """Int (N,), the likeliest class besides the label."""
        return _others(self.cleaned, self.index.labels).argmax(axis=1)

    @property
    def margins(self) -> np.ndarray:
        """Float (N,) in [-1, 1], the label's probability less that of the likeliest other class."""
        return margins(self.cleaned, self.index.labels)

    def suspects(self) -> np.ndarray:
        """Return int (K,), the photographs whose label is contradicted, the worst first."""
        worst = np.argsort(self.margins, kind="stable")
        return worst[self.margins[worst] < CONTRADICTED]


def crossed(index: Index, features, *, loss, seed: int = 0) -> Crossed:
    """Answer each photograph by heads that have not seen it, in two passes.

    The second pass does not learn from the labels that the first one contradicts: a wrong label bends the head that
    judges its neighbours.

    Args:
        index: N photographs, groups filled; copies and near-duplicates share a fold.
        features: float32 (N, F), of a frozen trunk that was trained on other photographs.
        loss: of the heads, as `kfg.training.losses.CrossEntropy`.
        seed: int >= 0.
    Raises:
        InputError: fewer than two groups of photographs.
    """
    first = _answers(index, features, loss=loss, seed=seed)
    believed = np.flatnonzero(margins(first, index.labels) > 0)
    if len(np.unique(index.labels[believed])) < len(np.unique(index.labels)):
        return Crossed(index, first, first)  # a class would be gone: nothing could be learned of it in a second pass
    return Crossed(index, first, _answers(index, features, loss=loss, seed=seed, shown=believed))


def _others(answers, labels) -> np.ndarray:
    """Return the answers without the labels' own."""
    others = answers.copy()
    others[np.arange(len(others)), labels] = -1
    return others


def margins(answers, labels) -> np.ndarray:
    return answers[np.arange(len(answers)), labels] - _others(answers, labels).max(axis=1)


def _answers(index, features, *, loss, seed, shown=None) -> np.ndarray:
    folds = min(out_of_fold.FOLDS, len(set(index.groups.tolist())))
    if folds < 2:
        raise InputError(f"{index.root}: its photographs are all near-duplicates of each other; nothing can be judged")
    features, total = np.asarray(features, np.float32).reshape(len(index), -1), 0
    for repeat in range(seed * REPEATS, (seed + 1) * REPEATS):
        total = total + out_of_fold.answers(
            features,
            index.labels,
            splits.fold_of_each_image(index, k=folds, seed=repeat),
            num_classes=len(index.classes),
            loss=loss,
            seed=repeat,
            shown=None if shown is None else _order(shown, repeat),
        )
    return calibrated(total / REPEATS, index.labels)


def calibrated(answers, labels) -> np.ndarray:
    """Return answers (N, C) that are as sure as they are right: of few photographs heads learn to be too sure.

    Source: Guo et al. 2017, temperature scaling, arXiv:1706.04599; here on answers that are out of fold already.
    """
    logits = np.log(np.maximum(answers, posthoc.SMALLEST))
    scaled = [posthoc.softmax(logits / temperature) for temperature in TEMPERATURES]
    losses = [-np.log(np.maximum(one[np.arange(len(labels)), labels], posthoc.SMALLEST)).mean() for one in scaled]
    return scaled[int(np.argmin(losses))]


def _order(shown, seed):
    return lambda epoch: draws.shuffled(seed, epoch=epoch, positions=shown)
