"""Locks between processes, on every system, with a note beside each lock file that says which process holds it.

The lock is the operating system's own, taken with `filelock`: the system releases it when the process ends, however
it ends. The note only serves messages.
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

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # raised on network and FUSE mounts without locks
PATIENCE = 0.1  # seconds before a process says that it waits
POLL = 0.05  # seconds between two tries
WARNED = set()  # holds the first folder found to be without locks, so that the warning is given once


@contextlib.contextmanager
def exclusive(path, *, refusal: str | None = None):
    """Hold a lock while a `with` block runs, so that no other process runs such a block at the same time.

    The system releases the lock when the process ends, however it ends. On a file system without locks a warning is
    logged, and the block runs without a lock.

    Args:
        path: a file used for this lock alone; it is not removed afterwards.
        refusal: how the error message begins if another process holds the lock; None: wait until the lock is free.
    Raises:
        InputError: `refusal` is given and the lock is held (the message says by which process, on which machine and
            since when), or the folder cannot be written.
    """
    path = pathlib.Path(path)
    # no soft lock: its marker file would stay behind when a process on another machine is killed
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
    """Acquire the lock and return True; return False if the file system has no locks."""
    try:
        try:
            lock.acquire(timeout=0 if refusal else PATIENCE, poll_interval=POLL)
        except filelock.Timeout as error:
            if refusal:
                raise InputError(f"{refusal} ({holder(path)})") from error
            logger.warning("%s: in use by another process; waiting for it (%s)", path, holder(path))
            lock.acquire(poll_interval=POLL)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        if not WARNED:
            WARNED.add(path.parent)
            logger.warning(
                "%s: this file system has no locks; kfg continues without them: do not start a second command that "
                "writes there",
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
    """Return, for a message, which process holds a lock, on which machine and since when, according to its note."""
    try:
        note = json.loads(_note(pathlib.Path(path)).read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']}, since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that left no note"
