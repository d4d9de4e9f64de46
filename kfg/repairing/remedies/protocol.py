"""The interface of a remedy."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kfg.data.index import Index
from kfg.repairing.case import Case
from kfg.repairing.trunks import Trunk


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remedy:
    """A treatment that may help weak classes.

    Args:
        name: its name in tables and on the command line.
        said: half a sentence in the present tense that says what is done.
        answers: function Case -> float32 (N, C), the answer on each photograph by heads that have not seen it.
        needs: fields of kfg.repairing.case.Seen that it needs.
        turn: remedies with a lower turn are tried first, as time may be short. The order is by how likely they help,
            see recipes/repair.
        doubts: whether it doubts labels, so that its answers depend on those that a person has confirmed.
        control: whether it serves only as a comparison and is never recommended.
        settings: function (Case, Index of its photographs, Trunk) -> the settings of kfg.recipes.folder that train a
            net with this remedy; None if there are none, so that the remedy can only be tried on features.
    """

    name: str
    said: str
    answers: Callable[[Case], np.ndarray]
    needs: tuple[str, ...] = ()
    turn: int = 3
    doubts: bool = False
    control: bool = False
    settings: Callable[[Case, Index, Trunk], dict] | None = None
