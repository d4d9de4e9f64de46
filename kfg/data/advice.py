"""Advice on a folder without recognisable classes: one line that says what lies there and what to give instead."""

import collections
import csv
import os
import pathlib
import re

from kfg.data import tables
from kfg.data.tree import SUFFIXES, hidden
from kfg.errors import InputError
from kfg.names import counted, is_utf8, printable, quoted, shortened
from kfg.runs import run_files

TABLES = (".csv", ".tsv")
ROWS_READ = 5_000  # most rows read of a table that may give the classes
TABLE_BYTES = 64 << 20  # a larger table is not taken for a list of photographs
LOOSE = 3  # most photographs of a folder that is not taken for a class, such as the screenshots of a read-me
NO_CLASS = re.compile(
    r"(docs?|assets?|screen ?shots?|read ?me|figures?|examples?|samples?|media|static|previews?|misc)"
)


def on(root, listing, names) -> list[str]:
    """Return a list with one message if a folder's classes are not where they should be, else an empty list.

    Args:
        root: the folder.
        listing: the Listing of the folder, from `listing.list_folder`.
        names: names of the visible folders in it.
    """
    root = pathlib.Path(root)
    loose = [path for path, why in listing.skipped if why == "stray"]
    found = [path for path, _, _ in listing.images]
    message = _backslashes(root, [*found, *loose]) or _too_high(root, found)
    if not message and not found and loose:
        message = _flat(root, loose, names)
    return [message] if message else []


def _backslashes(root, paths) -> str:
    named = [path for path in paths if "\\" in path.rpartition("/")[2]]
    if not named or 2 * len(named) < len(paths):
        return ""
    return (
        f"{printable(str(root))}: {len(named):,} file names hold a backslash, such as '{printable(named[0])}': the "
        "archive was packed on Windows, and the program that unpacked it did not read the backslashes as folders. "
        "Unpack it again with a program that does (unzip, 7-Zip), or move the files into class folders"
    )


def _too_high(root, paths) -> str:
    """Return a message that says where the class folders are if all of them lie deeper, below one folder; else "".

    Beside that folder there may be a few photographs, such as the screenshots of a read-me.
    """
    below = collections.defaultdict(list)
    for path in paths:
        below[path.partition("/")[0]].append(path.split("/"))
    nested = [name for name, found in below.items() if all(len(words) > 2 for words in found)]
    if len(nested) != 1:
        return ""
    (name,), found = nested, below[nested[0]]
    others = max((len(some) for other, some in below.items() if other != name), default=0)
    classes = [other for other, some in below.items() if other != name and len(some[0]) > 1]
    if others > LOOSE or len(found) < 10 * others or not all(NO_CLASS.search(one.casefold()) for one in classes):
        return ""  # rather a class with few photographs beside a class with sub-folders
    depth = 1
    while all(len(words) > depth + 2 for words in found) and len({words[depth] for words in found}) == 1:
        depth += 1
    inner = sorted({words[depth] for words in found})
    if len(inner) < 2 or any(len(words) < depth + 2 for words in found):
        return ""
    home = "/".join(found[0][:depth])
    return (
        f"{printable(str(root))}: the class folders are further down, in {printable(home)} "
        f"({printable(shortened(inner))}); give {quoted(root / home)}"
    )


def _above(root, loose, names) -> str:
    """Return advice to give the parent folder if the folder seems to be one of several class folders; else ""."""
    parent = root.resolve().parent
    if names or any("/" in path for path in loose):
        return ""
    try:
        with os.scandir(parent) as entries:
            folders = [one.name for one in entries if not one.is_symlink() and one.is_dir()]
    except OSError:
        return ""
    alike = [name for name in sorted(folders) if not hidden(name, folder=True) and _holds_images(parent / name)]
    if len(alike) < 2:
        return ""
    among = printable(shortened(alike))
    return f". If it is itself one of the class folders {among}, give the folder above: {quoted(parent)}"


def _holds_images(folder) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.lower().endswith(SUFFIXES) for entry in entries)
    except OSError:
        return False


