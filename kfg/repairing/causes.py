"""Why a class may be weak. There is one function for each cause; it looks at one class and returns a Cause or None.

The photographs are those of `kfg.repairing.crossed`; the test part is not used. A cause is claimed if it is strong in
this class and rare in the others, never because the class ranks last.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import scipy.stats

from kfg.data import shortcuts
from kfg.data.fingerprints import Fingerprint
from kfg.evaluation import auc
from kfg.names import counted
from kfg.repairing import decided
from kfg.repairing.crossed import Crossed
from kfg.repairing.decided import Decided
from kfg.repairing.looks import Looks
from kfg.repairing.needs import Needs

LEAST = 3  # photographs; with fewer than this, no claim is made
WRONG_SHARE = 0.03  # of a class's labels: the least share that must be contradicted
PAIR, SAME_CLASS = 10, 0.65  # photographs needed of each class; area under the ROC curve between the two, 0.5 is chance
# Level of the two-sided interval of that area whose upper bound must be below SAME_CLASS, so that it is 75% sure: at
# 95%, two halves of a class of 30 photographs could not be told from two classes.
SURE = 0.5
# Times as many contradicted labels as calibrated answers expect; fewer may be a hard class, rightly labelled.
EXCESS = 1.5
TAKEN = 0.1  # of a class's photographs: the least share mistaken for one other class
OUTNUMBERED = 2  # times as many photographs as a class has: a look-alike class with so many may win by its number alone
FEW, FEW_OF_MEDIAN = 20, 0.5  # a class is small below 20 photographs, and below half of the median class
RISING = 0.05  # of recall: the least gain from the last two fifths of the photographs
ALIKE = 0.5  # of a class's photographs: the least share of near-duplicates
POOR, COMMON = 0.6, 0.05  # share of a class that must be worse than all but the worst 5% of the others
PARTLY, DOUBT = 0.15, 0.01  # share that suffices if these are recognised less often than the rest; Fisher's p for that
TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that may make a class weak, or make its measured recall untrustworthy.

    Args:
        kind: a key of CAUSES.
        label: number of the class.
        said: half a sentence on what was found.
        advice: what a person can do about it.
        photographs: positions of the photographs that show it, the clearest first.
        other: number of a second class that is involved, or None.
    """

    kind: str
    label: int
    said: str
    advice: str
    photographs: tuple[int, ...] = ()
    other: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """The measurements from which the causes are found.

    Args:
        crossed: N photographs of C classes and their answers.
        prints: fingerprints of the files; None if they were not read, then shortcuts are not looked for.
        looks: sharpness, brightness and contrast; None if time was short, then poor quality is not looked for.
        needs: recall as a function of the share of photographs; None if it was not measured.
        weak: the classes that are weak.
        decided: what a person has decided about labels.
    """

    crossed: Crossed
    prints: Sequence[Fingerprint] | None
    looks: Looks | None
    needs: Needs | None = None
    weak: tuple[int, ...] = ()
    decided: Decided = decided.NOTHING

    @functools.cached_property
    def shortcuts(self) -> list[shortcuts.Shortcut]:
        return shortcuts.find(self.prints, self.crossed.index.labels) if self.prints else []

    def of(self, label) -> np.ndarray:
        """Return the positions of the photographs of a class."""
        return np.flatnonzero(self.crossed.index.labels == label)

    def name(self, label) -> str:
        return self.crossed.index.classes[label]


def wrong_labels(evidence: Evidence, label: int) -> Cause | None:
    """Find wrong labels: photographs that heads, which have not seen them, firmly take for another class.

    A label that a person has confirmed is not called wrong.
    """
    own, crossed = evidence.of(label), evidence.crossed
    suspects = decided.without(crossed.suspects(), evidence.decided.confirmed)
    suspects = suspects[crossed.index.labels[suspects] == label]
    groups = crossed.index.groups  # near-duplicates of one photograph with a wrong label count once
    different, wrong = (len(set(groups[at].tolist())) for at in (own, suspects))
    if wrong < max(LEAST, WRONG_SHARE * different) or len(suspects) < EXCESS * crossed.expected(label):
        return None
    taken_for = collections.Counter(crossed.likelier[suspects].tolist()).most_common(1)[0][0]
    said = (
        f"{len(suspects)} of its {len(own)} photographs seem to be labelled wrongly; most of them look like "
        f"{evidence.name(taken_for)}"
    )
    asked = evidence.decided.open(suspects)
    if since := len(suspects) - len(asked):
        said += f"; {since} of them {'has' if since == 1 else 'have'} been relabelled or left out since"
    advice = "look through these photographs and relabel them" if len(asked) else "train again"
    return Cause("labels", label, said, advice, tuple(asked.tolist()), taken_for)


