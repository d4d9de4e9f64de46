"""Read a data folder of any layout, or a split.csv, into an Index."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg.data import corrected, layouts, splitcsv
from kfg.data import labels as labelling
from kfg.data.contest import list_folder
from kfg.data.index import Index, make_index
from kfg.data.listing import checked_root
from kfg.data.remarks import remark
from kfg.data.splitcsv import BOTH
from kfg.errors import InputError
from kfg.names import printable, shortened
from kfg.runs import run_files

BOTH_PARTS = f"part {BOTH!r} only describes what a run did; for a new run put each image into one part"
logger = logging.getLogger(__name__)


def scan(
    root, classes: Sequence[str] | None = None, *, corrections=True, labels: labelling.Labels | None = None
) -> Index:
    """Read a data folder, and apply the corrections that lie in it.

    These layouts are tried, in this order: `root/split.csv` (see `splitcsv`; the official split), a data set as it is
    published (see `layouts`), `root/train/ID_name/...` beside a `root/test` without class folders (see `contest`; no
    part is decided, test is left out), `root/{train,val,test}/<class>/...` under these or other usual names (see
    `part_folders`), `root/<class>/...`. Class folders may hold further folders.
    Hidden files and folders are skipped and logged, and so are files that have neither the name nor the first bytes of
    an image.

    Args:
        root: the folder.
        classes: class names in the wanted order; default the order of a published set, else the sorted names found in
            all parts.
        corrections: True: apply `root/corrections.csv` if it exists; False: apply none; else the path of a table.
        labels: a table that lists the photographs and their classes, whatever the folders are called.
    Returns:
        An Index; `parts` is filled if the folder gives the parts.
    Raises:
        InputError: the folder is missing, unreadable or empty; there are fewer than two classes and `classes` is not
            given; a class is unknown; class ids of a contest are missing or equal; the corrections cannot be used (see
            `kfg.data.corrected.find`).
    """
    root = checked_root(root)
    found = _scanned(root, classes) if labels is None else _labelled(root, labels, classes)
    return _corrected(found, corrections)


def _scanned(root, classes) -> Index:
    """Read a data folder without applying corrections."""
    if (root / run_files.SPLIT).is_file():
        index = read_split(root / run_files.SPLIT, root, classes=classes)
        if BOTH in index.parts:
            raise InputError(f"{root / run_files.SPLIT}: {BOTH_PARTS}")
        return index
    layout = layouts.find(root)
    if layout is not None:
        return from_layout(layout, root, classes=classes)
    listing = list_folder(root)
    if listing.refused:
        error = listing.refused[0]
        raise InputError(f"{error.filename}: {error.strerror}") from error
    if refusal := [*listing.misnamed, *listing.unclear]:
        raise InputError(refusal[0])
    for path, why in listing.skipped:
        logger.info("skipped %s: %s", root / path, why)
    for name in sorted(set(listing.folders) - {name for _, name, _ in listing.images}):
        logger.warning("%s: class folder without an image: %s", root, printable(name))
    if not listing.images:
        raise InputError(f"{root}: no images found (expected {root}/<class>/*.jpg){_instead(listing.skipped)}")
    return _build(root, listing.images, classes)


def _labelled(root, labels, classes) -> Index:
    """Read the photographs that a table of labels lists; their parts come from the table, else from a split.csv."""
    listed, split = labelling.read(labels, root), root / run_files.SPLIT
    names = {name for _, name, _ in listed.images}
    if classes is None and len(names) < 2:
        raise InputError(
            f"{labels.csv}: all photographs have the label {printable(min(names))!r}, but a classifier needs two "
            "classes; choose another column with --label-column"
        )
    index = _build(root, listed.images, classes)
    if split.is_file():
        index = _divided_as(split, index, listed)
    return dataclasses.replace(index, listed=listed)


def _divided_as(split, index, listed) -> Index:
    """Return the photographs of a table of labels with the parts of a split.csv; both must list the same ones."""
    given = read_split(split, index.root, classes=index.classes)
    one, other = (dict(zip(some.paths, some.labels.tolist(), strict=True)) for some in (index, given))
    if listed.parted or one != other or BOTH in given.parts:
        differ = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
        why = f"{len(differ):,} photographs differ, such as {printable(differ[0])}" if differ else "both give the parts"
        raise InputError(
            f"{split}: cannot be used together with {listed.csv} ({why}); remove {run_files.SPLIT}, or leave out --csv"
        )
    return given


def _corrected(index: Index, wanted) -> Index:
    """Return an index with the corrections applied; its list of classes stays the same."""
    names = [index.classes[label] for label in index.labels]
    found = corrected.find(index.root, zip(index.paths, names, strict=True), index.classes, wanted=wanted)
    if found is None:
        return index
    ids = {name: number for number, name in enumerate(index.classes)}
    labels = [ids[found.after.get(path, name)] for path, name in zip(index.paths, names, strict=True)]
    kept = [at for at, path in enumerate(index.paths) if path not in found.left_out]
    relabelled = dataclasses.replace(index, labels=np.array(labels, dtype=np.int32), corrected=found)
    return dataclasses.replace(relabelled.take(kept), uncorrected=index)


def _instead(skipped) -> str:
    """Return an ending for a message that says what a folder without images holds; "" if that is nothing of note."""
    said = remark(skipped)
    return f"; {said}" if said else ""


def from_layout(layout: layouts.Layout, root, *, classes: Sequence[str] | None = None) -> Index:
    """Make the Index of a published data set; its classes have the set's own order unless `classes` is given.

    Raises:
        InputError: a listed image is missing, or a class is unknown.
    """
    root = pathlib.Path(root)
    for path, _, _ in layout.images:
        if not (root / path).is_file():
            raise InputError(f"{layout.lists}: {root / path} does not exist")
    return _build(root, layout.images, classes, own=layout.classes)


def read_split(path, root, *, classes: Sequence[str] | None = None) -> Index:
    """Read a split.csv: columns path, class, part (or split), and optionally group, sha256.

    Raises:
        InputError: as `splitcsv.split_rows`; or a listed file is missing.
    """
    path, root = pathlib.Path(path), pathlib.Path(root)
    rows, columns = splitcsv.split_rows(path, root)
    rows = splitcsv.on_disk(rows, root)
    for row in rows:
        if not os.path.isfile(root / row["path"]):
            raise InputError(f"{path}:{row['line']}: {splitcsv.missing(root, row['path'])}")
    index = _build(root, [(row["path"], row["class"], row["part"]) for row in rows], classes)
    if "group" in columns:
        index = dataclasses.replace(index, groups=np.array([row["group"] for row in rows], dtype=np.int64))
    if "sha256" in columns:
        index = dataclasses.replace(index, sha256=tuple(row["sha256"] for row in rows))
    return index


def _build(root, found, classes, *, own=None) -> Index:
    own_names = sorted({name for _, name, _ in found})
    if classes is None:
        if len(own_names) < 2:
            raise InputError(
                f"{root}: one class only ({printable(own_names[0])!r}); a classifier needs at least two: give the "
                "folder that holds the class folders"
            )
        classes = own or own_names
    classes = tuple(classes)
    unknown = [name for name in own_names if name not in classes]
    if unknown:
        expected = f"the {len(classes)} classes expected ({printable(shortened(classes))})"
        raise InputError(f"{root}: class {printable(unknown[0])!r} is not among {expected}")
    ids = {name: i for i, name in enumerate(classes)}
    return make_index(
        root,
        [path for path, _, _ in found],
        [ids[name] for _, name, _ in found],
        classes,
        parts=[part for _, _, part in found],
    )
