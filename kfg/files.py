"""Files that appear whole: written beside, then renamed."""

import contextlib
import errno
import hashlib
import json
import logging
import os
import pathlib
import time

from kfg.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: what needs no lock works there
    fcntl = None

logger = logging.getLogger(__name__)

IDLE = 3 * 3600  # seconds after which a half-written file is taken for a dead process's, if this machine has none


@contextlib.contextmanager
def whole(path, mode: str = "w"):
    """Open a file beside `path` that takes its name only when the block ends well.

    Raises:
        InputError: the folder cannot be written or the disk is full; `path` is as it was before.
    Example:
        >>> import tempfile
        >>> target = pathlib.Path(tempfile.mkdtemp(), "a.txt")
        >>> with whole(target) as file:
        ...     _ = file.write("all of it")
        >>> target.read_text()
        'all of it'
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a file is to be written")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, mode, **text) as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        hint = "; make room and run the same command again" if error.errno == errno.ENOSPC else ""
        raise InputError(f"{path}: {error.strerror or error}{hint}") from error
    finally:
        with contextlib.suppress(OSError):  # a folder that refuses the write refuses the removal too
            partial.unlink(missing_ok=True)


def sweep(folder, name: str = "*", *, idle: float = IDLE) -> None:
    """Remove what processes that are no more had begun to write as `whole` in a folder.

    Args:
        folder: one that is not there is empty.
        name: of the files meant; a pattern.
        idle: seconds that a file was left alone. A process of another machine or container that shares the folder
            cannot be asked whether it lives; 0 is for the holder of a lock under which `name` is written.
    """
    if fcntl is None:  # on Windows a process cannot be asked by a signal, it would get it
        return
    for path in pathlib.Path(folder).glob(f".{name}.*.partial"):
        pid = path.name.split(".")[-2]
        with contextlib.suppress(OSError):  # another process may have removed it
            if pid.isdigit() and not _lives(int(pid)) and time.time() - path.stat().st_mtime >= idle:
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


@contextlib.contextmanager
def exclusive(path):
    """Hold a lock among processes, which the system lets go of when the process ends, however it ends.

    Args:
        path: a file for this lock alone; it stays.
    Raises:
        InputError: its folder cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    with open(path, "r+b") as file:
        if not locked(file):
            logger.warning("%s: another process computes the same; waiting for it", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def locked(file) -> bool:
    """Lock an open file for this process until it is closed; return False where another one holds it.

    Raises:
        InputError: a system without such locks.
    """
    if fcntl is None:
        raise InputError(f"{file.name}: this system has no POSIX file locks; on Windows run kfg under WSL")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def digest(path, *, algorithm: str = "sha256") -> str:
    """Return the digest of a file's bytes, read piece by piece, as hex digits.

    Args:
        algorithm: of hashlib; none is used for secrecy.
    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def write_text(path, text: str) -> None:
    """Write UTF-8 text, whole."""
    with whole(path) as file:
        file.write(text)


def write_json(path, value) -> None:
    """Write indented JSON, whole. NaN and infinity are refused (ValueError): other readers choke on them."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path):
    """Read a JSON file.

    Raises:
        InputError: missing, unreadable or not JSON.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