def one_class(evidence: Evidence, label: int) -> Cause | None:
    """Find a second class that hardly anything tells apart from this one."""
    crossed = evidence.crossed
    shares = taken(crossed, label)
    other = int(shares.argmax())
    if shares[other] < TAKEN:
        return None
    log_odds = np.log(np.maximum(crossed.answers[:, label], TINY) / np.maximum(crossed.answers[:, other], TINY))
    pair = [_means(log_odds[own], crossed.index.groups[own]) for own in map(evidence.of, (label, other))]
    if min(map(len, pair)) < PAIR:
        return None
    if auc.between(*pair, confidence=SURE)["high"] >= SAME_CLASS:
        return None  # on few photographs even classes that differ may look like one
    told = auc.between(*pair)
    said = (
        f"it can hardly be told apart from {evidence.name(other)}: given one photograph of each, the right one is "
        f"picked in {told['value']:.0%} of the cases (95% interval {told['low']:.0%} to {told['high']:.0%}), and "
        "guessing picks it in 50%"
    )
    return Cause("one-class", label, said, "merge the two, or photograph what distinguishes them", (), other)


def _means(values, groups) -> np.ndarray:
    """Return the mean of the values of each group: near-duplicates of one photograph count once."""
    _, number = np.unique(groups, return_inverse=True)
    return np.bincount(number, weights=values) / np.bincount(number)


def too_alike(evidence: Evidence, label: int) -> Cause | None:
    """Find out whether a class consists of many copies of a few photographs."""
    own = evidence.of(label)
    different = len(set(evidence.crossed.index.groups[own].tolist()))
    if len(own) - different < max(LEAST, ALIKE * len(own)):
        return None
    said = f"only {different} of its {len(own)} photographs are different; the others are near-duplicates"
    return Cause("alike", label, said, "add photographs of other moments, places and objects", tuple(own.tolist()))


def too_few(evidence: Evidence, label: int) -> Cause | None:
    """Find out whether a class has far fewer photographs than the others."""
    counts = np.bincount(evidence.crossed.index.labels, minlength=len(evidence.crossed.index.classes))
    count, median = int(counts[label]), float(np.median(counts[counts > 0]))
    if not 0 < count < min(FEW, FEW_OF_MEDIAN * median):
        return None
    said = (
        f"it has {counted(count, 'photograph')} for training and validation (those for the test are not counted), and "
        f"half of the classes have {median:.0f} or more"
    )
    return Cause("few", label, said, "add photographs of it")


def still_rising(evidence: Evidence, label: int) -> Cause | None:
    """Find out whether a weak class is recognised more and more often, the more photographs heads learn from.

    Its whole rise must exceed what chance allows for so many photographs, and part of it must come from the last ones.
    """
    curve = evidence.needs
    if curve is None or label not in evidence.weak or not curve.clear[label] or curve.rise(label) < RISING:
        return None
    first, last = (f"{100 * curve.recall[at, label]:.0f}%" for at in (0, -1))
    said = (
        f"its recall still rises with the number of photographs, from {first} for classifiers that learn from a fifth "
        f"of them to {last} for those that learn from all"
    )
    return Cause("rising", label, said, "add photographs of it")


def poor_quality(evidence: Evidence, label: int) -> Cause | None:
    """Find out whether a class has more blurred, dark or washed-out photographs than the other classes."""
    own = evidence.crossed.index.labels == label
    if evidence.looks is None:
        return None
    for what, values in (
        ("blurred", evidence.looks.sharpness),
        ("dark", evidence.looks.brightness),
        ("washed out", evidence.looks.contrast),
    ):
        if own.all():
            return None
        limit = np.quantile(values[~own], COMMON)
        poor = np.flatnonzero(own & (values < limit))
        said = (
            f"{len(poor)} of its {own.sum()} photographs are {what} (of the other classes' photographs, {COMMON:.0%})"
        )
        if PARTLY * own.sum() <= len(poor) < POOR * own.sum():
            poor, said = _worse_recognised(evidence, label, poor, said)
        if len(poor) >= max(LEAST, PARTLY * own.sum()):
            order = poor[np.argsort(values[poor], kind="stable")]
            return Cause("quality", label, said, "replace them by better ones", tuple(order.tolist()))
    return None


