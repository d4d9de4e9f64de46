"""The two file formats for a table of answers, CSV and Parquet. Rows are those of `answer_table.values`."""

import collections
import csv
import importlib.util
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from kfg import files
from kfg.errors import InputError
from kfg.exporting import answer_table
from kfg.names import printable, utf8


class Csv:
    """CSV in UTF-8 with commas; probabilities have four decimals, as on the screen. Files of pieces have no header."""

    SUFFIX = ".csv"

    def columns(self, path) -> list[str]:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.readline(1 << 16).rstrip("\r\n").split(",")

    def outcomes(self, path) -> Iterator[tuple[str, str]]:
        """Yield (path, error) for each row."""
        with open(path, encoding="utf-8", newline="") as file:
            yield from ((row["path"], row["error"]) for row in csv.DictReader(file))

    def verdicts(self, path) -> collections.Counter:
        """Return verdict -> how many photographs got it; those that could not be read are not counted."""
        with open(path, encoding="utf-8", newline="") as file:
            return collections.Counter(row["verdict"] for row in csv.DictReader(file) if not row["error"])

    def write(self, path, columns: Sequence[str], rows: Sequence[Mapping]) -> None:
        with files.whole(path) as file:
            csv.writer(file, lineterminator="\n").writerows(map(answer_table.cells, rows))

    def join(self, pieces: Sequence, path, columns: Sequence[str]) -> int:
        """Join the files of pieces under one header into one table; return how many rows have an error."""
        unread, error = 0, columns.index("error")
        with files.whole(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for piece in pieces:
                with open(piece, encoding="utf-8", newline="") as rows:
                    for row in csv.reader(rows):
                        writer.writerow(row)
                        unread += bool(row[error])
        return unread


class Parquet:
    """Parquet with float32 probabilities. Missing values are null, such as the class of an unreadable image."""

    SUFFIX = ".parquet"

    def columns(self, path) -> list[str]:
        import pyarrow
        from pyarrow import parquet

        try:
            return parquet.read_schema(path).names
        except pyarrow.ArrowInvalid:  # the file is not Parquet
            return []

    def outcomes(self, path) -> Iterator[tuple[str, str]]:
        """Yield (path, error) for each row."""
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["path", "error"]):
                yield from ((row["path"], row["error"] or "") for row in batch.to_pylist())

    def verdicts(self, path) -> collections.Counter:
        """Return verdict -> how many photographs got it; those that could not be read are not counted."""
        from pyarrow import parquet

        found = collections.Counter()
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["verdict", "error"]):
                found.update(row["verdict"] or "" for row in batch.to_pylist() if not row["error"])
        return found

    def write(self, path, columns: Sequence[str], rows: Sequence[Mapping]) -> None:
        import pyarrow
        from pyarrow import parquet

        shown = [{name: utf8(one) if isinstance(one, str) else one for name, one in row.items()} for row in rows]
        table = pyarrow.Table.from_pylist([{**row, "error": row["error"] or None} for row in shown], _schema(columns))
        with files.whole(path, "wb") as file:
            parquet.write_table(table, file)

    def join(self, pieces: Sequence, path, columns: Sequence[str]) -> int:
        """Join the files of pieces into one table, each piece as a row group; return how many rows have an error."""
        from pyarrow import parquet

        unread = 0
        with files.whole(path, "wb") as file, parquet.ParquetWriter(file, _schema(columns)) as writer:
            for piece in pieces:
                table = parquet.read_table(piece, schema=_schema(columns))
                writer.write_table(table)
                unread += len(table) - table["error"].null_count
        return unread


def _schema(columns):
    import pyarrow

    kinds = {True: pyarrow.float32(), False: pyarrow.string()}
    return pyarrow.schema([(name, kinds[name.startswith("probability")]) for name in columns])


FORMS = {form.SUFFIX: form for form in (Csv(), Parquet())}


def csv_of(path) -> Csv:
    """Return the CSV format for the file of `--csv`.

    Raises:
        InputError: its suffix is not .csv.
    """
    if pathlib.Path(path).suffix.lower() != ".csv":
        raise InputError(f"--csv {printable(str(path))}: give a name that ends in .csv; --out also writes .parquet")
    return FORMS[".csv"]


def of(path) -> Csv | Parquet:
    """Return the format that belongs to the suffix of `--out`'s file.

    Raises:
        InputError: an unknown suffix; Parquet without pyarrow installed.
    """
    form, shown = FORMS.get(pathlib.Path(path).suffix.lower()), printable(str(path))
    if form is None:
        raise InputError(f"--out {shown}: give a name that ends in {' or '.join(FORMS)}")
    if form.SUFFIX == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            f"--out {shown}: Parquet needs the package pyarrow; install it with pip install pyarrow, or write a .csv "
            "file"
        )
    return form
