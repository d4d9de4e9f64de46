"""Tables for the screen, laid out by rich."""

import io
import sys
from collections.abc import Iterable, Sequence

WIDE = 10_000  # characters; so wide that no line is broken if the output is not a terminal


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output; on a terminal long cells are broken into lines.

    Args:
        columns: titles of the columns, all empty for a table without titles; a title that begins with ">" makes its
            column right-aligned, as is usual for numbers.
        rows: the rows, each with one cell per column.
    """
    if sys.stdout.isatty():
        _print(columns, rows, file=sys.stdout, width=None)
    else:  # without the spaces that fill up the last column
        print(text(columns, rows))


def text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as text whose lines are never broken; the arguments are those of `show`.

    Example:
        >>> print(text(("name", ">images"), [("cat", "7"), ("dog", "12")]))
        name  images
        cat        7
        dog       12
    """
    lines = io.StringIO()
    _print(columns, rows, file=lines, width=WIDE)
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines())


def _print(columns, rows, *, file, width):
    from rich.console import Console  # imported here: it takes a tenth of a second
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(columns))
    for title in columns:
        table.add_column(Text(title.lstrip(">")), justify="right" if title.startswith(">") else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # Text: brackets are not markup
    Console(file=file, width=width, highlight=False).print(table)
