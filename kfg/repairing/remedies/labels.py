"""Remedies for wrong labels: photographs whose label is contradicted are left out, or relabelled."""

import numpy as np

from kfg.data.index import Index
from kfg.evaluation.calibration import calibrated
from kfg.repairing.case import Case
from kfg.repairing.crossed import CONTRADICTED, label_probability
from kfg.repairing.remedies.protocol import Remedy


def contradicted(case: Case) -> np.ndarray:
    """Return bool (N, K): for each fold, the photographs outside it whose label heads without the fold contradict.

    A label that a person has confirmed does not count as contradicted.
    """
    found = np.zeros((len(case), case.folds), bool)
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        found[other, fold] = against(case.inner[fold, other], case.labels[other])
    return found & case.doubtful[:, None]


def against(answers, labels) -> np.ndarray:
    """Return bool (N,), the photographs whose label is contradicted; each class keeps its least contradicted one.

    Args:
        answers: float (N, C), of heads that have not seen the photographs.
        labels: int (N,).
    """
    found = label_probability(calibrated(answers, labels), labels)
    contradicts = found < CONTRADICTED
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        contradicts[own[found[own].argmax()]] = False
    return contradicts


def left_out(case: Case) -> np.ndarray:
    return case.answers(case.lesson(weights=case.weights * ~contradicted(case)))


def relabelled(case: Case) -> np.ndarray:
    likeliest = np.nan_to_num(case.inner, nan=-1).argmax(axis=2).T
    return case.answers(case.lesson(labels=np.where(contradicted(case), likeliest, case.labels[:, None])))


def left_out_settings(case: Case, index: Index, trunk) -> dict:
    """Return the setting that leaves training photographs with a contradicted label out of training."""
    training = np.flatnonzero(np.asarray(index.parts) == "train")
    wrong = training[against(case.untreated[training], case.labels[training]) & case.doubtful[training]]
    return {"left_out": tuple(index.paths[i] for i in wrong)}


REMEDIES = (
    Remedy(
        name="suspects left out", said="photographs whose label may be wrong are left out of training",
        answers=left_out, turn=2, doubts=True, settings=left_out_settings,
    ),
    Remedy(
        name="suspects relabelled", said="photographs whose label may be wrong get the more likely one",
        answers=relabelled, doubts=True,
    ),
)  # fmt: skip
