"""Divide images into stratified train, val and test parts or into folds, keep groups together, and write split.csv.

`kfg.data.dealing` says how the groups of a class are dealt to the parts, and what happens to rare classes.
"""

import dataclasses
import io
import logging
import os

import numpy as np

from kfg.data import dealing, tables
from kfg.data.index import Index
from kfg.data.listing import untrained
from kfg.data.splitcsv import BOTH, split_rows
from kfg.errors import InputError
from kfg.files import whole
from kfg.names import printable

logger = logging.getLogger(__name__)

COLUMNS = ("path", "class", "part", "group", "sha256")
WANTED = (
    "a class is divided only if it has several photographs that are not copies or near-duplicates of each other; add "
    "photographs, so that some class has at least three"
)
FRACTIONS = {"val": 0.05, "test": 0.2}  # default fractions of all images
MIN_PER_CLASS = 4  # groups; with three groups, one for each part, fractions mean nothing


def split(
    index: Index, *, val: float = 0.15, test: float = 0.2, seed: int = 0, min_per_class: int = MIN_PER_CLASS
) -> Index:
    """Decide the part of every image; `kfg.data.dealing` describes the method.

    The parts val and test that the index already has are kept. A missing part is taken from the images that have no
    part yet. If these are fewer than the images of train, it is taken from both together, because it would come out far
    too small otherwise. `val` and `test` are fractions of the images that they are taken from. An image without a part
    gets the part of its group, if the group has one.

    If the given parts separate the images of a group, the official split leaks: this is logged and counted
    (`Index.separated`), nothing is moved, and the group counts as two groups from then on, so that `check_apart` can
    check all other groups. `check_apart` still refuses equal files in different parts.

    Corrections move no image to another part: the parts are those that the images had before them (the fractions of a
    class then differ a little). So a model that is trained after a review is tested on the same images. Only if they
    would leave a part empty, or a class without a training image, all images are divided anew.

    Args:
        index: the images, with groups.
        val, test: fraction of each class, >= 0, together below 1; 0: no such part.
        seed: int >= 0.
        min_per_class: number of groups; a class with fewer is rare.
    Returns:
        The same images in the same order, with `parts` and `separated` filled.
    Raises:
        InputError: fractions or seed are out of range; the given parts leave a class without a training image.
    Example:
        >>> from kfg.data.index import make_index
        >>> index = make_index(".", [f"{i}.jpg" for i in range(40)], [0] * 20 + [1] * 20, ["a", "b"])
        >>> decided = split(index, val=0.1, test=0.2)
        >>> [len(decided.where(part)) for part in ("train", "val", "test")]
        [28, 4, 8]
    """
    _check_numbers(val, test, min_per_class, seed)
    _check_trained(index)
    decided = None
    if index.uncorrected is not None:
        whole = _decided(_cut_groups_apart(index.uncorrected), val, test, seed, min_per_class)
        decided = _with_parts_of(index, whole)
    if decided is None or not _filled(decided, whole):
        decided = _decided(_cut_groups_apart(index), val, test, seed, min_per_class)
    _say_untrained(decided)
    return decided


def _filled(index, whole) -> bool:
    """Return whether no part of `whole` is empty in the index, and each class of it has a training image."""
    return set(index.parts) == set(whole.parts) and set(index.labels) == set(index.labels[index.where("train")])


def _with_parts_of(index, whole) -> Index:
    """Return the index with the parts and groups that its images have in `whole`, and with its count of leaks."""
    at = {path: position for position, path in enumerate(whole.paths)}
    own = [at[path] for path in index.paths]
    parts = tuple(whole.parts[i] for i in own)
    return dataclasses.replace(index, parts=parts, groups=whole.groups[own], separated=whole.separated)


def _decided(index, val, test, seed, min_per_class) -> Index:
    parts = _joined(index)
    given = set(index.parts)
    fractions = {part: share for part, share in (("test", test), ("val", val)) if part not in given}
    free, train = parts == "", parts == "train"
    if free.sum() < train.sum():
        free |= train
    return dataclasses.replace(index, parts=dealing.divided(index, parts, free, fractions, seed, min_per_class))


