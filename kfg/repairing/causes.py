"""Why a class may be weak: one function for each cause, which looks at one class and says what it found, or nothing.

The photographs are those of `kfg.repairing.crossed`; nothing is read from the test part. A cause is claimed where it is
large and rare among the other classes, never because a class ranks last.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from kfg.data import shortcuts
from kfg.data.fingerprints import Fingerprint
from kfg.repairing.crossed import Crossed
from kfg.repairing.looks import Looks

LEAST = 3  # photographs, below which nothing is claimed
WRONG_SHARE = 0.05  # of a class's labels that are contradicted
PAIR, SAME_CLASS = 10, 0.65  # photographs of both classes; area under the curve of one against the other, chance is 0.5
DOUBTFUL = 2  # times as many photographs that could be either: then the class is hard, and its labels may be right
TAKEN = 0.1  # of a class's photographs that another class takes
FEW, FEW_OF_MEDIAN = 20, 0.5  # photographs; of the median class
ALIKE = 0.5  # of a class's photographs that are near-duplicates of others of it
POOR, COMMON = 0.6, 0.05  # share of a class's photographs beyond the worst 5 % of the others
TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that may make a class weak, or its recall untrue.

    Args:
        kind: a key of CAUSES.
        label: the class.
        said: a sentence on what was found.
        advice: what a person can do about it.
        photographs: positions of those that show it, the clearest first.
        other: another class that it is about, or None.
    """

    kind: str
    label: int
    said: str
    advice: str
    photographs: tuple[int, ...] = ()
    other: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """What the causes look at.

    Args:
        crossed: N photographs of C classes and their answers.
        prints: of the files; None where they were not read, and no shortcut is looked for.
        looks: of the pictures.
    """

    crossed: Crossed
    prints: Sequence[Fingerprint] | None
    looks: Looks

    @functools.cached_property
    def shortcuts(self) -> list[shortcuts.Shortcut]:
        return shortcuts.find(self.prints, self.crossed.index.labels) if self.prints else []

    def of(self, label) -> np.ndarray:
        """Return the positions of a class's photographs."""
        return np.flatnonzero(self.crossed.index.labels == label)

    def name(self, label) -> str:
        return self.crossed.index.classes[label]


def wrong_labels(evidence: Evidence, label: int) -> Cause | None:
    """Photographs that heads, which have not seen them, firmly take for another class."""
    own, crossed = evidence.of(label), evidence.crossed
    suspects = [at for at in crossed.suspects() if crossed.index.labels[at] == label]
    if len(suspects) < max(LEAST, WRONG_SHARE * len(own)) or crossed.doubtful[own].sum() > DOUBTFUL * len(suspects):
        return None
    taken_for = collections.Counter(crossed.likelier[suspects].tolist()).most_common(1)[0][0]
    said = (
        f"{len(suspects)} of its {len(own)} photographs look wrongly labelled, most of them like "
        f"{evidence.name(taken_for)}"
    )
    return Cause("labels", label, said, "look through these photographs and relabel them", tuple(suspects), taken_for)


def one_class(evidence: Evidence, label: int) -> Cause | None:
    """A class that nothing tells from another one."""
    crossed = evidence.crossed
    shares = taken(crossed, label)
    other = int(shares.argmax())
    if shares[other] < TAKEN or min(len(evidence.of(label)), len(evidence.of(other))) < PAIR:
        return None
    log_odds = np.log(np.maximum(crossed.answers[:, label], TINY) / np.maximum(crossed.answers[:, other], TINY))
    told = _area(log_odds[evidence.of(label)], log_odds[evidence.of(other)])
    if told >= SAME_CLASS:
        return None
    said = (
        f"hardly anything tells it from {evidence.name(other)}: of two photographs, one of each, the right one is "
        f"picked in {told:.0%} of the cases, and guessing picks it in 50%"
    )
    return Cause("one-class", label, said, "merge the two, or photograph what distinguishes them", (), other)


def too_alike(evidence: Evidence, label: int) -> Cause | None:
    """A class that is several copies of few photographs."""
    own = evidence.of(label)
    different = len(set(evidence.crossed.index.groups[own].tolist()))
    if len(own) - different < max(LEAST, ALIKE * len(own)):
        return None
    said = f"its {len(own)} photographs are {different} different ones, the others are near-duplicates"
    return Cause("alike", label, said, "add photographs of other moments, places and objects", tuple(own.tolist()))


