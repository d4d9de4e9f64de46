"""Which classes are weak: judged on all training and validation photographs, and never by rank alone."""

import dataclasses

import numpy as np

from kfg.evaluation import weak as rule
from kfg.evaluation.intervals import effective_counts, wilson
from kfg.repairing.crossed import Crossed

JUDGED = rule.JUDGED


@dataclasses.dataclass(frozen=True)
class Recall:
    """How many photographs of a class are recognised by heads that have not seen them.

    Args:
        label: number of the class.
        images: number of its photographs.
        right: how many of them are recognised.
        low, high: bounds of the 95% interval of the recall, Wilson's; near-duplicates count as they do in
            `kfg.evaluation.intervals.effective_counts`.
        weak: whether `high` lies below the target; always False for a class that is not judged.
    """

    label: int
    images: int
    right: int
    low: float
    high: float
    weak: bool

    @property
    def judged(self) -> bool:
        """Whether the class has enough photographs to be judged."""
        return self.images >= JUDGED

    @property
    def value(self) -> float:
        return self.right / self.images if self.images else float("nan")


def recalls(crossed: Crossed, *, target: float | None = None) -> list[Recall]:
    """Return the recall of each class. A class is weak if the interval of its recall lies below the target.

    The rule is that of kfg.evaluation.weak.

    Args:
        crossed: the answers of heads that have not seen the photographs.
        target: recall in (0, 1] that is asked for; default the share of all photographs that is recognised.
    """
    labels, right = crossed.index.labels, crossed.right
    images = np.bincount(labels, minlength=len(crossed.index.classes))
    hits = np.bincount(labels[right], minlength=len(images))
    low, high = wilson(hits, images, effective=effective_counts(crossed.index.groups, labels, len(images)))
    wanted = float(right.mean()) if target is None else target
    weak = rule.weak(high, images, wanted)
    return [
        Recall(label, int(images[label]), int(hits[label]), float(low[label]), float(high[label]), bool(weak[label]))
        for label in range(len(images))
    ]


def by_chance(found: list[Recall], *, target: float | None = None) -> str:
    """Return a sentence on how many of these classes chance alone would call weak; "" if there is nothing to say.

    Args:
        found: the recalls of all classes.
        target: the one that was asked for. The classes may all be worse than it, so then nothing is said.
    """
    images = [one.images for one in found]
    if target is not None or not sum(images):
        return ""
    return rule.by_chance(images, sum(one.right for one in found) / sum(images))
