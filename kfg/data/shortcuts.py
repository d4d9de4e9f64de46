"""What tells a class besides its object: a camera, a day, a size, a border, that all is grey.

A net takes such a shortcut gladly, and its figures then say nothing of other photographs.
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from kfg.data.fingerprints import FLAT, Fingerprint

LEAST = 3  # photographs of a class, below which nothing is claimed
TELLS, TELLS_ELSEWHERE = 0.9, 0.1  # share of the class, and of the others, that have something in common
LEVELS = 32  # of a border's colour, per channel, that count as one


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """Something that nearly all photographs of a class have in common, and few others.

    Args:
        label: the class.
        said: what it is, with its numbers, half a sentence about the class's photographs.
        advice: what a person can do about it.
    """

    label: int
    said: str
    advice: str


def find(prints: Sequence[Fingerprint], labels) -> list[Shortcut]:
    """Return the shortcuts, for each class the first that there is.

    Args:
        prints: of N photographs that could be read.
        labels: int (N,).
    """
    labels = np.asarray(labels)
    found = {}
    for words, advice, values in _common(prints):
        numbers = _numbers(values)
        for label in np.unique(labels):
            said = _told(numbers, labels == label, words, values)
            if said and label not in found:
                found[int(label)] = Shortcut(int(label), said, advice)
    return [found[label] for label in sorted(found)]


def _numbers(values) -> np.ndarray:
    """Return a number for each different value, -1 for None."""
    known = {
        value: number for number, value in enumerate(dict.fromkeys(value for value in values if value is not None))
    }
    return np.array([known.get(value, -1) for value in values], dtype=np.int64)


def _told(numbers, own, words, values) -> str:
    """Say what a class's photographs share, or "" where they share nothing that the others lack."""
    there = numbers[own & (numbers >= 0)]
    if not len(there) or own.all():
        return ""
    commonest, count = collections.Counter(there.tolist()).most_common(1)[0]
    elsewhere = float((numbers[~own] == commonest).mean())
    if count < max(LEAST, TELLS * own.sum()) or elsewhere > TELLS_ELSEWHERE:
        return ""
    value = values[int(np.flatnonzero(numbers == commonest)[0])]
    return f"{count} of its {own.sum()} photographs {words.format(value)}, against {elsewhere:.0%} of the others"


def _common(prints) -> list[tuple[str, str, list]]:
    """Return what photographs may have in common: words, advice, and a value of each photograph or None."""
    return [
        ("are grey", "add photographs of it in colour, or make all classes grey", [one.grey or None for one in prints]),
        (
            "are by the camera {}", "take some of them with another camera, or other classes with this one",
            [one.camera or None for one in prints],
        ),
        ("were taken on {}", "add photographs of other days", [one.day or None for one in prints]),
        (
            "have a border of one colour", "cut the border off, or add photographs without one",
            [_border(one.thumb) for one in prints],
        ),
        (
            "have {0[0]} x {0[1]} pixels", "add photographs of other sizes, or bring all classes to one size",
            [one.size for one in prints],
        ),
        (
            "are {} times as wide as high", "add photographs of other shapes, or bring all classes to one shape",
            [round(one.size[0] / one.size[1], 2) if one.size[1] else None for one in prints],
        ),
        (
            "are files of the kind {}", "save all classes in one format",
            [one.format or None for one in prints],
        ),
    ]  # fmt: skip


def _border(thumb) -> tuple | None:
    """Return the colour of a picture's rim where it has one colour and the middle has not, in coarse steps."""
    if thumb is None:
        return None
    inside = np.zeros(thumb.shape[:2], bool)
    inside[1:-1, 1:-1] = True
    rim = thumb[~inside].astype(np.float64)
    if rim.std(axis=0).max() > FLAT or thumb[inside].astype(np.float64).std(axis=0).max() <= FLAT:
        return None
    return tuple(int(level) for level in rim.mean(axis=0) // LEVELS)
