"""What a person can do about weak classes, in sentences, the most useful first."""

import collections
import math

from kfg.names import printable, shortened
from kfg.repairing.causes import Cause, counted, taken
from kfg.repairing.findings import Diagnosis

ENOUGH = 40  # photographs of a class that is to be learned as others are, where others have as many


def next_steps(found: Diagnosis, *, suspects: str) -> list[str]:
    """Return a sentence for each thing to do by hand.

    Args:
        suspects: path of suspects.csv, as a reader should type it.
    """
    steps, count = [], len(found.crossed.suspects())
    if count:
        steps.append(
            f"Look at {counted(count, 'photograph')} whose label is contradicted, listed in {suspects}, and move the "
            "wrong ones to the folder of their class."
        )
    of_kind = collections.defaultdict(list)
    for causes in found.causes.values():
        for cause in causes[:1]:
            of_kind[cause.kind].append(cause)
    for one, other in _pairs(of_kind["one-class"]):
        steps.append(
            f"Merge {_name(found, one)} and {_name(found, other)}, or photograph what distinguishes them: in these "
            "photographs nothing tells them apart."
        )
    for cause in of_kind["few"]:
        steps.append(f"Photograph {_more(found, cause)} more of {_name(found, cause.label)}: {cause.said}.")
    for cause in of_kind["alike"]:
        steps.append(f"Photograph {_name(found, cause.label)} at other moments and places: {cause.said}.")
    for cause in of_kind["quality"]:
        steps.append(f"Replace the poor photographs of {_name(found, cause.label)}: {cause.said}.")
    for cause in of_kind["shortcut"]:
        steps.append(f"Photograph {_name(found, cause.label)} as the other classes are: {cause.said}.")
    steps += [_confused(found, *pair) for pair in _pairs(of_kind["look-alike"])]
    if named := _unjudged(found):
        steps.append(f"Photograph more of {named}: of so few photographs nothing can be said.")
    return steps


def _pairs(causes) -> list[tuple[int, int]]:
    """Return the pairs of classes that causes are about, each once."""
    return sorted({tuple(sorted((cause.label, cause.other))) for cause in causes})


def _confused(found, one, other) -> str:
    """Say how often two classes are taken for each other, the more often taken one first."""
    shares = {(a, b): taken(found.crossed, a)[b] for a, b in ((one, other), (other, one))}
    (one, other), share = max(shares.items(), key=lambda item: item[1])
    first, second = _name(found, one), _name(found, other)
    return (
        f"Photograph what tells {first} from {second}: {share:.0%} of the photographs of {first} are taken for "
        f"{second}, and {shares[other, one]:.0%} the other way round."
    )


def _name(found, label) -> str:
    return printable(found.crossed.index.classes[label])


def _more(found, cause: Cause) -> int:
    """Return how many photographs a class lacks to what the median class has, or to ENOUGH where that is less."""
    counts = sorted(one.images for one in found.recalls if one.images)
    median = counts[len(counts) // 2]
    wanted = min(ENOUGH, median)
    return max(1, math.ceil((wanted - found.recalls[cause.label].images) / 5) * 5)


def _unjudged(found) -> str:
    """Return the classes that are too small to be judged and for which no cause names that."""
    small = [
        _name(found, one.label)
        for one in found.recalls
        if one.images > 0 and not one.judged and "few" not in [cause.kind for cause in found.causes[one.label]]
    ]
    return shortened(small) if small else ""
