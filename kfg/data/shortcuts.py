"""Find shortcuts: signs other than the object that give away a class, such as a camera, a day, a border or blur.

A net learns such a shortcut easily, and its test figures then say nothing about other photographs.
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from kfg.data.fingerprints import FLAT, Fingerprint
from kfg.data.smoothness import BLURRED

LEAST = 3  # with fewer photographs of a class that share a sign, no claim is made
TELLS, TELLS_ELSEWHERE = 0.9, 0.1  # least share of the class, and greatest share of the others, with the same sign
# Blur tells a class even if only a part of its photographs is blurred, for a blurred photograph is then of this class.
BLUR_LEAST, BLUR_TELLS = 5, 0.2  # least number and share of the blurred photographs of the class
BLUR_TIMES = 5  # least quotient of that share and the share of the blurred photographs of all other classes
LEVELS = 32  # width, in levels per channel, of the steps in which border colours count as equal


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """A sign that nearly all photographs of a class share (of blur: many), and few photographs of other classes.

    Args:
        label: number of the class.
        said: the sign with its numbers, as half a sentence about the photographs of the class.
        advice: what a person can do about it.
    """

    label: int
    said: str
    advice: str


def find(prints: Sequence[Fingerprint], labels) -> list[Shortcut]:
    """Return the first shortcut found for each class that has one.

    Args:
        prints: fingerprints of N photographs that could be read.
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
    for one in _blurred(prints, labels):
        found.setdefault(one.label, one)
    return [found[label] for label in sorted(found)]


def _numbers(values) -> np.ndarray:
    """Return the values as numbers: equal values get the same number, None gets -1."""
    known = {
        value: number for number, value in enumerate(dict.fromkeys(value for value in values if value is not None))
    }
    return np.array([known.get(value, -1) for value in values], dtype=np.int64)


def _told(numbers, own, words, values) -> str:
    """Return half a sentence about a sign that the photographs of a class share; "" if it is not a shortcut."""
    there = numbers[own & (numbers >= 0)]
    if not len(there) or own.all():
        return ""
    commonest, count = collections.Counter(there.tolist()).most_common(1)[0]
    elsewhere = float((numbers[~own] == commonest).mean())
    if count < max(LEAST, TELLS * own.sum()) or elsewhere > TELLS_ELSEWHERE:
        return ""
    value = values[int(np.flatnonzero(numbers == commonest)[0])]
    return f"{count} of its {own.sum()} photographs {words.format(value)}, but only {elsewhere:.0%} of the others"


def _blurred(prints, labels) -> list[Shortcut]:
    """Return the classes of which many photographs are blurred, and hardly any of the others."""
    blurred = np.array([one.smoothness is not None and one.smoothness < BLURRED for one in prints], dtype=bool)
    found = []
    for label in np.unique(labels[blurred]):
        own = labels == label
        here, there, others = int(blurred[own].sum()), int(blurred[~own].sum()), int((~own).sum())
        share = here / own.sum()
        if others and here >= BLUR_LEAST and share >= max(BLUR_TELLS, BLUR_TIMES * there / others):
            first = prints[int(np.flatnonzero(blurred & own)[0])].path
            said = f"{here} of its {own.sum()} photographs are blurred (such as {first}), but only {there} of the "
            said += f"{others:,} photographs of other classes: a model may learn the blur instead of what they show"
            found.append(Shortcut(int(label), said, "replace them with sharp ones, or leave them out"))
    return found


def _common(prints) -> list[tuple[str, str, list]]:
    """Return the signs that photographs may share: for each sign its words, advice and a value (or None) per photo."""
    return [
        ("are grey", "add colour photographs of it, or make all classes grey", [one.grey or None for one in prints]),
        (
            "are from the camera {}", "take some of them with another camera, or other classes with this one",
            [one.camera or None for one in prints],
        ),
        ("were taken on {}", "add photographs of other days", [one.day or None for one in prints]),
        (
            "have a border of one colour", "cut the border off, or add photographs without a border",
            [_border(one.thumb) for one in prints],
        ),
        (
            "have {0[0]} x {0[1]} pixels", "add photographs of other sizes, or resize all classes to one size",
            [one.size for one in prints],
        ),
        (
            "are {} times as wide as high", "add photographs of other shapes, or crop all classes to one shape",
            [round(one.size[0] / one.size[1], 2) if one.size[1] else None for one in prints],
        ),
        (
            "are {} files", "save all classes in one format",
            [one.format or None for one in prints],
        ),
    ]  # fmt: skip


def _border(thumb) -> tuple | None:
    """Return the colour of a picture's border in coarse steps; None unless only the border is of a single colour."""
    if thumb is None:
        return None
    inside = np.zeros(thumb.shape[:2], bool)
    inside[1:-1, 1:-1] = True
    rim = thumb[~inside].astype(np.float64)
    if rim.std(axis=0).max() > FLAT or thumb[inside].astype(np.float64).std(axis=0).max() <= FLAT:
        return None
    return tuple(int(level) for level in rim.mean(axis=0) // LEVELS)
