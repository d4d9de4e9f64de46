"""Names of classes and files that are refused because they are not UTF-8, or warned about because they look alike."""

import pathlib
from collections.abc import Sequence

from kfg import names
from kfg.data.index import Index
from kfg.errors import InputError
from kfg.names import is_utf8, printable
from kfg.runs import run_files


def check_names(index: Index) -> None:
    """Refuse names that are not UTF-8, because reports, tables and exports could not repeat them."""
    for name in (str(index.root.resolve()), *index.classes, *index.paths):
        if not is_utf8(name):
            raise InputError(f"{printable(str(index.root / name))}: {not_utf8(index.root)}")


def look_alikes(classes: Sequence[str]) -> str:
    """Return a warning that names classes whose names look alike, and how they differ; "" if there are none.

    Example:
        >>> look_alikes(["cat", "cat ", "dog"])
        "classes whose names look the same: 'cat' and 'cat ' differ only by U+0020 SPACE at the end"
    """
    pairs = names.look_alikes(classes)
    said = [f"{one!a} and {other!a} differ {names.difference(one, other)}" for one, other in pairs]
    return f"classes whose names look the same: {'; '.join(said)}" if said else ""


def not_utf8(root) -> str:
    """Return a message that says what to do about a class or file whose name is not UTF-8."""
    listed = pathlib.Path(root) / run_files.SPLIT
    also = f" (if only {run_files.SPLIT} spells it like this, save that table as UTF-8)" if listed.is_file() else ""
    return f"this name is not UTF-8; rename it{also}"
