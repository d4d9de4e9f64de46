"""Class folders on disk -> Index, the list of labelled images that everything else takes."""

import dataclasses
import hashlib
import logging
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg import names
from kfg.data import layouts, splitcsv
from kfg.data.contest import list_folder
from kfg.data.listing import SUFFIXES as SUFFIXES
from kfg.data.listing import checked_root
from kfg.data.part_folders import PARTS as PARTS
from kfg.data.remarks import remark
from kfg.data.splitcsv import BOTH
from kfg.data.splitcsv import split_rows as split_rows
from kfg.errors import InputError
from kfg.names import is_utf8, printable, shortened
from kfg.runs import run_files

BOTH_PARTS = f"part {BOTH!r} says what a run did; for a new one an image is in one part"
logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Labelled images of one folder.

    Args:
        root: folder that `paths` are relative to.
        paths: N posix paths relative to `root`.
        labels: int32 array (N,), in [0, C).
        classes: C class names; their order is decided once and travels with the index.
        parts: N strings, "train", "val", "test", "val+test" of `splits.with_test_as_val`, or "" where no part is
            decided.
        groups: int64 array (N,); images of one group (copies, near-duplicates) stay in one part.
        sha256: N hex digests of the file bytes, "" where not read.
    """

    root: pathlib.Path
    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: tuple[str, ...]
    groups: np.ndarray
    sha256: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions) -> "Index":
        """Return the images at `positions` (ints, any order), classes unchanged."""
        positions = np.asarray(positions, dtype=np.int64)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in positions),
            labels=self.labels[positions],
            parts=tuple(self.parts[i] for i in positions),
            groups=self.groups[positions],
            sha256=tuple(self.sha256[i] for i in positions),
        )

    def where(self, part: str) -> np.ndarray:
        """Return the int64 positions of the images of one part; those of "val+test" are in both."""
        own = np.asarray(self.parts, dtype=object)
        return np.flatnonzero((own == part) | ((own == BOTH) & (part in BOTH.split("+"))))

    def counts(self) -> np.ndarray:
        """Return int64 (C,), images per class."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def full_paths(self) -> list[pathlib.Path]:
        return [self.root / path for path in self.paths]


def make_index(root, paths, labels, classes, *, parts=None, groups=None, sha256=None) -> Index:
    """Build an Index, filling what is not known (part "", one group per image, digest "")."""
    labels = np.asarray(labels, dtype=np.int32)
    classes = tuple(classes)
    if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
        bad = int(np.flatnonzero((labels < 0) | (labels >= len(classes)))[0])
        raise InputError(f"{pathlib.Path(root) / paths[bad]}: label {labels[bad]} is outside [0, {len(classes)})")
    count = len(paths)
    return Index(
        root=pathlib.Path(root),
        paths=tuple(paths),
        labels=labels,
        classes=classes,
        parts=tuple(parts) if parts is not None else ("",) * count,
        groups=np.asarray(groups, dtype=np.int64) if groups is not None else np.arange(count),
        sha256=tuple(sha256) if sha256 is not None else ("",) * count,
    )


def fingerprint(index: Index) -> str:
    """Return a digest of the images and their classes: same data, same fingerprint, wherever it lies."""
    found = hashlib.sha256(repr(index.classes).encode())
    for row in sorted(zip(index.paths, index.labels.tolist(), index.parts, index.sha256, strict=True)):
        found.update(repr(row).encode())
    return found.hexdigest()[:16]


def scan(root, classes: Sequence[str] | None = None) -> Index:
    """Read a data folder.

    Understood, in this order: `root/split.csv` (see `splitcsv`; the official split), a set as published (see
    `layouts`), `root/train/ID_name/...` beside a `root/test` without class folders (see `contest`; no part is decided,
    test is left out), `root/{train,val,test}/<class>/...` under these or other usual names (see `part_folders`),
    `root/<class>/...`. Class folders may hold further folders.
    Hidden files and folders are skipped and logged; so are files that neither are named like an image nor
    start like one.

    Args:
        root: the folder.
        classes: class names in the order wanted; default the order of a published set, else the sorted names found,
            over all parts.
    Returns:
        Index with `parts` filled where the folder says them.
    Raises:
        InputError: missing, unreadable or empty folder, fewer than two classes where none are given, an unknown class;
            a contest's class ids that are missing or alike.
    """
    root = checked_root(root)
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


