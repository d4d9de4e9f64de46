"""What remedies are compared with: nothing, and a bias, which costs nothing and needs no photograph."""

import numpy as np

from kfg.data.folder import Index
from kfg.repairing.case import Case, shifted
from kfg.repairing.remedies.protocol import Remedy

STEPS = np.arange(0, 3.01, 0.25)  # of a class's bias, in log-odds
ROUNDS = 2  # over the weak classes


def biased(case: Case) -> np.ndarray:
    return raised(case, case.untreated, case.inner)


def raised(case: Case, answers, inner) -> np.ndarray:
    """Raise the answers of each weak class by what raises macro recall most, for each fold on the other folds.

    Args:
        answers: float32 (N, C), each photograph's.
        inner: float32 (K, N, C), as of `Case.inner_of`.
    """
    found = answers.copy()
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        bias = tuned(inner[fold, other], case.labels[other], case.weak)
        at = case.fold_of == fold
        found[at] = shifted(found[at], bias)
    return found


def tuned(answers, labels, weak) -> np.ndarray:
    """Return the bias of each class, float (C,): 0, or for a weak one the step with the best macro recall.

    Args:
        answers: float (N, C), on photographs that their heads have not seen.
        labels: int (N,).
        weak: classes.
    """
    bias = np.zeros(answers.shape[1])
    counts = np.bincount(labels, minlength=len(bias))
    each = 1 / counts[labels] / np.count_nonzero(counts)  # what a right answer adds to macro recall
    for _ in range(ROUNDS):
        for label in weak:
            recalls = []
            for step in STEPS:
                tried = bias.copy()
                tried[label] = step
                recalls.append(float(each[shifted(answers, tried).argmax(axis=1) == labels].sum()))
            bias[label] = STEPS[int(np.argmax(recalls))]  # of equals the smallest
    return bias


def spent(case: Case, answers, inner) -> np.ndarray:
    """Raise the weak classes' answers together, as far as the other classes keep the recall that they have untreated.

    What another remedy has gained is spent on the weak classes. Decided for each fold on the other folds.

    Args:
        answers, inner: as for `raised`.
    """
    found = answers.copy()
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        kept = others_recall(case.inner[fold, other], case.labels[other], case.weak)
        step = affordable(inner[fold, other], case.labels[other], case.weak, kept=kept)
        at = case.fold_of == fold
        found[at] = shifted(found[at], step * np.isin(np.arange(case.classes), case.weak))
    return found


def affordable(answers, labels, weak, *, kept: float) -> float:
    """Return the largest of STEPS by which the weak classes can be raised while the others' recall is `kept`."""
    raised_classes = np.isin(np.arange(answers.shape[1]), weak)
    fitting = [step for step in STEPS if others_recall(shifted(answers, step * raised_classes), labels, weak) >= kept]
    return float(max(fitting, default=0.0))


def others_recall(answers, labels, weak) -> float:
    """Return the mean recall of the classes that are not weak and have photographs."""
    count = np.bincount(labels, minlength=answers.shape[1])
    right = np.bincount(labels[answers.argmax(axis=1) == labels], minlength=answers.shape[1])
    others = ~np.isin(np.arange(answers.shape[1]), weak) & (count > 0)
    return float((right[others] / count[others]).mean()) if others.any() else 1.0


def bias_settings(answers, case: Case, index: Index) -> dict:
    """Return the setting that raises the weak classes' answers, tuned on answers (N, C) of heads that had not seen."""
    bias = tuned(answers, case.labels, case.weak)
    return {"class_bias": tuple((index.classes[at], float(bias[at])) for at in np.flatnonzero(bias))}


def spent_settings(answers, case: Case, index: Index) -> dict:
    """Return the setting that raises the weak classes' answers together, see `spent`."""
    kept = others_recall(case.untreated, case.labels, case.weak)
    step = affordable(answers, case.labels, case.weak, kept=kept)
    return {"class_bias": tuple((index.classes[label], step) for label in case.weak) if step else ()}


NONE = Remedy(name="none", said="nothing is done", answers=lambda case: case.untreated, control=True)
BIAS = Remedy(
    name="bias",
    said="the answers of weak classes are raised, by what serves all classes best on photographs held back",
    answers=biased,
    control=True,
    settings=lambda case, index, trunk: bias_settings(case.untreated, case, index),
)
