"""The Index: the list of labelled images that the rest of kfg works with."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from kfg.data.corrected import Corrected
from kfg.data.labels import Listed
from kfg.data.splitcsv import BOTH
from kfg.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Labelled images of one folder.

    Args:
        root: folder that `paths` are relative to.
        paths: N posix paths relative to `root`.
        labels: int32 array (N,), in [0, C).
        classes: C class names; their order is decided when the folder is read and does not change after that.
        parts: N strings: "train", "val", "test", "val+test" (see `splits.with_test_as_val`), or "" if the part is not
            decided yet.
        groups: int64 array (N,); images of one group (copies, near-duplicates) stay in one part.
        sha256: N hex digests of the file bytes, "" for a file that was not read.
        corrected: the changes that a corrections.csv has made to these labels and paths; None: there is none.
        listed: the contents of the table of labels; None: no such table was given.
        uncorrected: all images as they were before the corrections, for `splits.split`; None: there are no corrections,
            or this is a selection of the images.
        separated: number of groups whose images the given parts separate, counted by `splits.split` before the
            corrections; None: not counted yet.
    """

    root: pathlib.Path
    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: tuple[str, ...]
    groups: np.ndarray
    sha256: tuple[str, ...]
    corrected: Corrected | None = None
    listed: Listed | None = None
    uncorrected: "Index | None" = None
    separated: int | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions) -> "Index":
        """Return an Index of the images at `positions` (ints, any order); the classes stay the same."""
        positions = np.asarray(positions, dtype=np.int64)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in positions),
            labels=self.labels[positions],
            parts=tuple(self.parts[i] for i in positions),
            groups=self.groups[positions],
            sha256=tuple(self.sha256[i] for i in positions),
            uncorrected=None,
        )

    def where(self, part: str) -> np.ndarray:
        """Return the int64 positions of the images of one part; images of "val+test" belong to both val and test."""
        own = np.asarray(self.parts, dtype=object)
        return np.flatnonzero((own == part) | ((own == BOTH) & (part in BOTH.split("+"))))

    def counts(self) -> np.ndarray:
        """Return the number of images per class, int64 (C,)."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def full_paths(self) -> list[pathlib.Path]:
        return [self.root / path for path in self.paths]


def make_index(root, paths, labels, classes, *, parts=None, groups=None, sha256=None) -> Index:
    """Build an Index; values that are not given become part "", one group per image and digest ""."""
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
    """Return a digest of the images and their classes, which is the same for the same data in another place."""
    found = hashlib.sha256(repr(index.classes).encode())
    for row in sorted(zip(index.paths, index.labels.tolist(), index.parts, index.sha256, strict=True)):
        found.update(repr(row).encode())
    return found.hexdigest()[:16]
