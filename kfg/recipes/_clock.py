"""The time a run has taken, in whatever number of sessions it took it."""

import pathlib
import threading
import time

from kfg.files import read_json, write_json

CLOCK_FILE = "clock.json"
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
        self.earlier = float(read_json(self.path)["seconds"]) if go_on and self.path.is_file() else 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._note_on, daemon=True)

    def __enter__(self):
        self.started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._note()

    def spent(self) -> float:
        """Return the seconds so far."""
        return self.earlier + time.monotonic() - self.started

    def _note(self):
        write_json(self.path, {"seconds": round(self.spent(), 1)})

    def _note_on(self):
        while not self._ended.wait(EVERY):
            self._note()