def _instead(skipped) -> str:
    """Say what lies in a folder without images; "" where nothing is worth a word."""
    said = remark(skipped)
    return f"; {said}" if said else ""


def from_layout(layout: layouts.Layout, root, *, classes: Sequence[str] | None = None) -> Index:
    """Make the Index of a published set, its classes in the set's own order unless `classes` says another.

    Raises:
        InputError: a listed image that is not there, an unknown class.
    """
    root = pathlib.Path(root)
    for path, _, _ in layout.images:
        if not (root / path).is_file():
            raise InputError(f"{layout.lists}: {root / path} is not there")
    return _build(root, layout.images, classes, own=layout.classes)


def check_names(index: Index) -> None:
    """Refuse names that reports, tables and exports, which are UTF-8, could not repeat."""
    for name in (str(index.root.resolve()), *index.classes, *index.paths):
        if not is_utf8(name):
            raise InputError(f"{printable(str(index.root / name))}: {not_utf8(index.root)}")


def look_alikes(classes: Sequence[str]) -> str:
    """Say which class names a reader takes for one, and where they differ; "" for none.

    Example:
        >>> look_alikes(["cat", "cat ", "dog"])
        "classes whose names look the same: 'cat' and 'cat ' differ only by U+0020 SPACE at the end"
    """
    pairs = names.look_alikes(classes)
    said = [f"{one!a} and {other!a} differ {names.difference(one, other)}" for one, other in pairs]
    return f"classes whose names look the same: {'; '.join(said)}" if said else ""


def not_utf8(root) -> str:
    """Return what to do about a class or file of a data folder whose name is not UTF-8."""
    listed = pathlib.Path(root) / run_files.SPLIT
    also = f" (if it stands like this in {run_files.SPLIT} only, save that table as UTF-8)" if listed.is_file() else ""
    return f"this name is not UTF-8; rename it{also}"


def decided_by(root) -> str:
    """Return what decides the parts of a data folder that has some, for messages."""
    root = pathlib.Path(root)
    if (root / run_files.SPLIT).is_file():
        return str(root / run_files.SPLIT)
    layout = layouts.find(root)
    return f"{layout.name}'s own lists" if layout else "the part folders"


def parts_read(index: Index) -> str:
    """Say which folders were read as parts, and how many images a split.csv leaves to kfg; "" for nothing to say.

    Part folders that are simply named train, val and test are not worth a word.
    """
    root, left = index.root, index.parts.count("")
    if (root / run_files.SPLIT).is_file():
        return f"{left:,} images have no part in {run_files.SPLIT}, kfg chooses one for them" if left else ""
    if left == len(index) or layouts.find(root):
        return ""
    top = {part: path.partition("/")[0] for path, part in zip(index.paths, index.parts, strict=True) if part}
    classes = [index.classes[label] for label in index.labels]
    if all(path.partition("/")[0] == name for path, name in zip(index.paths, classes, strict=True)):
        return "the parts are folders inside the class folders"
    if all(part == name for part, name in top.items()):
        return ""
    return "read as parts: " + ", ".join(f"{printable(name)} as {part}" for part, name in top.items())


def passed_over(index: Index) -> list[tuple[str, str]]:
    """List the folder of `index` again and return (path, why) of all in it that `index` does not use."""
    layout = None if (index.root / run_files.SPLIT).is_file() else layouts.find(index.root)
    return list_folder(index.root).passed_over(index.paths, below=layout.folder if layout else "")


def read_split(path, root, *, classes: Sequence[str] | None = None) -> Index:
    """Read a split.csv: columns path, class, part (or split), and optionally group, sha256.

    Raises:
        InputError: as `splitcsv.split_rows`, and a file that is not there.
    """
    path, root = pathlib.Path(path), pathlib.Path(root)
    rows, columns = split_rows(path, root)
    rows = splitcsv.on_disk(rows, root)
    for row in rows:
        if not (root / row["path"]).is_file():
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
