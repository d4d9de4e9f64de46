"""Write files so that they never appear half written: to a temporary file first, flushed to the disk, then renamed."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import struct
import time
import zipfile
import zlib

from kfg.errors import InputError

ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
IDLE = 3 * 3600  # seconds without a change after which the process that wrote a partial file is taken to be dead
LONGEST_NAME = 200  # bytes; a longer file name is not repeated in its partial file's name: systems allow 255 bytes
RESTORE = "restore it from a copy, or remove it and run the command that made it again"
KINDS = {dict: "a JSON object", list: "a JSON list"}
# what reading a damaged zip archive raises; .npz and .keras files are zip archives
DAMAGED_ARCHIVE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error, struct.error)
# names that `beside` makes; a model is saved under one with ".keras" added, because Keras looks at the suffix
MADE_BESIDE = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.partial(\.keras)?", re.DOTALL)
NO_RENAME = (errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def whole(path, mode: str = "w"):
    """Open a temporary file for writing, renamed to `path` once the block ends without error and its bytes are on disk.

    The temporary file lies in the same folder as `path`.

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
    path = followed(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, but kfg has to write a file here")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a device or a pipe, but kfg has to write a file here")
    partial = beside(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, mode, **text) as file:
            yield file
            flush(file)
        rename(partial, path)
    except OSError as error:
        hint = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
        raise InputError(f"{path}: {error.strerror or error}{hint}") from error
    finally:
        with contextlib.suppress(OSError):  # a folder that refuses the write refuses the removal too
            partial.unlink(missing_ok=True)


def followed(path) -> pathlib.Path:
    """Return the file or folder that a link leads to: writing replaces that one, and the link stays."""
    path = pathlib.Path(path)
    return pathlib.Path(os.path.realpath(path)) if path.is_symlink() else path


def beside(path) -> pathlib.Path:
    """Return a hidden path in the folder of `path` that no other process uses; `sweep` recognises such names."""
    path = pathlib.Path(path)
    return path.with_name(f".{_stem(path.name)}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def _stem(name: str) -> str:
    data = os.fsencode(name)
    return name if len(data) <= LONGEST_NAME else hashlib.sha256(data).hexdigest()


def flush(file) -> None:
    """Wait until an open file's bytes are on the disk, as far as its file system can say so."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # raised if flushing is not supported
            raise


def flush_folder(folder) -> None:
    """Wait until the file names in a folder are on the disk.

    Windows cannot open a folder, and needs no such flush: there, nothing happens.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rename(partial, path) -> None:
    """Rename a file or folder that was flushed; the new name is on the disk when this returns.

    Raises:
        InputError: the file system cannot rename.
        OSError: the renaming failed for any other reason.
    """
    try:
        os.replace(partial, path)
    except OSError as error:
        if error.errno in NO_RENAME:
            raise InputError(
                f"{path}: its file system cannot rename files ({error.strerror}); use a folder on another one"
            ) from error
        raise
    flush_folder(pathlib.Path(path).parent)


def flush_tree(folder) -> None:
    """Flush a folder to the disk, with all files and folders below it."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(parent, name), "r+b") as file:
                flush(file)
        flush_folder(parent)


def sweep(folder, name: str = "*", *, idle: float = IDLE) -> None:
    """Remove the partial files and folders that killed processes left in a folder; see `beside`.

    Args:
        folder: the folder; nothing happens if it does not exist.
        name: remove only the partial files of the file with this name; default those of all files.
        idle: seconds for which a partial file must not have changed. 0 is safe only while holding the lock under which
            `name` is written. A process id is not looked up: the process may run on another machine, or another
            process may have got the number of a dead one.
    """
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(folder)):
            made = MADE_BESIDE.fullmatch(entry.name)  # other programs use the suffix ".partial" too
            if made and (name == "*" or made["name"] == _stem(name)):
                _remove_idle(pathlib.Path(entry.path), idle)


def _remove_idle(path, idle):
    with contextlib.suppress(OSError):  # another process may have removed it
        if time.time() - path.stat().st_mtime >= idle:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def listed(paths) -> list[pathlib.Path]:
    """Return paths as a list of Path; a single path, given as text or as a Path, becomes a list of one.

    Raises:
        InputError: a value that is not a path, or an internet address, which is shown as it was given.
    Example:
        >>> [str(path) for path in listed("a.jpg") + listed(["b.jpg", pathlib.Path("c.jpg")])]
        ['a.jpg', 'b.jpg', 'c.jpg']
    """
    return [local(path) for path in ([paths] if isinstance(paths, (str, bytes, os.PathLike)) else paths)]


def local(path) -> pathlib.Path:
    """Return `path` as a Path on this machine.

    Raises:
        InputError: not a path, or an internet address: as a Path, "https://host/x" would become "https:/host/x".
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"{path!r}: expected a path, got {type(path).__name__}")
    if isinstance(path, str) and ADDRESS.match(path):
        raise InputError(f"{path}: is a web address, but kfg reads only local folders and files; download it first")
    return pathlib.Path(path)


def digest(path, *, algorithm: str = "sha256") -> str:
    """Return the digest of a file's bytes as hex digits; the file is read piece by piece.

    Args:
        path: the file.
        algorithm: name of a hashlib algorithm; the digest identifies contents and protects nothing.
    Raises:
        OSError: the file cannot be read.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def write_text(path, text: str) -> None:
    """Write a file of UTF-8 text, which is never seen half written (see `whole`)."""
    with whole(path) as file:
        file.write(text)


def write_json(path, value) -> None:
    """Write a file of indented JSON, which is never seen half written (see `whole`).

    NaN and infinity raise ValueError, because other programs cannot read them.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


class Stored(dict):
    """A JSON object read from a file; looking up a missing key raises an InputError that names the damaged file."""

    path = ""

    def __missing__(self, key):
        raise InputError(f"{self.path}: damaged, it has no {key!r}; {RESTORE}")


def read_json(path, kind: type | None = None):
    """Read a JSON file; JSON objects in it become Stored dicts.

    Args:
        path: the file.
        kind: dict or list, the type that the file must hold; None accepts any.
    Raises:
        InputError: the file is missing, unreadable, not JSON or of another kind.
    """

    def stored(pairs):
        made = Stored(pairs)
        made.path = path
        return made

    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"), object_hook=stored)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged, not JSON ({error}); {RESTORE}") from error
    if kind is not None and not isinstance(found, kind):
        raise InputError(f"{path}: damaged, it does not hold {KINDS[kind]}; {RESTORE}")
    return found
