"""CSV tables as people and spreadsheets write them: encodings, separators, names of columns."""

import codecs
import csv
import io
import itertools
import pathlib

from kfg.errors import InputError
from kfg.names import printable

SEPARATORS = ",;\t|"
PATH_NAMES = (
    "path", "file", "filename", "file_name", "file name", "filepath", "file_path", "image", "image_path", "image_name",
    "img", "img_path",
)  # fmt: skip
CLASS_NAMES = ("class", "label", "labels", "class_name", "classname", "category", "target", "species")
PART_NAMES = ("part", "split", "set", "subset", "partition")
OTHER_FILES = {  # what is sometimes saved under the name of a table -> the bytes it begins with
    "an Excel workbook or another zip archive": b"PK\x03\x04",
    "an old Excel workbook": b"\xd0\xcf\x11\xe0",
    "a PDF": b"%PDF",
    "a web page": b"<!DOCTYPE",
}


def read(path, *, limit: int | None = None) -> tuple[list[str], list[dict]]:
    """Read a table of named columns: UTF-8 or UTF-16, separated by commas, semicolons, tabs or bars.

    Lines without a value are left out. Names of bytes that are not UTF-8 are kept as they are (surrogate escapes).

    Args:
        limit: rows read at most; default all.
    Returns:
        The column names, as written but for spaces around them, and the rows, each column name -> text, None where
        the row is too short; under "line" the row's line number.
    Raises:
        InputError: it cannot be read, or is no such table.
    """
    path = pathlib.Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    text = _text(path, data)
    header = text.lstrip("\r\n").partition("\n")[0]
    # A cell may begin with a space of its own, as the class " cat" does. Where the header has spaces behind its
    # separators they are part of how the table is written.
    separator = max(SEPARATORS, key=lambda one: (header.count(one), -SEPARATORS.index(one)))
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
            rows.append({**row, "line": reader.line_num})
            if limit is not None and len(rows) >= limit:
                break
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from error
    return columns or [], rows


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
    """Return the column that goes by one of several names, case and spaces aside; None where there is none.

    Args:
        path: the table, for messages.
        columns: its columns.
        names: the names it may have, the proper one first.
        what: the proper name.
    Raises:
        InputError: several columns that could be meant, none of them of the proper name.
    """
    if what in columns:
        return what
    found = [one for one in columns if one.casefold() in names]
    proper = [one for one in found if one.casefold() == what]
    if proper or len(found) == 1:
        return (proper or found)[0]
    if found:
        listed = " and ".join(repr(printable(one)) for one in found)
        raise InputError(f"{path}: the columns {listed} could both be the {what}; name one of them {what}")
    return None
