"""Deal the groups of each class to train, val and test.

How a class is divided. Its groups (duplicates, near-duplicates, derived copies; see `audit.duplicate_groups`) are
shuffled and dealt, the largest first, each to the part that still lacks the most images. The share of a part is its
fraction of the images to be divided, rounded; train gets the rest. If every group is a single image, each part is
within half an image of its fraction.

Rare classes. A class of fewer than `min_per_class` groups is not divided by fractions: its largest group goes to
train, the next one to test, the next to val, and the others to train. So a class of one group is all in train, and
one of two groups is in train and test. Every other class has at least one group in each part whose fraction is not 0.

A group with images of several classes counts for the class that most of them have, and is dealt once.
"""

import collections

import numpy as np


def divided(index, parts, free, fractions, seed, min_per_class) -> tuple[str, ...]:
    """Return the part of every image, after dealing the `free` images to train and the parts in `fractions`."""
    parts = parts.copy()
    for units in units_by_class(index, free, seed):
        for unit, part in zip(units, _deal(units, fractions, min_per_class), strict=True):
            parts[unit] = part
    return tuple(parts.tolist())


def units_by_class(index, free, seed):
    """Yield, for each class, the list of its groups among the `free` images.

    A group is an array of image positions. The groups of a class are shuffled and then sorted, the largest first.
    """
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
    """Return the part of each group (unit) of a class; the groups come sorted, the largest first."""
    sought = [part for part in ("test", "val") if fractions.get(part, 0) > 0]
    if len(units) < max(min_per_class, 1 + len(sought)):
        return [*("train", *sought)[: len(units)], *["train"] * (len(units) - 1 - len(sought))]
    total = sum(len(unit) for unit in units)
    lacking = {part: max(1, int(fractions[part] * total + 0.5)) for part in sought}
    lacking["train"] = total - sum(lacking.values())
    dealt = []
    for left, unit in zip(range(len(units), 0, -1), units, strict=True):
        empty = [part for part in ("train", *sought) if part not in dealt]
        # The last groups go to parts that have no group yet, whatever number of images these lack.
        choice = empty if len(empty) >= left else ["train", *sought]
        part = max(choice, key=lambda part: lacking[part])
        lacking[part] -= len(unit)
        dealt.append(part)
    return dealt
