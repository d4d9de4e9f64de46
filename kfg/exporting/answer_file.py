"""A table of answers on very many photographs, written piece by piece: a kill costs one piece, not the table.

While `answers.csv` is being written, the folder `answers.csv.partial` beside it holds a file for each finished piece,
and `order.json`, which describes what was asked. A piece is a fixed stretch of the list of photographs, and its file
appears whole. So every photograph is answered exactly once, however often and in whatever order pieces are delivered.
Beside a finished table, the hidden file `.answers.csv.order` keeps what was asked.
"""

import contextlib
import hashlib
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kfg import files, locks, overwrite
from kfg.errors import InputError
from kfg.exporting import answer_table
from kfg.names import utf8
from kfg.runs import run_files

PIECE = 256  # photographs in a piece
ORDER, LOCK = "order.json", ".lock"
ANOTHER = "give the table another name, or remove it to answer again"
DIFFERENT = {
    "model": "another model",
    "top": "another --top",
    "doubt": "another --precision-of-answers or --sets",
}  # part of an order -> what to call another one; the other parts describe the photographs


class AnswerFile:
    """A table of answers that is being written.

    Args:
        path: path of the table.
        form: a form from kfg.exporting.answer_forms.
        photographs: N different paths.
        top: number of classes for each photograph.
        model: digest of the model that answers.
        sets: whether the table has prediction sets.
        doubt: the shares that were asked for, of right answers and for sets; None for the model's own.
    Raises:
        InputError: `path` exists and is not such a table.
    """

    def __init__(self, path, form, photographs: Sequence[str], *, top: int, model: str, sets=False, doubt=()):
        check(path, form, top=top, sets=sets)
        self.path, self.form, self.photographs = pathlib.Path(path), form, photographs
        self.columns = answer_table.columns(top, sets=sets)
        self.folder = self.path.with_name(f"{self.path.name}.partial")
        self.order_file = self.path.with_name(f".{self.path.name}.order")
        self.order = {"model": model, "photographs": _digest(photographs), "count": len(photographs), "top": top}
        self.order["doubt"] = list(doubt)

    def finished(self) -> int | None:
        """Return how many photographs of an existing table could not be read; None if there is no finished table.

        Raises:
            InputError: the table exists and has other photographs, or another model or other options answered, or it is
                not known which.
        """
        if not self.path.is_file() or (self.folder / ORDER).is_file():
            return None
        if _digest(path for path, _ in self.form.outcomes(self.path)) != _digest(map(utf8, self.photographs)):
            raise InputError(f"{self.path}: holds answers for other photographs; {ANOTHER}")
        kept = files.read_json(self.order_file, dict) if self.order_file.is_file() else {}
        if kept.get("table") != files.digest(self.path):
            raise InputError(
                f"{self.path}: it is not known which model gave these answers, because {self.order_file.name} is "
                f"missing or belongs to another table; {ANOTHER}"
            )
        if different := self._different(kept):
            raise InputError(f"{self.path}: was written with {different}; {ANOTHER}")
        return sum(bool(error) for _, error in self.form.outcomes(self.path))

    @contextlib.contextmanager
    def begun(self, *, resume: bool):
        """Begin to write the table, or continue, in a `with` block that keeps other processes out.

        Raises:
            InputError: another process is writing it; an interrupted table that is to be resumed is of another model or
                of other photographs; there is an interrupted table, but `resume` is False.
        """
        if not any((self.folder / name).is_file() for name in (LOCK, ORDER)):
            self._check_empty()  # a folder that is not ours gets no lock
        with locks.exclusive(self.folder / LOCK, refusal=f"{self.path}: another command is writing this table"):
            if (self.folder / ORDER).is_file():
                self._check_continued(resume)
            else:
                self._check_empty()
                files.write_json(self.folder / ORDER, self.order)
            files.sweep(self.folder, idle=0)
            yield

    def _check_empty(self):
        if os.path.lexists(self.folder) and not self._is_empty():
            raise InputError(f"{self.folder}: holds something that kfg did not write; give --out another name")

    def _is_empty(self) -> bool:
        return self.folder.is_dir() and {entry.name for entry in os.scandir(self.folder)} <= {LOCK, f"{LOCK}.json"}

    def _check_continued(self, resume):
        if not resume:
            raise InputError(
                f"{self.folder}: holds a table that was interrupted; add --resume to continue it, or remove this "
                "folder to start again"
            )
        if different := self._different(files.read_json(self.folder / ORDER, dict)):
            raise InputError(
                f"{self.folder}: was started with {different}; give --out another name, or remove this folder to start "
                "again"
            )

    def _different(self, order) -> str:
        """Return what differs in another order, for a message; "" if nothing does."""
        differ = [name for name, value in self.order.items() if order.get(name) != value]
        return DIFFERENT.get(differ[0], "other photographs") if differ else ""

    def stretch(self, number: int) -> Sequence[str]:
        """Return the photographs of a piece."""
        return self.photographs[number * PIECE : (number + 1) * PIECE]

    def missing(self) -> list[int]:
        """Return the numbers of the pieces that are not written yet."""
        there = {entry.name for entry in os.scandir(self.folder)}
        return [number for number in range(-(-len(self.photographs) // PIECE)) if self._name(number) not in there]

    def _name(self, number) -> str:
        return f"{number:08}{self.form.SUFFIX}"

    def kept(self, given: Iterable[tuple[int, Sequence[Mapping]]]) -> Iterator[Mapping]:
        """Write pieces as they arrive, and yield their rows once they are on the disk."""
        for number, rows in given:
            self.put(number, rows)
            yield from rows

    def put(self, number: int, rows: Sequence[Mapping]) -> None:
        """Write a whole piece: a row of `answer_table.values` for each of its photographs, in order."""
        asked = self.stretch(number)
        if [row["path"] for row in rows] != list(asked):
            raise ValueError(
                f"piece {number}: its {len(rows)} answers do not have the paths of its {len(asked)} photographs"
            )
        self.form.write(self.folder / self._name(number), self.columns, rows)

    def close(self) -> int:
        """Join the pieces into the table and remove them; return how many photographs could not be read."""
        names = [self.folder / self._name(number) for number in range(-(-len(self.photographs) // PIECE))]
        unread = self.form.join(names, self.path, self.columns)
        files.write_json(self.order_file, {**self.order, "table": files.digest(self.path)})
        shutil.rmtree(self.folder, ignore_errors=True)
        return unread


def check(path, form, *, top: int, sets: bool = False) -> None:
    """Refuse a path that cannot be that of a table: a folder, or a file that is not a table with the same columns.

    Args:
        path, form, top, sets: as for AnswerFile.
    Raises:
        InputError: the path is refused.
    """
    columns = answer_table.columns(top, sets=sets)
    what = "a table written by kfg predict with these columns"
    overwrite.check_file(path, lambda path: form.columns(path) == columns, what=what)


def check_new(path, option: str) -> None:
    """Refuse to write a table where there is one already: its answers would be lost.

    Args:
        path: the table's path; an empty file passes.
        option: the option that names it, for the message.
    Raises:
        InputError: there is a file.
    """
    path = pathlib.Path(path)
    if path.is_file() and path.stat().st_size:
        raise InputError(
            f"{path}: exists already; give another {option}, or remove it (--resume completes a table that the same "
            "command has begun)"
        )


def _digest(photographs) -> str:
    found = hashlib.sha256()
    for path in photographs:
        found.update(os.fsencode(path) + b"\0")
    return found.hexdigest()


def model_digest(model) -> str:
    """Return a digest of the weights that answer when `classifiers.load` loads this model."""
    path = pathlib.Path(model)
    home = path / run_files.EXPORT if (path / run_files.EXPORT / run_files.SAVED_MODEL).is_file() else path
    weights = [home] if home.is_file() else sorted(home.glob("variables/*")) or [home / run_files.MODEL]
    return hashlib.sha256("".join(map(files.digest, weights)).encode()).hexdigest()


def answers(
    classifier, pieces: Mapping[int, Sequence[str]], *, top: int, sets: bool = False
) -> Iterator[tuple[int, list[dict]]]:
    """Yield (number, rows) for each piece, answered by a kfg.exporting.classifiers.Classifier."""
    given = classifier.predict([path for paths in pieces.values() for path in paths])
    for number, paths in pieces.items():
        yield number, [answer_table.values(one, top, sets=sets) for one in itertools.islice(given, len(paths))]