def fractions(val: float | None = None, test: float | None = None) -> dict[str, float]:
    """Return the fractions of val and test; those that are not given are the defaults in FRACTIONS.

    Example:
        >>> fractions(test=0.1)
        {'val': 0.05, 'test': 0.1}
    """
    asked = {name: value for name, value in (("val", val), ("test", test)) if value is not None}
    return {**FRACTIONS, **asked}


def empty_parts(index: Index, *, val: float = 0.15, test: float = 0.2) -> list[str]:
    """Return the parts that `split` would leave empty although their fraction is above 0.

    The arguments are those of `split`. The size of the fractions does not matter, only whether they are 0. If `split`
    would refuse the index, the list is empty.
    """
    if untrained(zip((index.classes[label] for label in index.labels), index.parts, strict=True)):
        return []
    decided = _decided(index, val, test, 0, MIN_PER_CLASS)
    asked = [part for part, share in (("train", 1), ("val", val), ("test", test)) if share]
    return [part for part in asked if not len(decided.where(part))]


def folds(index: Index, *, k: int, seed: int = 0, val: float = 0.15) -> list[Index]:
    """Divide the images k times so that every image is in test exactly once, stratified by class, groups kept together.

    Parts that the index has are ignored, because all images are tested. In each fold, val is taken from the images
    that are not in test; it is the fraction `val` of all images of each class, as in `split`.

    Args:
        index: the images, with groups.
        k: number of folds, >= 2.
        seed: int >= 0; the test parts depend only on the seed and on k.
        val: fraction of each class.
    Raises:
        InputError: k, val or seed is out of range, or there are fewer groups than folds.
    """
    if k < 2:
        raise InputError(f"k: must be at least 2 folds, got {k}")
    _check_numbers(val, 1 / k, 1, seed)
    groups = len(set(index.groups.tolist()))
    if groups < k:
        raise InputError(f"{index.root}: {k} folds need {k} groups of images, but there are only {groups}")
    tested = fold_of_each_image(index, k=k, seed=seed)
    decided = []
    for fold in range(k):
        parts = np.where(tested == fold, "test", "train").astype(object)
        # `val` is a fraction of all images of a class, but `divided` needs the fraction of the images not in test.
        carved = {"val": val * k / (k - 1)}
        parts = dealing.divided(index, parts, parts == "train", carved, seed * k + fold, 2)
        decided.append(dataclasses.replace(index, parts=parts))
        _say_untrained(decided[-1], f"fold {fold + 1} of {k}: ")
    return decided


def with_test_as_val(index: Index) -> Index:
    """Return the index with the images of val moved to train, and those of test to the part "val+test".

    This repeats a study that used one set as both val and test, and the part's name says so.
    """
    parts = {"val": "train", "test": BOTH}
    return dataclasses.replace(index, parts=tuple(parts.get(part, part) for part in index.parts))


def fold_of_each_image(index: Index, *, k: int, seed: int) -> np.ndarray:
    """Return the fold in which each image is tested, int64 (N,) in [0, k).

    Groups are kept together, and each class is spread evenly over the folds: its groups are dealt, the largest first,
    each to the fold that has the fewest images of the class.
    """
    tested = np.zeros(len(index), dtype=np.int64)
    in_fold = np.zeros(k, dtype=np.int64)
    for units in dealing.units_by_class(index, np.ones(len(index), dtype=bool), seed):
        of_class = np.zeros(k, dtype=np.int64)
        for unit in units:
            fold = np.lexsort((in_fold, of_class))[0]  # ties go to the fold that is smallest over all classes
            tested[unit] = fold
            of_class[fold] += len(unit)
            in_fold[fold] += len(unit)
    return tested


def _check_numbers(val, test, min_per_class, seed):
    for name, value in (("val", val), ("test", test)):
        if not 0 <= value < 1:
            raise InputError(f"{name}: must be a fraction in [0, 1), got {value}")
    if val + test >= 1:
        raise InputError(
            f"val and test: must be below 1 together, got {val} and {test}; nothing would be left to train on"
        )
    if min_per_class < 1:
        raise InputError(f"min_per_class: must be at least 1, got {min_per_class}")
    if seed < 0:
        raise InputError(f"seed: must be a whole number from 0 up, got {seed}")


