"""Remedies that change the loss."""

import numpy as np

from kfg.repairing.case import Case
from kfg.repairing.remedies.protocol import Remedy
from kfg.training import imbalance


def adjusted(case: Case) -> np.ndarray:
    return case.answers(case.lesson(weights=case.visible), loss=imbalance.treated("adjusted", case.counts)[0])


REMEDIES = (
    Remedy(
        name="adjusted loss", said="the loss compensates for unequal numbers of photographs in the classes",
        answers=adjusted, settings=lambda case, index, trunk: {"imbalance": "adjusted"},
    ),
)  # fmt: skip
