"""Stratified train, val and test parts that keep groups together; folds; split.csv.

How the groups of a class are dealt to the parts, and what becomes of rare classes, is said in `kfg.data.dealing`.
"""

import csv
import dataclasses
import io
import logging

import numpy as np

from kfg.data import dealing
from kfg.data.folder import Index
from kfg.data.listing import untrained
from kfg.data.splitcsv import BOTH
from kfg.errors import InputError
from kfg.files import whole
from kfg.names import printable

logger = logging.getLogger(__name__)

COLUMNS = ("path", "class", "part", "group", "sha256")
WANTED = (
    "a class is divided only if it has several photographs that are not copies or near-duplicates of each other; add "
    "photographs, so that some class has at least three"
)
FRACTIONS = {"val": 0.05, "test": 0.2}  # of all images, where nothing else is asked for
MIN_PER_CLASS = 4  # groups; with three, one each, fractions mean nothing


def split(
    index: Index, *, val: float = 0.15, test: float = 0.2, seed: int = 0, min_per_class: int = MIN_PER_CLASS
) -> Index:
    """Decide the part of every image; `kfg.data.dealing` says how.

    Parts that the index already has are kept. Those it lacks are cut out of the images that have no part, or out of
    train if all have one; `val` and `test` are fractions of these images. An image without a part whose group has
    one goes there. A group that the given parts cut in two is a leak of the official split: it is logged, left, and
    from there on two groups, so that `check_apart` can hold the rest to the rule. Equal bytes it still refuses.

    Args:
        index: the images, with groups.
        val, test: fraction of each class, >= 0, together below 1; 0 for no such part.
        seed: int >= 0.
        min_per_class: groups; a class with fewer is rare.
    Returns:
        the same images in the same order, with `parts` filled.
    Raises:
        InputError: fractions or seed out of range; given parts that leave a class with images nothing to train on.
    Example:
        >>> from kfg.data.folder import make_index
        >>> index = make_index(".", [f"{i}.jpg" for i in range(40)], [0] * 20 + [1] * 20, ["a", "b"])
        >>> decided = split(index, val=0.1, test=0.2)
        >>> [len(decided.where(part)) for part in ("train", "val", "test")]
        [28, 4, 8]
    """
    _check_numbers(val, test, min_per_class, seed)
    _check_trained(index)
    index = _decided(_cut_groups_apart(index), val, test, seed, min_per_class)
    _say_untrained(index)
    return index


def _decided(index, val, test, seed, min_per_class) -> Index:
    parts = _joined(index)
    given = set(index.parts)
    fractions = {part: share for part, share in (("test", test), ("val", val)) if part not in given}
    free = parts == ""
    if not free.any():
        free = parts == "train"
    return dataclasses.replace(index, parts=dealing.divided(index, parts, free, fractions, seed, min_per_class))


def fractions(val: float | None = None, test: float | None = None) -> dict[str, float]:
    """Return the fractions that are asked for, with FRACTIONS for those that are not.

    Example:
        >>> fractions(test=0.1)
        {'val': 0.05, 'test': 0.1}
    """
    asked = {name: value for name, value in (("val", val), ("test", test)) if value is not None}
    return {**FRACTIONS, **asked}


def empty_parts(index: Index, *, val: float = 0.15, test: float = 0.2) -> list[str]:
    """Return the parts that `split` would leave without an image, though a fraction is asked for.

    Arguments as for `split`. How large the fractions are does not matter, only whether they are 0. None are named
    where `split` refuses the index.
    """
    if untrained(zip((index.classes[label] for label in index.labels), index.parts, strict=True)):
        return []
    decided = _decided(index, val, test, 0, MIN_PER_CLASS)
    asked = [part for part, share in (("train", 1), ("val", val), ("test", test)) if share]
    return [part for part in asked if not len(decided.where(part))]


def folds(index: Index, *, k: int, seed: int = 0, val: float = 0.15) -> list[Index]:
    """Divide k times so that every image is in test exactly once, stratified by class, groups kept together.

    Parts that the index has are put aside: all images are tested. Within a fold, val is carved from the rest; it
    is `val` of each class's images, as in `split`.

    Args:
        index: the images, with groups.
        k: folds, >= 2.
        seed: int >= 0; the test sets depend on it and on k only.
        val: fraction of each class.
    Raises:
        InputError: k, val or seed out of range, or fewer groups than folds.
    """
    if k < 2:
        raise InputError(f"k: at least 2 folds, got {k}")
    _check_numbers(val, 1 / k, 1, seed)
    groups = len(set(index.groups.tolist()))
    if groups < k:
        raise InputError(f"{index.root}: {k} folds need {k} groups of images, there are {groups}")
    tested = fold_of_each_image(index, k=k, seed=seed)
    decided = []
    for fold in range(k):
        parts = np.where(tested == fold, "test", "train").astype(object)
        # `val` is a fraction of all images of a class, the carving wants one of what is not in test.
        carved = {"val": val * k / (k - 1)}
        parts = dealing.divided(index, parts, parts == "train", carved, seed * k + fold, 2)
        decided.append(dataclasses.replace(index, parts=parts))
        _say_untrained(decided[-1], f"fold {fold + 1} of {k}: ")
    return decided


