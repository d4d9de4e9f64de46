"""Which classes are weak, judged on all their photographs and never by rank alone."""

import dataclasses

import numpy as np

from kfg.evaluation.intervals import wilson
from kfg.repairing.crossed import Crossed

JUDGED = 10  # photographs that a class needs; of fewer, each is worth more than ten points of recall


@dataclasses.dataclass(frozen=True)
class Recall:
    """How many photographs of a class are recognised by heads that have not seen them.

    Args:
        label: the class.
        images: photographs of it.
        right: of these, how many are recognised.
        low, high: bounds of the 95 % interval of the share.
        weak: whether `high` lies below what is asked for; never of a class that is not judged.
    """

    label: int
    images: int
    right: int
    low: float
    high: float
    weak: bool

    @property
    def judged(self) -> bool:
        """Whether there are enough photographs to say anything."""
        return self.images >= JUDGED

    @property
    def value(self) -> float:
        return self.right / self.images if self.images else float("nan")


def recalls(crossed: Crossed, *, target: float | None = None) -> list[Recall]:
    """Return the recall of each class. Weak is one whose interval lies below the mean of all, or below a target.

    A class of few photographs has a wide interval and is then not called weak, however low it ranks; one of fewer
    than JUDGED is not judged.

    Args:
        crossed: the answers.
        target: recall in (0, 1] that is asked for; default the share of all photographs that is recognised.
    """
    labels, right = crossed.index.labels, crossed.right
    images = np.bincount(labels, minlength=len(crossed.index.classes))
    hits = np.bincount(labels[right], minlength=len(images))
    low, high = wilson(hits, images)
    wanted = float(right.mean()) if target is None else target
    weak = (high < wanted) & (images >= JUDGED)
    return [
        Recall(label, int(images[label]), int(hits[label]), float(low[label]), float(high[label]), bool(weak[label]))
        for label in range(len(images))
    ]
