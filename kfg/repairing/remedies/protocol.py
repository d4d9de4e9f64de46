"""What a remedy is."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kfg.data.folder import Index
from kfg.repairing.case import Case
from kfg.repairing.looking import Trunk


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remedy:
    """Something that may help weak classes.

    Args:
        name: in tables and on the command line.
        said: what is done, half a sentence in the present.
        answers: function Case -> float32 (N, C), each photograph answered by heads that have not seen it.
        needs: fields of kfg.repairing.case.Seen without which it cannot be tried.
        control: whether it is there to be compared with, and is never recommended.
        settings: function (Case, Index of its photographs, Trunk) -> the settings of kfg.recipes.folder by which a
            net is trained in this way; None where there are none, and what was learned by trying is all there is.
    """

    name: str
    said: str
    answers: Callable[[Case], np.ndarray]
    needs: tuple[str, ...] = ()
    control: bool = False
    settings: Callable[[Case, Index, Trunk], dict] | None = None
