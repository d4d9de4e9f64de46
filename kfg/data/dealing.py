"""Deal the groups of each class to train, val and test.

How a class is divided. Its groups (duplicates, near-duplicates, derived copies; see `audit.duplicate_groups`) are
shuffled and dealt, the largest first, each to the part that lacks most of its share in images. The share of a part is
its fraction of the images being divided, rounded; what is left is train's. With single images as groups every part
is within half an image of its fraction.

Rare classes. A class of fewer than `min_per_class` groups is not divided by fractions: its largest group goes to
train, the next one to test, the next to val, and the others to train. So one group is all in train, two are train and
test. Every other class has at least one group in each part whose fraction is not 0.

A group with images of several classes counts for the class most of them have, and is dealt once.
"""

import collections

import numpy as np


def divided(index, parts, free, fractions, seed, min_per_class) -> tuple[str, ...]:
    """Return the parts with the `free` images dealt to train and the parts of `fractions`."""
    parts = parts.copy()
    for units in units_by_class(index, free, seed):
        for unit, part in zip(units, _deal(units, fractions, min_per_class), strict=True):
            parts[unit] = part
    return tuple(parts.tolist())


def units_by_class(index, free, seed):
    """Yield, class by class, the groups of the `free` images as position arrays: shuffled, then the largest first."""
    members = collections.defaultdict(list)
    for position in np.flatnonzero(free):
        members[int(index.groups[position])].append(position)
    by_class = collections.defaultdict(list)
    for unit in members.values():
        by_class[int(np.bincount(index.labels[unit]).argmax())].append(np.array(unit))
    for label in sorted(by_class):
        units = by_class[label]
        order = np.random.default_rng([seed, label]).permutation(len(units))
        yield sorted((units[i] for i in order), key=len, reverse=True)


def _deal(units, fractions, min_per_class) -> list[str]:
    """Return the part of each of a class's units, which come largest first."""
    sought = [part for part in ("test", "val") if fractions.get(part, 0) > 0]
    if len(units) < max(min_per_class, 1 + len(sought)):
        return [*("train", *sought)[: len(units)], *["train"] * (len(units) - 1 - len(sought))]
    total = sum(len(unit) for unit in units)
    lacking = {part: max(1, int(fractions[part] * total + 0.5)) for part in sought}
    lacking["train"] = total - sum(lacking.values())
    dealt = []
    for left, unit in zip(range(len(units), 0, -1), units, strict=True):
        empty = [part for part in ("train", *sought) if part not in dealt]
        # The last units go to parts that still have none, whatever they lack.
        choice = empty if len(empty) >= left else ["train", *sought]
        part = max(choice, key=lambda part: lacking[part])
        lacking[part] -= len(unit)
        dealt.append(part)
    return dealt