def with_test_as_val(index: Index) -> Index:
    """Return the index with val's images in train and test's in "val+test": a study's one set for both, said so."""
    parts = {"val": "train", "test": BOTH}
    return dataclasses.replace(index, parts=tuple(parts.get(part, part) for part in index.parts))


def fold_of_each_image(index: Index, *, k: int, seed: int) -> np.ndarray:
    """Return int64 (N,), in [0, k): groups are kept together, and each class is spread evenly over the folds.

    The groups of each class are dealt, the largest first, each to the fold that has fewest of the class.
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
            raise InputError(f"{name}: a fraction in [0, 1), got {value}")
    if val + test >= 1:
        raise InputError(f"val and test: together below 1, got {val} and {test}; nothing would be left to train on")
    if min_per_class < 1:
        raise InputError(f"min_per_class: at least 1, got {min_per_class}")
    if seed < 0:
        raise InputError(f"seed: a whole number from 0 up, got {seed}")


def _check_trained(index):
    lacking = untrained(zip((index.classes[label] for label in index.labels), index.parts, strict=True))
    if lacking:
        name, where = next(iter(lacking.items()))
        remedy = "name it alike in every part, or give train images of it"
        raise InputError(f"{index.root}: class {printable(name)!r} has {where}, none to train on; {remedy}")


def _say_untrained(index, where=""):
    """Warn of classes that chance left without an image to train on: they cannot be learnt, only tested."""
    lacking = [index.classes[label] for label in np.flatnonzero(index.take(index.where("train")).counts() == 0)]
    if lacking:
        more = f" (and {len(lacking) - 1} more classes)" if len(lacking) > 1 else ""
        logger.warning("%s: %sno image of class %s is in train%s", index.root, where, repr(printable(lacking[0])), more)


def _cut_groups_apart(index) -> Index:
    """Give the sides of a group that the given parts cut a group id each."""
    ids, owner, fresh, leak = index.groups.copy(), {}, {}, None
    for position, (group, part) in enumerate(zip(index.groups.tolist(), index.parts, strict=True)):
        first = owner.setdefault(group, position) if part else position
        if part != index.parts[first]:
            leak = leak or (first, position)
            ids[position] = fresh.setdefault((group, part), int(index.groups.max()) + 1 + len(fresh))
    if leak:
        one, other = (f"{printable(index.paths[i])} ({index.parts[i]})" for i in leak)
        text = "%s: the given parts separate %d groups of duplicates or near-duplicates, such as %s and %s"
        logger.warning(text, index.root, len({group for group, _ in fresh}), one, other)
    return dataclasses.replace(index, groups=ids)


def _joined(index) -> np.ndarray:
    """Return the parts, undecided images in that of their group."""
    part_of = {group: part for group, part in zip(index.groups.tolist(), index.parts, strict=True) if part}
    own = zip(index.groups.tolist(), index.parts, strict=True)
    return np.array([part or part_of.get(group, "") for group, part in own], dtype=object)


def check_apart(index: Index) -> None:
    """Check that the parts are disjoint by path, by content and by group.

    Raises:
        InputError: an image without a part, or two images, named, that are one and lie in different parts.
    """
    undecided = index.where("")
    if len(undecided):
        raise InputError(f"{index.root / index.paths[undecided[0]]}: in no part (of {len(undecided)} such images)")
    for what, keys in (("path", index.paths), ("content", index.sha256), ("group", index.groups.tolist())):
        first = {}
        for position, key in enumerate(keys):
            other = first.setdefault(key, position)
            if key != "" and index.parts[other] != index.parts[position]:
                a, b = (f"{index.paths[i]} ({index.parts[i]})" for i in (other, position))
                raise InputError(f"{index.root}: {a} and {b} have the same {what}, but lie in different parts")


def write_csv(index: Index, path) -> None:
    """Write path, class, part, group and sha256 of every image; `folder.read_split` reads it.

    Raises:
        InputError: an image without a part, or the file cannot be written (what was there stays).
    """
    undecided = index.where("")
    if len(undecided):
        raise InputError(f"{path}: {index.paths[undecided[0]]} is in no part (of {len(undecided)} such images)")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    names = (index.classes[label] for label in index.labels)
    for row in zip(index.paths, names, index.parts, index.groups.tolist(), index.sha256, strict=True):
        # before Python 3.13 the writer leaves a carriage return bare, and the reader ends the line there
        (quoting if "\r" in row[0] + row[1] else writer).writerow(row)
    with whole(path, "wb") as file:  # names that are not UTF-8 keep their bytes
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))
