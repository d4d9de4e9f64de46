"""The output of `kfg predict`: rows of a table for the screen or a file, and copies in class folders."""

import csv
import io
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from kfg import files, overwrite
from kfg.errors import InputError
from kfg.exporting.confidence import NONE_OF_THESE, UNSURE
from kfg.names import printable, utf8


def columns(top: int, *, sets: bool = False) -> list[str]:
    """Return the names of the table's columns.

    Example:
        >>> columns(2, sets=True)
        ['path', 'class', 'probability', 'class 2', 'probability 2', 'verdict', 'set', 'error']
    """
    pairs = [(f"class{one}", f"probability{one}") for one in ("", *(f" {i}" for i in range(2, top + 1)))]
    return ["path", *(name for pair in pairs for name in pair), "verdict", *(["set"] if sets else []), "error"]


def values(answer, top: int, *, sets: bool = False) -> dict:
    """Return one image's row of the table, column -> value: text, a probability, or None if the image has none.

    The classes of a prediction set are joined by " | ", the likeliest first.
    """
    best = [] if answer.error else answer.top(top)
    pairs = [*best, *[(None, None)] * (top - len(best))]
    told = [answer.verdict, *([None if answer.set is None else " | ".join(answer.set)] if sets else []), answer.error]
    row = [answer.path, *(value for pair in pairs for value in pair), *told]
    return dict(zip(columns(top, sets=sets), row, strict=True))


def cells(row: Mapping) -> list[str]:
    """Return the values of a row, from `values`, as text.

    Example:
        >>> cells({"path": "a.jpg", "class": "cat", "probability": 0.9, "class 2": None, "probability 2": None})
        ['a.jpg', 'cat', '0.9000', '', '']
    """
    return [f"{one:.4f}" if isinstance(one, float) else utf8(one or "") for one in row.values()]


def shown(row: Mapping) -> list[str]:
    """Return the values of a row for the screen, without the error: "none of these" goes before the class.

    Example:
        >>> shown({"path": "a.jpg", "class": "cat", "probability": 0.58, "verdict": "none of these", "error": ""})
        ['a.jpg', 'none of these (most like cat)', '0.5800', 'none of these']
    """
    foreign = row["verdict"] == NONE_OF_THESE
    return cells({**row, "class": f"{NONE_OF_THESE} (most like {row['class']})"} if foreign else row)[:-1]


def tally(verdicts: Mapping[str, int]) -> str:
    """Return how many photographs got which verdict, as words.

    Args:
        verdicts: verdict, or "" for an answer that is not in doubt -> number of photographs.
    Example:
        >>> tally({"": 39, "unsure": 1, "none of these": 3})
        '39 sure, 1 unsure, 3 none of these'
    """
    names = {"": "sure", UNSURE: UNSURE, NONE_OF_THESE: NONE_OF_THESE}
    return ", ".join(f"{verdicts.get(key, 0):,} {name}" for key, name in names.items())


def line(row: Sequence[str]) -> str:
    """Return cells as a line for the screen, separated by tabs; a cell that would break the line is quoted.

    Example:
        >>> line(["a b.jpg", "cat", "0.9000"])
        'a b.jpg\\tcat\\t0.9000'
    """
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="").writerow([printable(cell) for cell in row])
    return text.getvalue()


def check_folder(folder, classes: Sequence[str]) -> None:
    """Refuse a folder that is not empty, and class names that cannot be names of folders."""
    if not overwrite.is_free(folder):
        raise InputError(f"--sort-into {folder}: is not empty; give a new folder")
    for name in classes:
        if not overwrite.can_be_folder(name):
            raise InputError(f"--sort-into {folder}: the class {printable(name)!r} cannot be the name of a folder")


def copy_into(row: Mapping, folder) -> None:
    """Copy a row's image into the folder of its class, or of "none of these" if that is the verdict.

    If the file name is taken, a number is appended.
    """
    named = row["verdict"] if row["verdict"] == NONE_OF_THESE else row["class"]
    home, source = pathlib.Path(folder) / named, pathlib.Path(row["path"])
    target, number = home / source.name, 2
    while target.exists():
        target, number = home / f"{source.stem}-{number}{source.suffix}", number + 1
    try:
        home.mkdir(parents=True, exist_ok=True)
        with open(source, "rb") as photograph, files.whole(target, "wb") as file:  # `whole` blames its own file
            shutil.copyfileobj(photograph, file)
        shutil.copystat(source, target)
    except OSError as error:
        raise InputError(f"--sort-into {folder}: {error.filename or target}: {error.strerror}") from error


def top_of(row: Mapping) -> list[dict]:
    """Return the classes and probabilities of a row, from `values`, as JSON values.

    Example:
        >>> top_of({"path": "a.jpg", "class": "cat", "probability": 0.9, "error": ""})
        [{'class': 'cat', 'probability': 0.9}]
    """
    names = [name for name in row if name.startswith("class") and row[name] is not None]
    return [{"class": row[name], "probability": round(row[name.replace("class", "probability")], 6)} for name in names]


def doubt_of(row: Mapping) -> dict:
    """Return the verdict of a row, from `values`, and its prediction set if it has one, as JSON values.

    Example:
        >>> doubt_of({"path": "a.jpg", "verdict": "", "set": "cat | dog"}), doubt_of({"verdict": "unsure"})
        ({'verdict': '', 'set': ['cat', 'dog']}, {'verdict': 'unsure'})
    """
    told = {"verdict": row["verdict"]}
    return {**told, "set": row["set"].split(" | ") if row["set"] else []} if "set" in row else told
