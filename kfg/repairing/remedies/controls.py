"""The controls that remedies are compared with: no treatment, and a bias, which costs nothing and needs no images."""

import numpy as np

from kfg.data.index import Index
from kfg.evaluation import calibration, posthoc
from kfg.repairing.case import Case
from kfg.repairing.manner import shifted
from kfg.repairing.remedies.protocol import Remedy

STEPS = np.arange(0, 3.01, 0.25)  # biases that are tried for a class, in log-odds
ROUNDS = 2  # passes over the weak classes


def biased(case: Case) -> np.ndarray:
    return raised(case, case.untreated, case.inner)


def raised(case: Case, answers, inner) -> np.ndarray:
    """Raise each weak class's answers by the bias that is best for macro recall; for each fold, the other folds decide.

    Args:
        answers: float32 (N, C), the answer on each photograph.
        inner: float32 (K, N, C), from `Case.inner_of`.
    """
    found = answers.copy()
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        bias = tuned(inner[fold, other], case.labels[other], case.weak)
        at = case.fold_of == fold
        found[at] = shifted(found[at], bias)
    return found


def tuned(answers, labels, weak) -> np.ndarray:
    """Return the bias of each class, float (C,): for a weak class the step with the best macro recall, else 0.

    Args:
        answers: float (N, C), on photographs that the heads have not seen.
        labels: int (N,).
        weak: numbers of the weak classes.
    """
    bias = np.zeros(answers.shape[1])
    counts = np.bincount(labels, minlength=len(bias))
    each = 1 / counts[labels] / np.count_nonzero(counts)  # what a right answer adds to macro recall
    logs = np.log(np.maximum(answers, posthoc.SMALLEST)).astype(np.float64)
    for _ in range(ROUNDS):
        for label in weak:
            others = logs + bias
            others[:, label] = -np.inf
            likeliest = others.argmax(axis=1)  # only one class is moved, so this is found once for all steps
            highest = others[np.arange(len(others)), likeliest]
            recalls = []
            for step in STEPS:
                own = logs[:, label] + step
                named = (own > highest) | ((own == highest) & (label < likeliest))  # of equal ones the lowest id
                recalls.append(float(each[np.where(named, label, likeliest) == labels].sum()))
            bias[label] = STEPS[int(np.argmax(recalls))]  # the smallest of equals
    return bias


def spent(case: Case, answers, inner) -> np.ndarray:
    """Raise all weak classes' answers by one step, as far as the other classes keep half of what a remedy gave them.

    So half of the gain of another remedy is spent on the weak classes. All of it would be too much: heads gain more
    than a net that is fine-tuned. For each fold, the other folds decide.

    Args:
        answers, inner: as for `raised`.
    """
    found = answers.copy()
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        step = affordable(inner[fold, other], case.inner[fold, other], case.labels[other], case.weak)
        at = case.fold_of == fold
        found[at] = shifted(found[at], step * np.isin(np.arange(case.classes), case.weak))
    return found


def affordable(answers, untreated, labels, weak) -> float:
    """Return the largest of STEPS by which the weak classes can be raised, see `spent`.

    Args:
        answers, untreated: float (N, C), with a remedy and without one.
    """
    raised_classes = np.isin(np.arange(answers.shape[1]), weak)
    before, after = (others_recall(one, labels, weak) for one in (untreated, answers))
    kept = max(before, (before + after) / 2)
    fitting = [step for step in STEPS if others_recall(shifted(answers, step * raised_classes), labels, weak) >= kept]
    return float(max(fitting, default=0.0))


def others_recall(answers, labels, weak) -> float:
    """Return the mean recall of the classes that have photographs and are not weak."""
    count = np.bincount(labels, minlength=answers.shape[1])
    right = np.bincount(labels[answers.argmax(axis=1) == labels], minlength=answers.shape[1])
    others = ~np.isin(np.arange(answers.shape[1]), weak) & (count > 0)
    return float((right[others] / count[others]).mean()) if others.any() else 1.0


def bias_settings(answers, case: Case, index: Index) -> dict:
    """Return the setting that raises the weak classes' answers, tuned on answers (N, C) on unseen photographs."""
    return _class_bias(tuned(answers, case.labels, case.weak), answers, case, index)


def spent_settings(answers, case: Case, index: Index) -> dict:
    """Return the setting that raises all weak classes' answers by one step, see `spent`."""
    step = affordable(answers, case.untreated, case.labels, case.weak)
    return _class_bias(step * np.isin(np.arange(case.classes), case.weak), answers, case, index)


def _class_bias(bias, answers, case: Case, index: Index) -> dict:
    """Return the setting for a bias (C,), added to the one that the run has already.

    It is on the scale of calibrated answers, as another net's answers may be more or less firm than the heads'.

    Args:
        answers: the answers (N, C) of heads for which the bias was found.
    """
    bias = bias / calibration.temperature(answers, case.labels)
    bias = bias + (0 if case.manner.bias is None else case.manner.bias)
    return {"class_bias": tuple((index.classes[at], float(bias[at])) for at in np.flatnonzero(bias))}


NONE = Remedy(name="none", said="nothing is done", answers=lambda case: case.untreated, control=True, turn=0)
BIAS = Remedy(
    name="bias",
    said="the probabilities of weak classes are raised by the amount that is best for all classes on other photographs",
    answers=biased,
    control=True,
    turn=0,
    settings=lambda case, index, trunk: bias_settings(case.untreated, case, index),
)