def _check_trained(index):
    lacking = untrained(zip((index.classes[label] for label in index.labels), index.parts, strict=True))
    if lacking:
        name, where = next(iter(lacking.items()))
        remedy = "use the same name in every part, or add images of it to train"
        raise InputError(f"{index.root}: class {printable(name)!r} has {where}, none in train; {remedy}")


def _say_untrained(index, where=""):
    """Log a warning about classes that by chance have no training image: they cannot be learnt, only tested."""
    lacking = [index.classes[label] for label in np.flatnonzero(index.take(index.where("train")).counts() == 0)]
    if lacking:
        more = f" (and {len(lacking) - 1} more classes)" if len(lacking) > 1 else ""
        logger.warning("%s: %strain has no image of class %s%s", index.root, where, repr(printable(lacking[0])), more)


def _cut_groups_apart(index) -> Index:
    """Give new group ids where the given parts separate a group, so that no group lies in two parts; log and count."""
    ids, owner, fresh, leak = index.groups.copy(), {}, {}, None
    for position, (group, part) in enumerate(zip(index.groups.tolist(), index.parts, strict=True)):
        first = owner.setdefault(group, position) if part else position
        if part != index.parts[first]:
            leak = leak or (first, position)
            ids[position] = fresh.setdefault((group, part), int(index.groups.max()) + 1 + len(fresh))
    separated = len({group for group, _ in fresh})
    if leak:
        one, other = (f"{printable(index.paths[i])} ({index.parts[i]})" for i in leak)
        text = "%s: the given parts separate %d groups of duplicates or near-duplicates, such as %s and %s"
        logger.warning(text, index.root, separated, one, other)
    return dataclasses.replace(index, groups=ids, separated=separated)


def _joined(index) -> np.ndarray:
    """Return the part of every image; an image without a part gets the part of its group, "" if that has none."""
    part_of = {group: part for group, part in zip(index.groups.tolist(), index.parts, strict=True) if part}
    own = zip(index.groups.tolist(), index.parts, strict=True)
    return np.array([part or part_of.get(group, "") for group, part in own], dtype=object)


def check_apart(index: Index) -> None:
    """Check that the parts are disjoint by path, by content and by group.

    Raises:
        InputError: an image has no part, or two images with the same path, content or group lie in different parts; the
            message names them.
    """
    undecided = index.where("")
    if len(undecided):
        raise InputError(
            f"{index.root / index.paths[undecided[0]]}: is in no part (one of {len(undecided)} such images)"
        )
    for what, keys in (("path", index.paths), ("content", index.sha256), ("group", index.groups.tolist())):
        first = {}
        for position, key in enumerate(keys):
            other = first.setdefault(key, position)
            if key != "" and index.parts[other] != index.parts[position]:
                a, b = (f"{index.paths[i]} ({index.parts[i]})" for i in (other, position))
                raise InputError(f"{index.root}: {a} and {b} have the same {what}, but are in different parts")


def check_as_before(index: Index, path) -> None:
    """Check that no image is in another part than a split.csv of an earlier session says; if there is none, do nothing.

    Raises:
        InputError: an image is in another part now; the message names the first.
    """
    if not os.path.lexists(path):
        return
    before = {row["path"]: row["part"] for row in split_rows(path)[0]}
    for one, part in zip(index.paths, index.parts, strict=True):
        if before.get(one, part) != part:
            raise InputError(
                f"{path}: {printable(one)} was in {before[one]} and would now be in {part}, because the photographs, "
                "their corrections or kfg have changed since this run began; give another --out"
            )


def write_csv(index: Index, path) -> None:
    """Write a split.csv with path, class, part, group and sha256 of every image; `folder.read_split` reads it.

    Raises:
        InputError: an image has no part, or the file cannot be written (an old file stays as it is).
    """
    undecided = index.where("")
    if len(undecided):
        raise InputError(f"{path}: {index.paths[undecided[0]]} is in no part (one of {len(undecided)} such images)")
    text = io.StringIO(newline="")
    names = (index.classes[label] for label in index.labels)
    rows = zip(index.paths, names, index.parts, index.groups.tolist(), index.sha256, strict=True)
    tables.write_rows(text, [COLUMNS, *rows])
    with whole(path, "wb") as file:  # as bytes, so that names that are not UTF-8 stay the same
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))
