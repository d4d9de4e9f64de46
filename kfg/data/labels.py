"""Read labels from a table with any columns: the photographs of a data set, their classes and perhaps their parts."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

from kfg.data import listing, splitcsv, tables, tree
from kfg.errors import InputError
from kfg.files import local
from kfg.names import composed, counted, is_utf8, printable, quoted, shortened, suggestion

PATH_NAMES = (*tables.PATH_NAMES, "image_id", "photo", "photograph", "picture", "id")
CLASS_NAMES = (*tables.CLASS_NAMES, "breed")
NAMED = 3  # most rows named in a message


@dataclasses.dataclass(frozen=True)
class Labels:
    """The table and columns that hold the labels, as `--csv labels.csv --path-column filename --label-column species`.

    Args:
        csv: the table; its paths are relative to its folder, or else to the folder of the photographs.
        path_column, label_column, part_column: names of columns; None: the column with a usual name.
    """

    csv: pathlib.Path
    path_column: str | None = None
    label_column: str | None = None
    part_column: str | None = None

    def words(self) -> str:
        """Return these settings as options of a command line."""
        given = dataclasses.asdict(self).items()
        return " ".join(f"--{name.replace('_', '-')} {quoted(value)}" for name, value in given if value is not None)


@dataclasses.dataclass(frozen=True)
class Listed:
    """The contents of a table of labels.

    Args:
        csv: the table.
        images: (path relative to the folder of the photographs, class, part) of each photograph, in the table's order.
        parted: whether a column gives the parts.
        told: what the user must know about how the table was read; "" for nothing.
    """

    csv: pathlib.Path
    images: list[tuple[str, str, str]]
    parted: bool
    told: str

    def passed_over(self, root, *, corrections=None) -> list[tuple[str, str]]:
        """Return (path, reason) of every file in the folder `root` of the photographs that the table does not list.

        For the reasons see `Listing`. kfg's own files, this table and the table `corrections` are left out.
        """
        root = pathlib.Path(root)
        own = {(root / name).resolve() for name in listing.OURS} | {self.csv.resolve()}
        own |= {pathlib.Path(corrections).resolve()} if corrections else set()
        found = listing.list_images(root).passed_over(path for path, _, _ in self.images)
        return [(path, why) for path, why in found if (root / path).resolve() not in own]


def given(csv, path_column: str | None, label_column: str | None, part_column: str | None) -> Labels | None:
    """Return the Labels for the options of a command or the arguments of a call; None if no table is given.

    Raises:
        InputError: a column is named, but no table.
    """
    columns = {"path": path_column, "label": label_column, "part": part_column}
    named = [name for name, value in columns.items() if value is not None]
    if csv is None and named:
        raise InputError(f"--{named[0]}-column: only works with a table of labels; give the table with --csv")
    return None if csv is None else Labels(local(csv), path_column, label_column, part_column)


def read(labels: Labels, root) -> Listed:
    """Read a table of labels, in any encoding and with any separator that `tables.read` knows.

    A path may have Windows separators, lack its suffix or have upper and lower case other than on the disk. A
    photograph that is listed several times with the same label counts once.

    Args:
        labels: the table and its columns.
        root: the folder of the photographs; all of them lie in it.
    Raises:
        InputError: the table or a column is missing; rows have no path or label; photographs are missing, lie outside
            of `root` or have two labels (the message names the first such rows and says how many there are); the table
            holds a model's answers.
    """
    root = pathlib.Path(root)
    columns, rows = _rows(labels, root)
    path, label, part, guessed = _columns(labels, columns, rows)
    if tables.holds_answers(columns, column=label):
        raise InputError(
            f"{labels.csv}: its classes are a model's answers, not what the photographs show, and nothing can be "
            "learned or tested from them; look at each photograph, write its class into a column of its own, and name "
            "that column by --label-column"
        )
    _refuse_empty(labels, rows, path, label)
    paths, told = _photographs(labels, root, rows, path)
    images = _once(labels, [(one, row[label].strip(), row, part) for one, row in zip(paths, rows, strict=True)])
    repeated = len(rows) - len(images)
    said = [guessed] if guessed else []
    said += [told] if told else []
    said += [f"{repeated:,} rows of {printable(str(labels.csv))} repeat a photograph"] if repeated else []
    return Listed(labels.csv, images, part is not None, "; ".join(said))


def _rows(labels, root):
    if not labels.csv.is_file():
        inside = root / labels.csv.name
        hint = f"; did you mean {printable(str(inside))}?" if inside.is_file() else ""
        raise InputError(f"--csv {printable(str(labels.csv))}: {_what(labels.csv)}{hint}")
    columns, rows = tables.read(labels.csv)
    if not rows:
        raise InputError(
            f"{labels.csv}: lists no photographs; write the names of the columns in the first line and one photograph "
            "in each other"
        )
    return columns, rows


def _what(path) -> str:
    return "is a folder; give a table" if path.is_dir() else "no such file"


def _columns(labels, columns, rows):
    """Return the columns of path, label and part (None: no part column), and a message that says which were guessed."""
    path = _column(labels, columns, "path", PATH_NAMES)
    label = _column(labels, columns, "label", CLASS_NAMES)
    part = labels.part_column and _column(labels, columns, "part", ())
    if part is None:
        part = _part_column(columns, rows, but=(path, label))
    guessed = {
        f"--{name}-column": f"{printable(column)!r} for the {name}"
        for name, column, told in (
            ("path", path, labels.path_column),
            ("label", label, labels.label_column),
            ("part", part, labels.part_column),
        )
        if column is not None and told is None
    }
    taken, chosen = " and ".join(guessed.values()), " and ".join(guessed)
    said = f"{printable(str(labels.csv))}: using the column {taken} (choose others with {chosen})"
    return path, label, part, said if guessed else ""


def _column(labels, columns, name: str, usual: Sequence[str]) -> str:
    """Return the column of the path, label or part: the one that the user named, else the one with a usual name."""
    option, wanted = f"--{name}-column", getattr(labels, f"{name}_column")
    if wanted is not None:
        if columns.count(wanted) == 1:
            return wanted
        if wanted in columns:
            raise InputError(f"{option} {printable(wanted)}: {labels.csv} has several columns of this name")
        raise InputError(f"{option} {printable(wanted)}: no such column in {labels.csv}; {suggestion(wanted, columns)}")
    found = [one for one in columns if one.casefold() in usual]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(repr(printable(one)) for one in found)
        raise InputError(f"{labels.csv}: the columns {both} could each be the {name}; choose one with {option}")
    there = printable(shortened([repr(one) for one in columns]))
    raise InputError(
        f"{labels.csv}: no column has a common name for the {name} ({shortened(usual, count=NAMED)}); its first line "
        f"names {there}; choose the column of the {name} with {option}"
    )


def _part_column(columns, rows, *, but) -> str | None:
    """Return the first column that has a usual name and holds only names of parts; None if there is none."""
    for column in columns:
        if column.casefold() in tables.PART_NAMES and column not in but:
            words = {splitcsv.part_named(row[column] or "") for row in rows}
            if None not in words and splitcsv.BOTH not in words and words != {""}:
                return column
    return None


def _refuse_empty(labels, rows, path, label):
    """Refuse rows without a path or a label, and texts that are not UTF-8, because no report could repeat them."""
    for column, what in ((path, "path"), (label, "label")):
        empty = [f"line {row[tables.LINE]}" for row in rows if not (row[column] or "").strip()]
        _refuse(labels, empty, "row", f"no {what} in column {printable(column)!r}", "fill it in, or remove the row")
        odd = [f"{printable(row[column])!r} in line {row[tables.LINE]}" for row in rows if not is_utf8(row[column])]
        _refuse(labels, odd, "row", f"a {what} that is not UTF-8", "save the table as CSV (UTF-8)")


def _refuse(labels, found: Sequence[str], thing: str, has: str, mend: str):
    """Raise InputError if `found` is not empty; it describes each place in the table that has the problem."""
    if found:
        verb = "has" if len(found) == 1 else "have"
        things = counted(len(found), thing)
        raise InputError(f"{labels.csv}: {things} {verb} {has}: {shortened(found, count=NAMED)}; {mend}")


def _photographs(labels, root, rows, column) -> tuple[list[str], str]:
    """Return the paths of the rows relative to `root`, spelled as on the disk, and a message for the user.

    The paths in the table start from the table's own folder. If none is found there but some below `root`, they start
    from `root`, and the message says so; else it is "".
    """
    home, near, told = labels.csv.parent, _near(root), ""
    found = [_looked_up(labels, root, home, row, column, near) for row in rows]
    if not any(path for path, _ in found) and home.resolve() != root.resolve():
        others = [_looked_up(labels, root, root, row, column, near) for row in rows]
        if any(path for path, _ in others):
            found, home = others, root
            told = f"paths in {printable(str(labels.csv))} are read relative to {printable(str(root))}"
    if outside := [why for _, why in found if why]:
        raise InputError(outside[0] + (f" ({len(outside):,} such rows)" if outside[1:] else ""))
    missing = [row for row, (path, _) in zip(rows, found, strict=True) if path is None]
    mend = f"paths are read relative to {printable(str(home))}"
    if missing:
        mend += _elsewhere(root, missing[0][column].strip())
    lines = [f"{printable(row[column].strip())!r} in line {row[tables.LINE]}" for row in missing]
    _refuse(labels, lines, "row", "a photograph that does not exist", mend)
    return [path for path, _ in found], told


def _looked_up(labels, root, base, row, column, near) -> tuple[str | None, str]:
    """Return the path of a row, None if there is no such file; and why the path is refused, "" if it is not."""
    text = row[column].strip()
    try:
        path = splitcsv.relative(f"{labels.csv}:{row[tables.LINE]}", text, root, base=base)
    except InputError as error:
        # A drive or web address (with a colon) and an existing file outside are refused; any other path is missing.
        named = ":" in text or os.path.lexists(base / text.replace("\\", "/"))
        return None, str(error) if named else ""
    # pathlib's is_file raises an error for a cell that is too long for a path
    return path if os.path.isfile(root / path) else near(path), ""


def _elsewhere(root, text) -> str:
    """Return a hint that names a file below the folder with the same name as a missing path; "" if there is none."""
    name = _plain(pathlib.PureWindowsPath(text).name)
    for parent, _, files in os.walk(root):
        for file in files:
            if name in (_plain(file), _plain(pathlib.PurePath(file).stem)):
                return f"; {printable(os.path.join(parent, file))} exists: give the folder where the paths start"
    return ""


def _near(root) -> Callable[[str], str | None]:
    """Return a function missing path -> the only existing path with nearly the same spelling, else None.

    The spelling may differ in case, in Unicode form or by a missing suffix. Each folder is listed once.
    """
    listed = {}

    def near(path):
        folder, _, name = path.rpartition("/")
        if folder not in listed:
            listed[folder] = _spellings(root / folder)
        found = listed[folder].get(_plain(name), ())
        return f"{folder}/{found[0]}".lstrip("/") if len(found) == 1 else None

    return near


def _spellings(folder) -> dict[str, list[str]]:
    """Return a dict simplified spelling -> names of the files in a folder that it can mean."""
    spelled = collections.defaultdict(list)
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return spelled
    for name in names:
        spelled[_plain(name)].append(name)
        if name.lower().endswith(tree.SUFFIXES):
            spelled[_plain(pathlib.PurePath(name).stem)].append(name)
    return spelled


def _plain(name) -> str:
    return composed(name).casefold()


def _once(labels, rows) -> list[tuple[str, str, str]]:
    """Return (path, class, part) of each photograph; refuse two labels or parts for one, and unknown parts."""
    first, labelled, parted, unknown = {}, [], [], []
    for path, name, row, column in rows:
        part = splitcsv.part_named(row[column] or "") if column else ""
        if part is None or part == splitcsv.BOTH:
            unknown.append(f"{printable(row[column])!r} in line {row[tables.LINE]}")
        earlier, earlier_part, line = first.setdefault(path, (name, part, row[tables.LINE]))
        lines = f"in lines {line} and {row[tables.LINE]}"
        if earlier != name:
            labelled.append(f"{printable(path)} ({printable(earlier)!r} and {printable(name)!r} {lines})")
        elif earlier_part != part:
            parted.append(f"{printable(path)} ({lines})")
    _refuse(
        labels, unknown, "row", f"a part other than {splitcsv.A_PART}", "correct it, or choose another --part-column"
    )
    _refuse(labels, labelled, "photograph", "two labels", "keep one")
    _refuse(labels, parted, "photograph", "two parts", "keep one")
    return [(path, name, part) for path, (name, part, _) in first.items()]
