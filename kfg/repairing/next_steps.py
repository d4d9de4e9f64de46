"""Sentences that tell a person what to do about weak classes, the most useful first."""

import collections
import math

from kfg.names import counted, printable, quoted, shortened
from kfg.repairing.causes import Cause, taken
from kfg.repairing.findings import Diagnosis
from kfg.runs import run_files

PAIRS = 5  # most pairs of confused classes that get a sentence each
ENOUGH = 40  # photographs; a small class is asked to have this many, or as many as the median class if that is less


def next_steps(found: Diagnosis, *, run, suspects: str = "") -> list[str]:
    """Return a sentence for each thing to do by hand.

    Args:
        run: the run's folder.
        suspects: path of suspects.csv, as a reader should type it; "" where it has not been written.
    """
    steps, count, changed = [], len(found.suspects()), len(found.evidence.decided.changed)
    if changed:
        have = "has" if changed == 1 else "have"
        steps.append(
            f"Train again: {counted(changed, 'photograph')} of this run {have} been relabelled or left out in "
            f"{run_files.CORRECTIONS}, and the run has learned from the earlier labels."
        )
    if count:
        steps.append(
            f"Look at {counted(count, 'photograph')} whose label is contradicted. The command `kfg review "
            f"{quoted(found.crossed.index.root)} --run {quoted(run)}` shows them one by one, to keep, relabel or leave "
            "out" + (f"; {suspects} lists them." if suspects else ".") + " It leaves out the test photographs: with "
            "`--class NAME` instead of `--run` it shows all photographs of a class."
        )
    of_kind = collections.defaultdict(list)
    for causes in found.causes.values():
        for cause in causes[:1]:
            of_kind[cause.kind].append(cause)
    for one, other in _pairs(of_kind["one-class"]):
        steps.append(
            f"Merge {_name(found, one)} and {_name(found, other)}, or photograph what distinguishes them: these "
            "photographs do not tell them apart."
        )
    for cause in of_kind["few"]:
        steps.append(f"Add {counted(_more(found, cause), 'photograph')} of {_name(found, cause.label)}: {cause.said}.")
    for cause in of_kind["rising"]:
        steps.append(f"Add photographs of {_name(found, cause.label)}: {cause.said}.")
    for cause in of_kind["alike"]:
        steps.append(f"Photograph {_name(found, cause.label)} at other moments and places: {cause.said}.")
    for cause in of_kind["quality"]:
        steps.append(f"Replace the poor photographs of {_name(found, cause.label)}: {cause.said}.")
    for cause in of_kind["shortcut"]:
        steps.append(f"Photograph {_name(found, cause.label)} in the same way as the other classes: {cause.said}.")
    for cause in of_kind["prior"]:
        steps.append(f"Add photographs of {_name(found, cause.label)}: {cause.said}.")
    steps += _all_confused(found, _pairs(of_kind["look-alike"]))
    if named := shortened([_name(found, label) for label in found.weak if not found.causes[label]]):
        steps.append(
            f"Add photographs of {named}: no cause was found why they are recognised less often than the others."
        )
    if named := _unjudged(found):
        steps.append(f"Add photographs of {named}: these classes have too few photographs to be judged.")
    return steps


def _pairs(causes) -> list[tuple[int, int]]:
    """Return the pairs of classes that the causes are about, each pair once."""
    return sorted({tuple(sorted((cause.label, cause.other))) for cause in causes})


def _all_confused(found, pairs) -> list[str]:
    """Return a sentence for each of the pairs that are confused most, and one for all others."""
    ordered = sorted(pairs, key=lambda pair: -max(_shares(found, *pair).values()))
    told = [_confused(found, *pair) for pair in ordered[:PAIRS]]
    if rest := ordered[PAIRS:]:
        named = shortened([f"{_name(found, one)} and {_name(found, other)}" for one, other in rest])
        told.append(f"Photograph also what distinguishes {counted(len(rest), 'more pair')} of classes: {named}.")
    return told


def _shares(found, one, other) -> dict[tuple[int, int], float]:
    """Return (class, other class) -> share of the class's photographs that are taken for the other, both ways."""
    return {(a, b): taken(found.crossed, a)[b] for a, b in ((one, other), (other, one))}


def _confused(found, one, other) -> str:
    """Say how often each of two classes is mistaken for the other, the more frequent mistake first."""
    shares = _shares(found, one, other)
    (one, other), share = max(shares.items(), key=lambda item: item[1])
    first, second = _name(found, one), _name(found, other)
    return (
        f"Photograph what distinguishes {first} from {second}: {share:.0%} of the photographs of {first} are taken for "
        f"{second}, and {shares[other, one]:.0%} the other way round."
    )


def _name(found, label) -> str:
    return printable(found.crossed.index.classes[label])


def _more(found, cause: Cause) -> int:
    """Return how many photographs a class lacks: up to the median class's number, or ENOUGH if that is less."""
    counts = sorted(one.images for one in found.recalls if one.images)
    median = counts[len(counts) // 2]
    wanted = min(ENOUGH, median)
    return max(1, math.ceil((wanted - found.recalls[cause.label].images) / 5) * 5)


def _unjudged(found) -> str:
    """Return the names of the classes too small to be judged, unless a cause says already that they have too few."""
    small = [
        _name(found, one.label)
        for one in found.recalls
        if one.images > 0 and not one.judged and "few" not in [cause.kind for cause in found.causes[one.label]]
    ]
    return shortened(small) if small else ""
