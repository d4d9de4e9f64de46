"""Locks among processes, on every system, with a note beside each that says who holds it.

The system's own lock decides, by way of `filelock`: it ends with the process, however that ends. The note only informs.
"""

import contextlib
import datetime
import errno
import json
import logging
import os
import pathlib
import platform

import filelock

from kfg.errors import InputError

logger = logging.getLogger(__name__)

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # network and FUSE mounts that have none
PATIENCE = 0.1  # seconds before a process says that it waits
POLL = 0.05  # seconds between two tries
WARNED = set()  # the first folder that was found to be without locks: said once


@contextlib.contextmanager
def exclusive(path, *, refusal: str | None = None):
    """Hold a lock among processes, which the system lets go of when the process ends, however it ends.

    A file system that has no locks is told in a warning, and the block runs without one.

    Args:
        path: a file for this lock alone; it stays.
        refusal: begin of the error where another process holds the lock; None waits for it.
    Raises:
        InputError: the lock is held and `refusal` given: who holds it, where, since when; the folder cannot be written.
    """
    path = pathlib.Path(path)
    # a marker file in place of a lock would outlive a killed process of another machine
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = _acquired(lock, path, refusal)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    note = _note(path)
    try:
        if held:
            _write_note(note)
        yield
    finally:
        if held:
            with contextlib.suppress(OSError):
                note.unlink(missing_ok=True)
            lock.release()


def _acquired(lock, path, refusal) -> bool:
    """Acquire the lock; return False where the file system has none."""
    try:
        try:
            lock.acquire(timeout=0 if refusal else PATIENCE, poll_interval=POLL)
        except filelock.Timeout as error:
            if refusal:
                raise InputError(f"{refusal} ({holder(path)})") from error
            logger.warning("%s: another process has it; waiting for it (%s)", path, holder(path))
            lock.acquire(poll_interval=POLL)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        if not WARNED:
            WARNED.add(path.parent)
            logger.warning(
                "%s: this file system has no locks; going on without: start no second command that writes there",
                path.parent,
            )
        return False
    return True


def _note(path) -> pathlib.Path:
    return path.with_name(f"{path.name}.json")


def _write_note(path) -> None:
    since = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    note = {"host": platform.node(), "pid": os.getpid(), "since": since}
    with contextlib.suppress(OSError):  # a full disk: the lock is held all the same
        path.write_text(json.dumps(note), encoding="utf-8")


def holder(path) -> str:
    """Return who holds a lock, as its note says."""
    try:
        note = json.loads(_note(pathlib.Path(path)).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']}, since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that left no note"
