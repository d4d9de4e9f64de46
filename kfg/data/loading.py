"""Make the three Parts train, val and test: from a folder (`load`), or by dividing one Part (`split`)."""

import concurrent.futures
import os
import pathlib
import warnings
from typing import NamedTuple

import numpy as np

from kfg.data import arrays
from kfg.data.part import Part
from kfg.data.stores import MEMORY_BUDGET
from kfg.errors import InputError
from kfg.names import printable, told_apart

IMAGE_SIZE = 224  # pixels
BLOCK = 128  # images of a Part that are read at a time; at 224 pixels they take 19 MB


class Parts(NamedTuple):
    """The three parts of a data set, which can be unpacked: `train, val, test = ...`."""

    train: Part
    val: Part
    test: Part


def load(
    folder,
    *,
    image_size: int | tuple[int, int] = IMAGE_SIZE,
    seed: int = 0,
    val: float | None = None,
    test: float | None = None,
    cache_dir=None,
    memory_budget: int = MEMORY_BUDGET,
    corrections=True,
    csv=None,
    path_column: str | None = None,
    label_column: str | None = None,
    part_column: str | None = None,
) -> Parts:
    """Read a folder of photographs and divide it into train, val and test, as `kfg train` does.

    If the folder itself gives parts (by a `split.csv`, or by folders called train, val and test), they are kept. Copies
    and near-duplicates of a photograph stay in one part. Every photograph is decoded and resized once. Decisions that
    were made with `kfg review` are applied, and a warning says so.

    Args:
        folder: a folder with one sub-folder for each class, or in another layout that `kfg audit` takes.
        image_size: size in pixels, one number or (height, width); the aspect ratio is not kept.
        seed: int >= 0; the same seed gives the same division.
        val, test: fraction of each class, >= 0; default the fractions of `kfg train`.
        cache_dir: folder for decoded images that take more than `memory_budget`; default ~/.cache/kfg.
        memory_budget: bytes of decoded images that are kept in memory.
        corrections: True: apply `folder/corrections.csv` if it exists; False: apply none; else the path of such a
            table.
        csv: a table that lists the photographs and their classes, whatever the folders are called.
        path_column, label_column, part_column: the columns of that table; default those with usual names.
    Returns:
        (train, val, test), each a Part.
    Raises:
        InputError: the folder is missing, empty or not understood, a photograph cannot be read, or a fraction is out
            of range; the message names the path or argument.
    Example:
        train, val, test = kfg.load("photos", image_size=224)
        model.fit(train.batches(32), validation_data=val.batches(32), epochs=20)
    """
    from kfg.data import audit, class_names, corrected, decoded, labels, splits, stores, told
    from kfg.data import folder as folders
    from kfg.data.remarks import remark

    size = arrays.checked_size(image_size)
    listed = labels.given(csv, path_column, label_column, part_column)
    index = folders.scan(folder, corrections=corrections, labels=listed)
    class_names.check_names(index)
    if said := corrected.said(index.corrected):
        warnings.warn(said, stacklevel=2)
    for said in filter(None, (told.parts_read(index), remark(told.passed_over(index)))):
        warnings.warn(f"{printable(str(index.root))}: {said}", stacklevel=2)
    index = audit.duplicate_groups(index)
    index = splits.split(index, seed=arrays.whole_number("seed", seed), **splits.fractions(val, test))
    splits.check_apart(index)
    store = decoded.load(
        index,
        image_size=size,
        cache_dir=cache_dir or pathlib.Path.home() / ".cache" / "kfg",
        memory_budget=stores.Budget(memory_budget),
    )
    return _taken_apart(store, index)


def split(part: Part, *, val: float | None = None, test: float | None = None, seed: int = 0) -> Parts:
    """Divide labelled images into train, val and test, so that copies and near-duplicates stay in one part.

    If several images have the same path, as in parts that were added together, a number is added to each but the first.

    Args:
        part: all images.
        val, test: fraction of each class, >= 0; default the fractions of `kfg train`.
        seed: int >= 0; the same seed gives the same division.
    Returns:
        (train, val, test), each a Part.
    Raises:
        InputError: `part` is not a Part, a fraction is out of range, or a class is too small to be divided.
    """
    from kfg.data import fingerprints, splits
    from kfg.data.index import make_index

    if not isinstance(part, Part):
        raise InputError(
            f"part: expected a kfg.Part, got {type(part).__name__}; make one from arrays with kfg.Part(images, "
            "labels), or read a folder with kfg.load"
        )
    paths = told_apart(part.paths)
    prints = _prints(part.store, paths)
    index = make_index(
        part.root or ".",
        paths,
        part.labels,
        part.classes,
        groups=fingerprints.group(prints, part.groups.tolist()),
        sha256=[one.sha256 for one in prints],
    )
    index = splits.split(index, seed=arrays.whole_number("seed", seed), **splits.fractions(val, test))
    splits.check_apart(index)
    return _taken_apart(part.store, index)


def _prints(store, names) -> list:
    """Return the fingerprint of each image of a store, computed on all cores."""
    from kfg.data import fingerprints

    prints = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), BLOCK):
            called = names[start : start + BLOCK]
            images = store.gather(np.arange(start, start + len(called)))
            prints.extend(pool.map(fingerprints.of_pixels, images, called))
    return prints


def _taken_apart(store, index) -> Parts:
    return Parts(*(Part.of(index, store, name) for name in Parts._fields))
