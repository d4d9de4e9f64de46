"""Remedies for wrong labels: photographs whose label is contradicted are left out, or relabelled."""

import numpy as np

from kfg.data.folder import Index
from kfg.repairing.case import Case
from kfg.repairing.crossed import CONTRADICTED, calibrated, margins
from kfg.repairing.remedies.protocol import Remedy


def contradicted(case: Case) -> np.ndarray:
    """Return bool (N, K): for each fold, the other folds' photographs whose label heads without the fold contradict."""
    found = np.zeros((len(case), case.folds), bool)
    for fold in range(case.folds):
        other = np.flatnonzero(case.fold_of != fold)
        found[other, fold] = against(case.inner[fold, other], case.labels[other])
    return found


def against(answers, labels) -> np.ndarray:
    """Return bool (N,), the photographs whose label is contradicted; the least contradicted of a class never is.

    Args:
        answers: float (N, C), of heads that have not seen them.
        labels: int (N,).
    """
    found = margins(calibrated(answers, labels), labels)
    contradicts = found < CONTRADICTED
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        contradicts[own[found[own].argmax()]] = False
    return contradicts


def left_out(case: Case) -> np.ndarray:
    return case.answers(case.lesson(weights=case.visible * ~contradicted(case)))


def relabelled(case: Case) -> np.ndarray:
    likeliest = np.nan_to_num(case.inner, nan=-1).argmax(axis=2).T
    return case.answers(case.lesson(labels=np.where(contradicted(case), likeliest, case.labels[:, None])))


def left_out_settings(case: Case, index: Index, trunk) -> dict:
    """Return the setting that leaves out the training photographs whose label is contradicted."""
    training = np.flatnonzero(np.asarray(index.parts) == "train")
    wrong = training[against(case.untreated[training], case.labels[training])]
    return {"left_out": tuple(index.paths[i] for i in wrong)}


REMEDIES = (
    Remedy(
        name="suspects left out", said="photographs whose label is contradicted are left out of training",
        answers=left_out, settings=left_out_settings,
    ),
    Remedy(
        name="suspects relabelled", said="photographs whose label is contradicted get the likelier one",
        answers=relabelled,
    ),
)  # fmt: skip
