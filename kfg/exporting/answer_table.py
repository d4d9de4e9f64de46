"""What `kfg predict` does with a model's answers: a table on the screen or in a file, and copies in class folders."""

import csv
import io
import os
import pathlib
import shutil
from collections.abc import Iterable, Sequence

from kfg import files, overwrite
from kfg.errors import InputError
from kfg.names import printable, utf8


def columns(top: int) -> list[str]:
    """Return the names of a table's columns.

    Example:
        >>> columns(2)
        ['path', 'class', 'probability', 'class 2', 'probability 2', 'error']
    """
    pairs = [(f"class{one}", f"probability{one}") for one in ("", *(f" {i}" for i in range(2, top + 1)))]
    return ["path", *(name for pair in pairs for name in pair), "error"]


def cells(answer, top: int) -> list[str]:
    """Return one image's row of the table."""
    best = [] if answer.error else answer.top(top)
    pairs = [*((name, f"{probability:.4f}") for name, probability in best), *[("", "")] * (top - len(best))]
    return [utf8(answer.path), *(cell for pair in pairs for cell in pair), answer.error]


def line(row: Sequence[str]) -> str:
    """Return cells for the screen, with tabs between them; one that would break the line is quoted.

    Example:
        >>> line(["a b.jpg", "cat", "0.9000"])
        'a b.jpg\\tcat\\t0.9000'
    """
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="").writerow([printable(cell) for cell in row])
    return text.getvalue()


def check_table(path, top: int) -> None:
    """Refuse to overwrite a file that is no such table."""
    overwrite.check_file(path, lambda path: overwrite.is_csv(path, columns(top)), what="a table of kfg predict's")


def write_table(rows: Iterable[Sequence[str]], path, top: int) -> None:
    """Write the rows below the names of the columns."""
    with files.whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns(top))
        writer.writerows(rows)


def check_folder(folder, classes: Sequence[str]) -> None:
    """Refuse a folder that holds something, and classes that cannot be folders."""
    folder = pathlib.Path(folder)
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"--sort-into {folder}: holds something already; give a new folder")
    for name in classes:
        if overwrite.is_reserved(name) or name in ("", ".", "..") or set(name) & set('/\\:*?"<>|'):
            raise InputError(f"--sort-into {folder}: the class {printable(name)!r} cannot be the name of a folder")


def sort_into(answers, folder) -> int:
    """Copy each image into the folder of its class; return how many were copied. A name that is taken gets a number."""
    copied = 0
    for answer in answers:
        if answer.error:
            continue
        home = pathlib.Path(folder) / answer.class_name
        source = pathlib.Path(answer.path)
        target, number = home / source.name, 2
        while target.exists():
            target, number = home / f"{source.stem}-{number}{source.suffix}", number + 1
        try:
            home.mkdir(parents=True, exist_ok=True)
            with files.whole(target, "wb") as file, open(source, "rb") as photograph:
                shutil.copyfileobj(photograph, file)
            shutil.copystat(source, target)
        except OSError as error:
            raise InputError(f"--sort-into {folder}: {error.filename or target}: {error.strerror}") from error
        copied += 1
    return copied
