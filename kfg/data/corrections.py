"""The table corrections.csv, which holds what people have decided about single photographs, one row for each.

It lies beside the photographs and does not change them. Each decision rewrites the whole table under a lock, so that
neither a killed process nor a second browser page can lose a decision, write it twice or leave half a line. For the
effect of the decisions see `kfg.data.corrected`.
"""

import dataclasses
import datetime
import os
import pathlib
import re

from kfg.data import splitcsv, tables
from kfg.errors import InputError
from kfg.files import whole
from kfg.locks import exclusive
from kfg.names import printable

COLUMNS = ("path", "sha256", "class before", "class after", "reason", "time")
LEFT_OUT = "left out"  # this word in the column "class after" means that the photograph is not used
AGAIN = "remove this line; the photograph can be decided again with `kfg review`"


@dataclasses.dataclass(frozen=True)
class Correction:
    """A decision about one photograph.

    Args:
        path: posix path of the photograph, relative to the folder of photographs.
        sha256: hex digest of its bytes at the time of the decision.
        before: its class in the folder.
        after: its class from then on; LEFT_OUT: it is not used; equal to `before`: its class is confirmed.
        reason: why the photograph was looked at, or any text of the person who wrote the row.
        time: time of the decision, as ISO 8601.
        line: line of the row in the table; 0: not written yet.
    """

    path: str
    sha256: str
    before: str
    after: str
    reason: str
    time: str
    line: int = 0

    @property
    def changes(self) -> bool:
        """Whether the decision changes anything: False if the class is confirmed."""
        return self.after != self.before


class Changed(Exception):
    """Raised if somebody else has decided about the photograph in the meantime.

    `now` is the decision that stands in the table, None if there is none.
    """

    def __init__(self, now: Correction | None):
        super().__init__("this photograph was decided in another window in the meantime")
        self.now = now


def now() -> str:
    """Return the present time in the form that the table uses.

    Example:
        >>> len(now())
        25
    """
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def read(table, root) -> list[Correction]:
    """Read a corrections.csv; no photograph is opened.

    Args:
        table: the file.
        root: folder of the photographs.
    Raises:
        InputError: the table is missing or has half a line, a photograph twice or a path that leads out of `root`; the
            message names file and line.
    """
    table = pathlib.Path(table)
    columns, rows = tables.read(table)
    if tuple(column.casefold() for column in columns) != COLUMNS:
        raise InputError(
            f"{table}: its first line is not {','.join(COLUMNS)}; give it that line, or move the file away and decide "
            "again with `kfg review`"
        )
    rows = [_row(table, cells[tables.LINE], [cells[column] for column in columns], root) for cells in rows]
    found = [_correction(row) for row in splitcsv.on_disk(rows, root)]
    lines = {}
    for one in found:
        if one.path in lines:
            raise InputError(
                f"{table}:{one.line}: {printable(one.path)} is also decided in line {lines[one.path]}; remove one of "
                "the two lines"
            )
        lines[one.path] = one.line
    return found


def _row(table, line, cells, root) -> dict:
    """Return the cells of a row as a dict, after checking them."""
    row, where = dict(zip(COLUMNS, cells, strict=True)), f"{table}:{line}"
    if count := sum(value is None for value in row.values()):
        raise InputError(
            f"{where}: this line is incomplete, it has {len(row) - count} of {len(COLUMNS)} values; {AGAIN}"
        )
    if not row["path"].strip() or not row["class before"] or not row["class after"]:
        raise InputError(f"{where}: a path or a class is missing; fill it in, or {AGAIN}")
    if not re.fullmatch("[0-9a-f]{64}", row["sha256"].strip().lower()):
        raise InputError(f"{where}: {printable(row['sha256'])!r} is not a sha256 (64 digits 0-9 and a-f); {AGAIN}")
    try:
        datetime.datetime.fromisoformat(row["time"].strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise InputError(
            f"{where}: {printable(row['time'])!r} is not a time like {now()}; correct it, or {AGAIN}"
        ) from error
    return {**row, "path": splitcsv.relative(where, row["path"], root), "line": line}


def _correction(row) -> Correction:
    return Correction(
        path=row["path"],
        sha256=row["sha256"].strip().lower(),
        before=row["class before"],
        after=row["class after"],
        reason=row["reason"],
        time=row["time"].strip(),
        line=row["line"],
    )


def known(table, root) -> dict[str, Correction]:
    """Return a dict path -> decision, empty if there is no table yet; raises as `read`."""
    return {one.path: one for one in read(table, root)} if os.path.lexists(table) else {}


def decide(table, root, path: str, decision: Correction | None, *, was: str | None) -> dict[str, Correction]:
    """Write a decision about a photograph to the table; other processes and pages wait until it is written.

    Args:
        table: the file; it is created if it does not exist.
        root: folder of the photographs.
        path: path of the photograph.
        decision: the decision; None removes the present one.
        was: the class after the present decision, as the caller last saw it; None: the caller saw no decision.
    Returns:
        A dict path -> decision of all decisions that are now in the table.
    Raises:
        Changed: the present decision is another one than `was` says; it stays.
        InputError: as `read`; or the file cannot be written.
    """
    table = pathlib.Path(table)
    with exclusive(lock_of(table)):
        rows = known(table, root)
        there = rows.get(path)
        if _same(decision, there):
            return rows  # it was written before, for example if the answer to the first request was lost
        if was != (None if there is None else there.after):
            raise Changed(there)
        rows.pop(path, None)
        if decision is not None:
            rows[path] = decision
        _write(table, rows.values())
    return rows


def _same(one: Correction | None, other: Correction | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.after, one.sha256) == (other.after, other.sha256)


def lock_of(table) -> pathlib.Path:
    """Return the path of the lock file of a table."""
    table = pathlib.Path(table)
    return table.with_name(f".{table.name}.lock")


def _write(table, rows) -> None:
    with whole(table) as file:
        cells = ([one.path, one.sha256, one.before, one.after, one.reason, one.time] for one in rows)
        tables.write_rows(file, [COLUMNS, *cells])