def _flat(root, loose, names) -> str:
    """Return a message that says how to give classes to photographs that all lie in one folder."""
    homes = collections.Counter(path.rpartition("/")[0] for path in loose)
    home, _ = homes.most_common(1)[0]
    here = [path for path in loose if path.rpartition("/")[0] == home]
    where = printable(home) + "/" if home else "the folder itself"
    text = f"{printable(str(root))}: no images found in class folders, but {_photographs(here)} in {where}. "
    folders = f"Move them into class folders ({printable(str(root))}/<class>/*.jpg), or list them in "
    folders += f"{printable(str(root / run_files.SPLIT))} with the columns path,class,part"
    ending = " (part: train, val or test, or empty to let kfg choose)"
    if labels := _labels(root, here):
        table, (file, label), (path, name) = labels
        columns = f"--path-column {quoted(file)} --label-column {quoted(label)}"
        text += f"Their classes seem to be in {printable(table)}: kfg audit, split, train and evaluate read it with "
        text += f"--csv {quoted(table)} {columns}. Or else: "
        return f"{text}{folders[0].lower()}{folders[1:]}, such as '{printable(_row(path, name))}'{ending}"
    if prefixes := _prefixes(here):
        listed = [f"{name} ({count:,})" for name, count in prefixes]
        name = prefixes[0][0]
        path = next(path for path in here if path.rpartition("/")[2].startswith(name))
        text += f"Their names begin with {printable(shortened(listed))}, which may be the classes. "
        return f"{text}{folders}, such as '{printable(_row(path, name))}'{ending}"
    return f"{text}{folders}{ending}{_above(root, loose, names)}"


def _photographs(paths) -> str:
    return counted(len(paths), "photograph")


def _row(path, name) -> str:
    cells = (f'"{cell.replace(chr(34), 2 * chr(34))}"' if set(cell) & set(',"\n') else cell for cell in (path, name))
    return f"{','.join(cells)},"


def _labels(root, here):
    """Find a table that lists most of the photographs; one that holds a model's answers does not count.

    Returns:
        The table's path, its columns of file and class, and the path and class of one photograph; None if there is no
        such table.
    """
    stems = {}
    for path in here:
        name = path.rpartition("/")[2]
        stems.setdefault(name, path)
        stems.setdefault(pathlib.PurePosixPath(name).stem, path)
    folders = dict.fromkeys([root, (root / here[0]).parent, root.resolve().parent])
    for table in (file for folder in folders for file in _tables(folder)):
        try:
            columns, rows = tables.read(table, limit=ROWS_READ)
        except (InputError, csv.Error):
            continue
        if tables.holds_answers(columns):
            continue
        named = {}
        for column in columns:
            files = [_base(row.get(column)) for row in rows]
            if len({stems[file] for file in files if file in stems}) >= min(len(rows), 0.8 * len(here)) > 0:
                named[column] = files
        for column, files in named.items():
            if label := _label_column(columns, rows, column):
                at = next(i for i, file in enumerate(files) if file in stems)
                return str(table), (column, label), (stems[files[at]], rows[at][label].strip())
    return None


def _tables(folder) -> list[pathlib.Path]:
    try:
        tables_here = [path for path in folder.iterdir() if path.suffix.lower() in TABLES and is_utf8(path.name)]
        return sorted(path for path in tables_here if path.is_file() and path.stat().st_size <= TABLE_BYTES)
    except OSError:
        return []


def _base(value) -> str:
    return (value or "").strip().replace("\\", "/").rpartition("/")[2]


def _label_column(columns, rows, file_column) -> str:
    """Return the column of the classes: one with a usual name, else the first whose values repeat; "" for none."""
    others = [column for column in columns if column and column != file_column]
    for column in others:
        if column.strip().casefold() in tables.CLASS_NAMES and all((row.get(column) or "").strip() for row in rows):
            return column
    for column in others:
        values = [(row.get(column) or "").strip() for row in rows]
        if all(values) and 2 <= len(set(values)) <= len(values) / 2:
            return column
    return ""


def _prefixes(here) -> list[tuple[str, int]]:
    """Return the words that file names begin with, and how often, if a few words begin all of them; else []."""
    starts = [re.match(r"[^\W\d_]+(?:[ _-][^\W\d_]+)*(?=[\W\d_])", path.rpartition("/")[2]) for path in here]
    if not all(starts):
        return []
    counts = collections.Counter(match[0] for match in starts)
    return counts.most_common() if 2 <= len(counts) <= len(here) / 2 and min(counts.values()) > 1 else []