def too_few(evidence: Evidence, label: int) -> Cause | None:
    """A class of far fewer photographs than the others have."""
    counts = np.bincount(evidence.crossed.index.labels, minlength=len(evidence.crossed.index.classes))
    count, median = int(counts[label]), float(np.median(counts[counts > 0]))
    if not 0 < count < min(FEW, FEW_OF_MEDIAN * median):
        return None
    said = f"it has {counted(count, 'photograph')}; half of the classes have {median:.0f} or more"
    return Cause("few", label, said, "add photographs of it")


def poor_quality(evidence: Evidence, label: int) -> Cause | None:
    """A class whose photographs are blurred, dark or washed out, beside the other classes."""
    own = evidence.crossed.index.labels == label
    for what, values in (
        ("blurred", evidence.looks.sharpness),
        ("dark", evidence.looks.brightness),
        ("washed out", evidence.looks.contrast),
    ):
        if own.all():
            return None
        limit = np.quantile(values[~own], COMMON)
        poor = np.flatnonzero(own & (values < limit))
        if len(poor) >= max(LEAST, POOR * own.sum()):
            said = f"{len(poor)} of its {own.sum()} photographs are {what}, against {COMMON:.0%} of the others"
            order = poor[np.argsort(values[poor], kind="stable")]
            return Cause("quality", label, said, "replace them by better ones", tuple(order.tolist()))
    return None


def shortcut(evidence: Evidence, label: int) -> Cause | None:
    """Something besides the object that tells the class: its recall may be worth nothing on other photographs."""
    for one in evidence.shortcuts:
        if one.label == label:
            return Cause("shortcut", label, one.said, one.advice)
    return None


def look_alike(evidence: Evidence, label: int) -> Cause | None:
    """Another class that takes many of its photographs, though the two can be told apart."""
    crossed = evidence.crossed
    shares = taken(crossed, label)
    other, own = int(shares.argmax()), evidence.of(label)
    if shares[other] < TAKEN or shares[other] * len(own) < LEAST:
        return None
    lost = own[crossed.answers[own].argmax(axis=1) == other]
    back = taken(crossed, other)[label]
    said = (
        f"{shares[other]:.0%} of its photographs are taken for {evidence.name(other)}, and {back:.0%} of those of "
        f"{evidence.name(other)} for it"
    )
    return Cause("look-alike", label, said, "add photographs that show where they differ", tuple(lost.tolist()), other)


CAUSES: dict[str, Callable[[Evidence, int], Cause | None]] = {  # in the order in which they are believed
    "one-class": one_class,  # before labels: where nothing tells two classes apart, every label looks wrong
    "few": too_few,  # before labels, too: of eight photographs three are soon contradicted
    "labels": wrong_labels,
    "alike": too_alike,
    "quality": poor_quality,
    "shortcut": shortcut,
    "look-alike": look_alike,
}


def of_all(evidence: Evidence) -> dict[int, list[Cause]]:
    """Return the causes that are found for each class, see `of_class`."""
    return {label: of_class(evidence, label) for label in range(len(evidence.crossed.index.classes))}


def of_class(evidence: Evidence, label: int) -> list[Cause]:
    """Return the causes that are found for a class, the most believable first."""
    return [cause for look in CAUSES.values() if (cause := look(evidence, label)) is not None]


def taken(crossed: Crossed, label: int) -> np.ndarray:
    """Return the share of a class's photographs that each other class takes, float (C,)."""
    answers = crossed.answers[crossed.index.labels == label]
    shares = np.bincount(answers.argmax(axis=1), minlength=answers.shape[1]) / max(1, len(answers))
    shares[label] = 0
    return shares


def takers(crossed: Crossed, weak) -> dict[int, int]:
    """Return weak class -> the class that takes most of its photographs; a class that none takes is left out."""
    shares = {label: taken(crossed, label) for label in weak}
    return {label: int(one.argmax()) for label, one in shares.items() if one.any()}


def counted(number: int, thing: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "photograph"), counted(1200, "photograph")
        ('1 photograph', '1,200 photographs')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _area(higher, lower) -> float:
    """Return how often a value of the first is larger than one of the second, ties half: the area under the curve."""
    return float(np.mean(higher[:, None] > lower) + np.mean(higher[:, None] == lower) / 2)