def _worse_recognised(evidence: Evidence, label: int, poor, said: str) -> tuple[np.ndarray, str]:
    """Return poor photographs and what is said of them; no photographs, if they are recognised like the class's others.

    Args:
        poor: int (M,), positions of photographs of a class.
        said: half a sentence on them, to which how often they are recognised is added.
    """
    own, groups = evidence.of(label), evidence.crossed.index.groups
    own = own[np.unique(groups[own], return_index=True)[1]]  # near-duplicates count once
    right = evidence.crossed.answers[own].argmax(axis=1) == label
    bad = np.isin(own, poor)
    table = [
        [int((right & bad).sum()), int((~right & bad).sum())],
        [int((right & ~bad).sum()), int((~right & ~bad).sum())],
    ]
    if scipy.stats.fisher_exact(table, alternative="less").pvalue >= DOUBT:
        return np.array([], int), said
    told = f", and {right[bad].mean():.0%} of these are recognised, but {right[~bad].mean():.0%} of its better ones"
    return poor, said + told


def shortcut(evidence: Evidence, label: int) -> Cause | None:
    """Find something besides the object that gives the class away: its recall may not hold for other photographs."""
    for one in evidence.shortcuts:
        if one.label == label:
            return Cause("shortcut", label, one.said, one.advice)
    return None


def outnumbered(evidence: Evidence, label: int) -> Cause | None:
    """Find a class with many more photographs that takes its photographs and loses few to it.

    In case of doubt a network names the class that it has seen more often.
    """
    if (other := _taker(evidence, label)) is None:
        return None
    own, others = len(evidence.of(label)), len(evidence.of(other))
    lost, share = _lost(evidence, label, other), taken(evidence.crossed, label)[other]
    if others < OUTNUMBERED * own or taken(evidence.crossed, other)[label] > share / OUTNUMBERED:
        return None
    said = (
        f"{share:.0%} of its {own} photographs are taken for {evidence.name(other)}, of which there are {others:,}: in "
        "case of doubt a network names the class that it has seen more often"
    )
    return Cause("prior", label, said, "add photographs of it", lost, other)


def look_alike(evidence: Evidence, label: int) -> Cause | None:
    """Find another class that many of its photographs are mistaken for, although the two can be told apart."""
    if (other := _taker(evidence, label)) is None:
        return None
    lost, share = _lost(evidence, label, other), taken(evidence.crossed, label)[other]
    back = taken(evidence.crossed, other)[label]
    said = (
        f"{share:.0%} of its photographs are taken for {evidence.name(other)}, and {back:.0%} of the "
        f"photographs of {evidence.name(other)} are taken for it"
    )
    return Cause("look-alike", label, said, "add photographs that show where they differ", lost, other)


def _taker(evidence: Evidence, label: int) -> int | None:
    """Return the class that takes most of a class's photographs; None if it takes too few to be a cause."""
    shares = taken(evidence.crossed, label)
    other = int(shares.argmax())
    enough = shares[other] >= TAKEN and shares[other] * len(evidence.of(label)) >= LEAST
    return other if enough else None


def _lost(evidence: Evidence, label: int, other: int) -> tuple[int, ...]:
    """Return the positions of a class's photographs that are taken for another class."""
    own = evidence.of(label)
    return tuple(own[evidence.crossed.answers[own].argmax(axis=1) == other].tolist())


CAUSES: dict[str, Callable[[Evidence, int], Cause | None]] = {  # the most credible first
    "one-class": one_class,  # before labels: if nothing tells two classes apart, every label looks wrong
    "few": too_few,  # also before labels: in a class of eight photographs, three contradicted labels come easily
    "alike": too_alike,  # also before labels: what heads say of copies of one photograph is said only once
    "labels": wrong_labels,
    "quality": poor_quality,
    "shortcut": shortcut,
    "prior": outnumbered,  # before look-alike, of which it is a special case
    "look-alike": look_alike,
    "rising": still_rising,  # last: it may be true of a class that has another cause
}


def of_all(evidence: Evidence) -> dict[int, list[Cause]]:
    """Return, for each class, the causes that `of_class` finds."""
    return {label: of_class(evidence, label) for label in range(len(evidence.crossed.index.classes))}


def of_class(evidence: Evidence, label: int) -> list[Cause]:
    """Return the causes that are found for a class, the most credible first."""
    return [cause for look in CAUSES.values() if (cause := look(evidence, label)) is not None]


def taken(crossed: Crossed, label: int) -> np.ndarray:
    """Return how a class's photographs are mistaken: the share taken for each other class, float (C,)."""
    answers = crossed.answers[crossed.index.labels == label]
    shares = np.bincount(answers.argmax(axis=1), minlength=answers.shape[1]) / max(1, len(answers))
    shares[label] = 0
    return shares


def takers(crossed: Crossed, weak) -> dict[int, int]:
    """Return weak class -> the class it is most often mistaken for; a class without mistakes is left out."""
    shares = {label: taken(crossed, label) for label in weak}
    return {label: int(one.argmax()) for label, one in shares.items() if one.any()}
