"""The time a run has taken, in whatever number of sessions it took it."""

import contextlib
import math
import pathlib
import threading
import time

from kfg.errors import InputError
from kfg.files import RESTORE, read_json, write_json

EVERY = 5.0  # seconds between two notes of the time; a kill loses less than this


class Clock:
    """Count the seconds of a run up to the end of its training, those of sessions that were killed included.

    A thread notes the time every few seconds, whatever the run is busy with, because a kill gives no warning.

    Args:
        path: the file of the note.
        go_on: start from the time noted there, not from 0.
    Raises:
        InputError: the note is damaged.
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
        with contextlib.suppress(*([InputError] if failed else [])):  # what ended the run is what must be told
            self._note()

    def spent(self) -> float:
        """Return the seconds so far."""
        return self.earlier + time.monotonic() - self.started

    def _note(self):
        write_json(self.path, {"seconds": round(self.spent(), 1)})

    def _note_on(self):
        while not self._ended.wait(EVERY):
            with contextlib.suppress(InputError):  # a full disk: what the run itself writes will tell of it
                self._note()


def _noted(path) -> float:
    seconds = read_json(path, dict)["seconds"]
    if not (isinstance(seconds, (int, float)) and 0 <= seconds < math.inf):
        raise InputError(f"{path}: damaged, its seconds are {seconds!r}; {RESTORE}")
    return float(seconds)
