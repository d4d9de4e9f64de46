"""The time that a run has taken: its training, added up over all sessions, and its test, report and export."""

import contextlib
import math
import pathlib
import threading
import time

from kfg.errors import InputError
from kfg.files import RESTORE, read_json, write_json

EVERY = 5.0  # seconds between two writes of the time; a kill loses less than this


class Clock:
    """Count the seconds of a run up to the end of its training, including sessions that were killed.

    A thread writes the time to a file every few seconds, because a kill gives no warning.

    Args:
        path: the file.
        go_on: start from the time in the file, not from 0.
    Raises:
        InputError: the file is damaged.
    Example:
        >>> import tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "clock.json")
        >>> write_json(path, {"seconds": 100.0})
        >>> with Clock(path, go_on=True) as clock:
        ...     100 <= clock.spent() < 110
        True
    """

    def __init__(self, path, *, go_on: bool):
        self.path = pathlib.Path(path)
        self.earlier = _noted(self.path) if go_on and self.path.is_file() else 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._note_on, daemon=True)

    def __enter__(self):
        self.started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, failed, *_):
        self._ended.set()
        self._thread.join()
        self.ended = time.monotonic() - self.started
        with contextlib.suppress(*([InputError] if failed else [])):  # if the run failed, its own error must be raised
            self._note()

    def spent(self) -> float:
        """Return the seconds so far, those of earlier sessions included."""
        return self.earlier + time.monotonic() - self.started

    def closed(self, seconds: float) -> None:
        """Note, after the training, how long the test, the report and the export took."""
        spent = {"seconds": round(self.earlier + self.ended, 1), "closing": round(seconds, 1)}
        with contextlib.suppress(InputError):  # a full disk: the run is finished, and can do without this
            write_json(self.path, spent)

    def _note(self):
        write_json(self.path, {"seconds": round(self.spent(), 1)})

    def _note_on(self):
        while not self._ended.wait(EVERY):
            with contextlib.suppress(InputError):  # a full disk: the run's own writing will report it
                self._note()


def closing(path) -> float:
    """Return the seconds that a run's test, report and export took; 0 if its file does not say.

    Raises:
        InputError: the file is damaged.
    """
    path = pathlib.Path(path)
    return _noted(path, "closing") if path.is_file() and "closing" in read_json(path, dict) else 0.0


def _noted(path, name: str = "seconds") -> float:
    seconds = read_json(path, dict)[name]
    if not (isinstance(seconds, (int, float)) and 0 <= seconds < math.inf):
        raise InputError(f"{path}: damaged, it says {seconds!r} seconds; {RESTORE}")
    return float(seconds)
