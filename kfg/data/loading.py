"""Photographs as three Parts: read from a folder, or divided where they are one Part already."""

import pathlib
import warnings
from typing import NamedTuple

from kfg.data import arrays
from kfg.data.part import Part
from kfg.data.stores import MEMORY_BUDGET
from kfg.errors import InputError
from kfg.names import printable

IMAGE_SIZE = 224  # pixels


class Parts(NamedTuple):
    """The three parts of a data set; `train, val, test = ...` takes them apart."""

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
) -> Parts:
    """Read a folder of photographs and divide it into train, val and test, as `kfg train` does.

    The parts that a folder has (`split.csv`, or folders called train, val and test) are kept. Copies and
    near-duplicates of a photograph stay in one part. Every photograph is decoded and resized once.

    Args:
        folder: with one folder for each class, or another layout that `kfg audit` takes.
        image_size: pixels, one number or (height, width); the aspect ratio is not kept.
        seed: int >= 0; the same seed divides alike.
        val, test: fraction of each class, >= 0; default those of `kfg train`.
        cache_dir: where decoded images are kept that take more than `memory_budget`; default ~/.cache/kfg.
        memory_budget: bytes.
    Returns:
        (train, val, test), each a Part.
    Raises:
        InputError: a folder that is missing, empty or not understood, a photograph that cannot be read, a fraction
            out of range; the path or argument is named.
    Example:
        train, val, test = kfg.load("photos", image_size=224)
        model.fit(train.batches(32), validation_data=val.batches(32), epochs=20)
    """
    from kfg.data import audit, decoded, splits, stores
    from kfg.data import folder as folders
    from kfg.data.remarks import remark

    size = arrays.checked_size(image_size)
    index = folders.scan(folder)
    folders.check_names(index)
    for said in filter(None, (folders.parts_read(index), remark(folders.passed_over(index)))):
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

    Args:
        part: all images.
        val, test: fraction of each class, >= 0; default those of `kfg train`.
        seed: int >= 0; the same seed divides alike.
    Returns:
        (train, val, test), each a Part.
    Raises:
        InputError: something else than a Part, a fraction out of range, a class too small to be divided.
    """
    from kfg.data import fingerprints, splits
    from kfg.data.folder import make_index

    if not isinstance(part, Part):
        raise InputError(
            f"part: expected a kfg.Part, got {type(part).__name__}; kfg.Part(images, labels) makes one of arrays, "
            "kfg.load reads a folder and divides it"
        )
    prints = [fingerprints.of_pixels(part.store.gather([i])[0], part.paths[i]) for i in range(len(part))]
    index = make_index(
        part.root or ".",
        part.paths,
        part.labels,
        part.classes,
        groups=fingerprints.group(prints, part.groups.tolist()),
        sha256=[one.sha256 for one in prints],
    )
    index = splits.split(index, seed=arrays.whole_number("seed", seed), **splits.fractions(val, test))
    splits.check_apart(index)
    return _taken_apart(part.store, index)


def _taken_apart(store, index) -> Parts:
    return Parts(*(Part.of(index, store, name) for name in Parts._fields))
