"""Read the table split.csv, which lists the images of a data set with their classes and parts."""

import os
import pathlib
import re

from kfg import names
from kfg.data import part_folders, tables
from kfg.data.part_folders import PARTS
from kfg.errors import InputError
from kfg.names import printable, shortened

BOTH = "val+test"  # part of images that were used as both, in the split.csv of a run that repeats a study's mistake
PART_WORDS = {**part_folders.WORDS, BOTH: BOTH, "": ""}
A_PART = "train, val or test, or empty to let kfg choose"
WRITE = "write it as UTF-8 text whose first line is path,class,part"


def split_rows(path, root=None) -> tuple[list[dict], list[str]]:
    r"""Read the rows of a split.csv without looking at the images.

    Paths are made relative to `root`, with forward slashes, also if they are absolute or contain "." or "..".

    Args:
        path: the table.
        root: the folder of the images; None: unknown, so absolute paths and paths that begin with ".." are refused.
    Returns:
        The rows, dicts with path, class, part ("" if kfg is to choose it), line (int, line number in the file), and
        group (int) and sha256 if the table has them; and the list of those columns that the table has.
    Raises:
        InputError: the table is missing or lacks a column, a part is unknown, a path leads out of `root` or is listed
            twice, or a group is not a number.
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
        row = _row(f"{path}:{cells[tables.LINE]}", {what: cells[name] for what, name in by_name.items() if name}, root)
        if row["path"] in lines:
            first, line = lines[row["path"]]
            written = cells[by_name["path"]]
            also = f"also in line {line}" if first == written else f"in line {line} as {printable(first)!r}"
            raise InputError(
                f"{path}:{cells[tables.LINE]}: {printable(written)} is listed twice, {also}; remove one of the lines"
            )
        lines[row["path"]] = cells[by_name["path"]], cells[tables.LINE]
        rows.append({**row, "line": cells[tables.LINE]})
    digests = {row["sha256"] for row in rows} - {""} if by_name["sha256"] else set()
    if None in digests or len(set(map(len, digests))) > 1:
        raise InputError(
            f"{path}: damaged, a sha256 is shorter than others or missing, as if the file was cut off; write it again"
        )
    return rows, [what for what, name in by_name.items() if name]


def _row(where, row, root) -> dict:
    """Return a row with its part, path and group checked and converted; `where` is file and line, for messages."""
    if not (row["path"] or "").strip() or not (row["class"] or "").strip():
        raise InputError(f"{where}: the path or the class is missing")
    given = row["part"]
    row["part"] = part_named(given)
    if given is None:
        raise InputError(f"{where}: the line ends before the part; write {A_PART}")
    if row["part"] is None:
        raise InputError(f"{where}: part {printable(given)!r} is not one of {', '.join(PARTS)}; write {A_PART}")
    row["path"] = relative(where, row["path"], root)
    if "group" in row:
        whole = re.fullmatch(r"\s*(-?\d+)(?:\.0+)?\s*", row["group"] or "")
        if not whole:
            raise InputError(f"{where}: group {row['group']!r} is not a whole number")
        row["group"] = int(whole[1])
    return row


def part_named(text: str | None) -> str | None:
    """Return the part that a word in a table means; "" if kfg is to choose, None if the word means no part.

    Example:
        >>> part_named("Train "), part_named("valid"), part_named(""), part_named("left")
        ('train', 'val', '', None)
    """
    if text is None:
        return None
    return PART_WORDS.get(text.strip().casefold())


def relative(where, text, root, *, base=None) -> str:
    """Return a path of a table relative to the data folder, with forward slashes.

    Args:
        where: file and line, for messages.
        text: the path as it is written; a backslash counts as a separator unless a file has this very name.
        root: the data folder; None: unknown.
        base: the folder from which the table's paths start; default `root`.
    Raises:
        InputError: the path is an internet address, belongs to another computer, or leads out of the data folder.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InputError(f"{where}: {printable(text)} is a web address; download the image and list its file")
    start, base, path = base and pathlib.Path(base), pathlib.Path(root or "."), text
    # the path was written on Windows, unless a file with a backslash in its name exists
    if "\\" in text and root is not None and not os.path.lexists((start or base) / text):
        windows = pathlib.PureWindowsPath(text)
        if windows.drive and not base.absolute().drive:
            raise InputError(f"{where}: {printable(text)} is on another computer; list paths relative to {base}")
        path = windows.as_posix()
    if start is not None:
        path = os.path.join(start.absolute(), path)
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
        raise InputError(f"{where}: {printable(text)} is outside of {base}; list only images inside the data folder")
    return inside


def on_disk(rows, root) -> list[dict]:
    """Return the rows with their paths in the Unicode form (NFC, NFD) of the file names on the disk.

    A path stays as it is if there is no such file, or if it could mean either of two files.
    """
    root, listed, found = pathlib.Path(root), {}, []
    for row in rows:
        if not os.path.lexists(root / row["path"]) and not row["path"].isascii():
            here = ""
            for word in row["path"].split("/"):
                listed.setdefault(here, None)
                if listed[here] is None:
                    listed[here] = names.by_form(root / here) if os.path.isdir(root / here) else {}
                same = listed[here].get(names.composed(word), [])
                here = f"{here}/{same[0]}".lstrip("/") if len(same) == 1 else f"{here}/{word}".lstrip("/")
            row = {**row, "path": here if os.path.lexists(root / here) else row["path"]}
        found.append(row)
    return found


def missing(root, path: str) -> str:
    """Return a message that a listed image is not there, with the name of a file that looks the same, if any.

    Example:
        >>> missing("photos", "cat/1.jpg")
        'photos/cat/1.jpg does not exist'
    """
    full = pathlib.Path(root) / path
    return f"{printable(str(full))} {'is a folder' if os.path.isdir(full) else 'does not exist'}{nearly(full)}"


def nearly(full) -> str:
    """Return a hint that names a file beside a missing one whose name looks the same; "" if there is none."""
    full = pathlib.Path(full)
    if os.path.exists(full) or not os.path.isdir(full.parent):  # pathlib's raise errors for paths that are too long
        return ""
    seen = names.appearance(full.name)
    alike = [one.name for one in full.parent.iterdir() if names.appearance(one.name) == seen and one.name != full.name]
    return f"; there is {min(alike)!a}, which differs {names.difference(full.name, min(alike))}" if alike else ""
