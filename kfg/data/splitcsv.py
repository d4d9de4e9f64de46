"""The table split.csv: which images a data set has, their classes and parts."""

import os
import pathlib
import re

from kfg import names
from kfg.data import part_folders, tables
from kfg.data.part_folders import PARTS
from kfg.errors import InputError
from kfg.names import printable, shortened

BOTH = "val+test"  # in the split.csv of a run that repeats a study's mistake: these images were both
PART_WORDS = {**part_folders.WORDS, BOTH: BOTH, "": ""}
A_PART = "train, val or test, or empty where kfg is to choose"
WRITE = "write it as UTF-8 text whose first line is path,class,part"


def split_rows(path, root=None) -> tuple[list[dict], list[str]]:
    r"""Read the rows of a split.csv without looking at the images.

    Paths are made relative to `root`, with plain slashes: absolute ones inside it, and those with "." or "..".

    Args:
        root: the folder of the images; default none: paths may not lead out of where they are.
    Returns:
        rows, dicts with path, class, part ("" where kfg is to choose), line (int, of the file), and group (int) and
        sha256 where given; and the columns of these that there are.
    Raises:
        InputError: no table, a missing column, an unknown part, a path that leads out of `root` or is listed twice, a
            group that is no number.
    """
    path = pathlib.Path(path)
    columns, found = tables.read(path)
    by_name = {
        what: tables.column(path, columns, allowed, what=what)
        for what, allowed in (
            ("path", tables.PATH_NAMES),
            ("class", tables.CLASS_NAMES),
            ("part", tables.PART_NAMES),
            ("group", ("group",)),
            ("sha256", ("sha256",)),
        )
    }
    for what in ("path", "class", "part"):
        if by_name[what] is None:
            called = f"'split' or 'part' ({A_PART})" if what == "part" else repr(what)
            listed = printable(shortened([one or "''" for one in columns])) or "nothing"
            raise InputError(f"{path}: no column {called}; found {listed}; {WRITE}")
    if not found:
        raise InputError(f"{path}: lists no images")
    rows, lines = [], {}
    for cells in found:
        row = _row(f"{path}:{cells['line']}", {what: cells[name] for what, name in by_name.items() if name}, root)
        if row["path"] in lines:
            first, line = lines[row["path"]]
            written = cells[by_name["path"]]
            also = f"in line {line} too" if first == written else f"in line {line} as {printable(first)!r}"
            raise InputError(f"{path}:{cells['line']}: {printable(written)} is listed twice, {also}")
        lines[row["path"]] = cells[by_name["path"]], cells["line"]
        rows.append({**row, "line": cells["line"]})
    digests = {row["sha256"] for row in rows} - {""} if by_name["sha256"] else set()
    if None in digests or len(set(map(len, digests))) > 1:
        raise InputError(f"{path}: damaged, a sha256 is shorter than others or missing, as where a file was cut")
    return rows, [what for what, name in by_name.items() if name]


def _row(where, row, root) -> dict:
    """Return a row's values as they are meant; `where` is its file and line."""
    if not (row["path"] or "").strip() or not (row["class"] or "").strip():
        raise InputError(f"{where}: no path or no class")
    given = row["part"]
    row["part"] = part_named(given)
    if given is None:
        raise InputError(f"{where}: the line ends before the part; write {A_PART}")
    if row["part"] is None:
        raise InputError(f"{where}: part {printable(given)!r} is none of {', '.join(PARTS)}; write {A_PART}")
    row["path"] = _relative(where, row["path"], root)
    if "group" in row:
        whole = re.fullmatch(r"\s*(-?\d+)(?:\.0+)?\s*", row["group"] or "")
        if not whole:
            raise InputError(f"{where}: group {row['group']!r} is not a whole number")
        row["group"] = int(whole[1])
    return row


def part_named(text: str | None) -> str | None:
    """Return the part that a table's word means, None for none; "" leaves it to kfg.

    Example:
        >>> part_named("Train "), part_named("valid"), part_named(""), part_named("left")
        ('train', 'val', '', None)
    """
    if text is None:
        return None
    return PART_WORDS.get(text.strip().casefold())


def _relative(where, text, root) -> str:
    """Return a path of a table relative to the data folder."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InputError(f"{where}: {printable(text)} is a web address; download the image and list its file")
    base = pathlib.Path(root or ".")
    path = text
    # written on Windows, unless it is the name of a file that has a backslash
    if "\\" in text and root is not None and not os.path.lexists(base / text):
        windows = pathlib.PureWindowsPath(text)
        if windows.drive and not base.absolute().drive:
            raise InputError(f"{where}: {printable(text)} lies on another computer; list paths relative to {base}")
        path = windows.as_posix()
    if os.path.isabs(path):
        if root is None:
            raise InputError(f"{where}: {printable(text)} is an absolute path; list paths relative to the data folder")
        for home in (base.absolute(), base.resolve()):
            inside = os.path.relpath(os.path.normpath(path), os.path.normpath(home))
            if not inside.startswith(os.pardir):
                break
    else:
        inside = os.path.normpath(path)
        if inside.startswith(os.pardir) and root is not None:
            inside = os.path.relpath(os.path.normpath(base.absolute() / path), base.absolute())
    inside = pathlib.PurePath(inside).as_posix()
    if inside == ".." or inside.startswith("../"):
        raise InputError(f"{where}: {printable(text)} lies outside of {base}; list only images inside the data folder")
    return inside


def on_disk(rows, root) -> list[dict]:
    """Return the rows with their paths as the disk spells them, where it has another Unicode form (NFC, NFD).

    A path that is not there stays as it is, and so does one that could be either of two files.
    """
    root, listed, found = pathlib.Path(root), {}, []
    for row in rows:
        if not os.path.lexists(root / row["path"]) and not row["path"].isascii():
            here = ""
            for word in row["path"].split("/"):
                listed.setdefault(here, None)
                if listed[here] is None:
                    listed[here] = names.by_form(root / here)
                same = listed[here].get(names.composed(word), [])
                here = f"{here}/{same[0]}".lstrip("/") if len(same) == 1 else f"{here}/{word}".lstrip("/")
            row = {**row, "path": here if os.path.lexists(root / here) else row["path"]}
        found.append(row)
    return found


def missing(root, path: str) -> str:
    """Say that a listed image is not there, and what there is of nearly its name.

    Example:
        >>> missing("photos", "cat/1.jpg")
        'photos/cat/1.jpg is not there'
    """
    full = pathlib.Path(root) / path
    return f"{printable(str(full))} is {'a folder' if full.is_dir() else 'not there'}{nearly(full)}"


def nearly(full) -> str:
    """Say what file there is beside a missing one whose name looks the same; "" for none."""
    full = pathlib.Path(full)
    if full.exists() or not full.parent.is_dir():
        return ""
    seen = names.appearance(full.name)
    alike = [one.name for one in full.parent.iterdir() if names.appearance(one.name) == seen and one.name != full.name]
    return f"; there is {min(alike)!a}, which differs {names.difference(full.name, min(alike))}" if alike else ""
