"""Read CSV tables as people and spreadsheets write them, with various encodings, separators and column names.

`write_rows` writes tables that are read back with the same cells.
"""

import codecs
import csv
import io
import itertools
import pathlib
import re
from collections.abc import Iterable, Sequence

from kfg.errors import InputError
from kfg.names import printable

SEPARATORS = ",;\t|"
SAID = re.compile(rf"sep=([{SEPARATORS}])\r?\n", re.IGNORECASE)
PATH_NAMES = (
    "path", "file", "filename", "file_name", "file name", "filepath", "file_path", "image", "image_path", "image_name",
    "img", "img_path",
)  # fmt: skip
CLASS_NAMES = ("class", "label", "labels", "class_name", "classname", "category", "target", "species")
PART_NAMES = ("part", "split", "set", "subset", "partition")
ANSWERS = {  # column of a model's answers -> the other columns by which a table that holds them is known
    "class": {"path", "probability", "verdict"},  # kfg predict, also if the output on the screen was saved
    "id": {"file", "probability"},  # kfg answer
}
LINE = " line"  # key of a row's line number; no column has this name, because names have no spaces around them
OTHER_FILES = {  # kind of file that is sometimes saved under the name of a table -> its first bytes
    "an Excel workbook or another zip archive": b"PK\x03\x04",
    "an old Excel workbook": b"\xd0\xcf\x11\xe0",
    "a PDF": b"%PDF",
    "a web page": b"<!DOCTYPE",
}


def read(path, *, limit: int | None = None) -> tuple[list[str], list[dict]]:
    """Read a table with named columns: UTF-8 or UTF-16, separated by commas, semicolons, tabs or vertical bars.

    Empty lines are left out. Bytes that are not UTF-8 are kept (as surrogate escapes).

    Args:
        path: the table.
        limit: largest number of rows to read; default all.
    Returns:
        The column names, without spaces around them; and the rows, each a dict column name -> text, None if the row is
        too short, with the row's line number (int) under the key LINE.
    Raises:
        InputError: the file cannot be read, or is not such a table.
    """
    path = pathlib.Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    text = _text(path, data)
    said = SAID.match(text)  # a first line such as "sep=;", in which Excel notes the separator
    text = text[said.end(1) :] if said else text
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    # A cell may begin with a space of its own, such as the class " cat". But if the header has spaces after its
    # separators, they belong to the separators of the whole table.
    separator = said[1] if said else max(SEPARATORS, key=lambda one: (header.count(one), -SEPARATORS.index(one)))
    spaced = f"{separator} " in header
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=spaced)
    rows, columns = [], None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = [cell.strip() for cell in cells]
                continue
            row = dict(itertools.zip_longest(columns, cells[: len(columns)]))
            rows.append({**row, LINE: reader.line_num})
            if limit is not None and len(rows) >= limit:
                break
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from error
    return columns or [], rows


def holds_answers(columns: Iterable[str], *, column: str | None = None) -> bool:
    """Return whether a table with these columns holds a model's answers, so that its classes are no labels.

    Args:
        columns: the names of all columns.
        column: the only one that is asked about; None: any.
    Example:
        >>> holds_answers(["path", "class", "probability", "verdict", "error"]), holds_answers(["path", "class"])
        (True, False)
        >>> holds_answers(["path", "class", "probability", "verdict", "truth"], column="truth")
        False
    """
    named = {column.strip().casefold() for column in columns}
    asked = ANSWERS if column is None else {column.strip().casefold()} & ANSWERS.keys()
    return any(named >= {one, *ANSWERS[one]} for one in asked)


def write_rows(file, rows: Iterable[Sequence]) -> None:
    """Write rows of cells as lines of CSV to a text file that was opened with newline=""; `read` reads the same cells.

    Example:
        >>> file = io.StringIO(newline="")
        >>> write_rows(file, [("path", "part"), ("a\\r,b.jpg", 1)])
        >>> file.getvalue()
        'path,part\\n"a\\r,b.jpg","1"\\n'
    """
    writer = csv.writer(file, lineterminator="\n")
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        # before Python 3.13 the csv writer does not quote a carriage return, and the reader would end the line there
        (quoting if any("\r" in str(cell) for cell in row) else writer).writerow(row)


def _text(path, data: bytes) -> str:
    for what, start in OTHER_FILES.items():
        if data.startswith(start):
            raise InputError(f"{path}: this is {what}, not a table in text; save the table as CSV (UTF-8)")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data[:200]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    else:
        return data.decode("utf-8-sig", "surrogateescape")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a table in text; save the table as CSV (UTF-8)") from error
    if "\0" in text:
        raise InputError(f"{path}: not a table in text; save the table as CSV (UTF-8)")
    return text


def column(path, columns, names, *, what: str) -> str | None:
    """Return the column that has one of several names, in upper or lower case; None if there is none.

    Args:
        path: the table, for messages.
        columns: names of its columns.
        names: names that the wanted column may have, the proper name first.
        what: the proper name; a column with this name is preferred.
    Raises:
        InputError: several columns could be meant, and none has the proper name.
    """
    if what in columns:
        return what
    found = [one for one in columns if one.casefold() in names]
    proper = [one for one in found if one.casefold() == what]
    if proper or len(found) == 1:
        return (proper or found)[0]
    if found:
        listed = " and ".join(repr(printable(one)) for one in found)
        raise InputError(f"{path}: the columns {listed} could both be the {what}; call one of them {what}")
    return None
