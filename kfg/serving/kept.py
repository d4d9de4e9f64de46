"""Photographs that the model got wrong, kept with their right class in a folder that training and testing can read.

The folder holds the photographs unchanged, in folders of their classes, and a split.csv with a row for each. `kfg
evaluate --on` and `kfg train` read the path, the class and the empty part; the other columns have the name of the
photograph and what the model had answered.
"""

import csv
import datetime
import pathlib

from kfg import overwrite
from kfg.data import tables
from kfg.data.formats import BY_CONTENT, FORMATS, SNIFF_BYTES, sniff, suffix_of
from kfg.errors import InputError
from kfg.files import whole
from kfg.locks import exclusive
from kfg.names import printable, shortened
from kfg.runs import run_files
from kfg.serving.uploads import Upload

COLUMNS = ("path", "class", "part", "sha256", "name", "answered", "probability", "time")
FORMULA = ("=", "+", "-", "@")  # first characters that make a spreadsheet compute a cell
DIGITS = 20  # first digits of a photograph's digest, which name its copy
LOCK = ".corrected.lock"


class Kept:
    """The folder of corrected photographs.

    Args:
        folder: path of the folder, which is made for the first photograph.
        classes: names of the classes that a photograph may be given.
    """

    def __init__(self, folder: pathlib.Path, classes):
        self.folder, self.classes = pathlib.Path(folder), tuple(classes)
        self.table = self.folder / run_files.SPLIT
        self._read = 0, {}  # when the table was last changed, digest -> class

    def rows(self) -> list[dict]:
        """Return the rows of the table, as dicts of COLUMNS and of any columns that somebody has added.

        Raises:
            InputError: the table cannot be read, or one of its columns path, class and part is missing.
        """
        if not self.table.is_file():
            return []
        columns, rows = tables.read(self.table)
        if not {"path", "class", "part"} <= set(columns):
            raise InputError(
                f"{self.table}: one of its columns path, class and part is missing; restore it, or move the file away"
            )
        return [{name: value or "" for name, value in row.items() if name != tables.LINE} for row in rows]

    def label_of(self, sha256: str) -> str | None:
        """Return the class that a photograph was given, or None; also None if the table is damaged."""
        try:
            when = self.table.stat().st_mtime_ns
            if when != self._read[0]:
                self._read = when, {row.get("sha256"): row["class"] for row in self.rows()}
        except (OSError, InputError):  # `rows` reports it when corrections are listed or made
            return None
        return self._read[1].get(sha256)

    def add(self, upload: Upload, sha256: str, label: str, *, answered: str, probability: float) -> dict:
        """Keep a photograph with its class, replacing an earlier correction of it; return its row.

        Raises:
            InputError: a class that the model does not have; a folder that cannot be written.
        """
        if label not in self.classes:
            raise InputError(f"class: {printable(label)[:80]!r} is not one of {printable(shortened(self.classes))}")
        path = f"{_folder(label)}{_stem(sha256)}{_suffix(upload)}"
        name = f"'{upload.name}" if upload.name.startswith(FORMULA) else upload.name
        when = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        values = (path, label, "", sha256, name, answered, f"{probability:.4f}", when)
        row = dict(zip(COLUMNS, values, strict=True))
        with exclusive(self.folder / LOCK):
            with whole(self.folder / path, "wb") as file:  # written before the row, so that a row's photograph exists
                file.write(upload.data)
            self._replace(sha256, [row])
        return row

    def remove(self, sha256: str) -> bool:
        """Remove the correction of a photograph, and its copy; return whether there was one."""
        with exclusive(self.folder / LOCK):
            return self._replace(sha256, [])

    def _replace(self, sha256, new) -> bool:
        """Replace the rows of one photograph by new ones, and remove a copy that no row names any more."""
        rows = self.rows()
        old = [row for row in rows if row.get("sha256") == sha256]
        if old or new:
            self._write([*(row for row in rows if row not in old), *new])
        for path in {row["path"] for row in old} - {row["path"] for row in new}:
            if path == f"{_folder(pathlib.PurePath(path).parent.name)}{_stem(sha256)}{pathlib.PurePath(path).suffix}":
                (self.folder / path).unlink(missing_ok=True)  # our own copy, whatever somebody wrote into the table
        return bool(old)

    def _write(self, rows):
        columns = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
        with whole(self.table) as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _folder(label) -> str:
    """Return the folder of a class, with a slash; "" for a name that cannot be a folder on every system."""
    if overwrite.is_reserved(label) or label.startswith(".") or set(label) & set('/\\:*?"<>|'):
        return ""
    return f"{label}/" if label.strip(". ") == label and label else ""


def _stem(sha256) -> str:
    return sha256[:DIGITS]


def _suffix(upload) -> str:
    """Return the suffix for a photograph's actual format, whatever its file name says."""
    format = sniff(upload.data[:SNIFF_BYTES], suffix_of(upload.name))
    return {**FORMATS, **BY_CONTENT}.get(format, (".img",))[0]
