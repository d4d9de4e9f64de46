"""Files that appear whole: written beside, flushed to the disk, then renamed."""

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
IDLE = 3 * 3600  # seconds without a change after which something half written is taken for a dead process's
LONGEST_NAME = 200  # bytes of a name that one beside it can repeat: systems end at 255
RESTORE = "put back a whole copy, or remove it and run again the command that made it"
KINDS = {dict: "a JSON object", list: "a JSON list"}
# what reading a damaged zip archive raises: .npz and .keras files are such
DAMAGED_ARCHIVE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error, struct.error)
# names that `beside` makes; Keras goes by its suffix
MADE_BESIDE = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.partial(\.keras)?", re.DOTALL)
NO_RENAME = (errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def whole(path, mode: str = "w"):
    """Open a file beside `path` that takes its name only when the block ends well and its bytes are on the disk.

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
        raise InputError(f"{path}: is a folder, a file is to be written")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a device or a pipe, a file is to be written")
    partial = beside(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, mode, **text) as file:
            yield file
            flush(file)
        rename(partial, path)
    except OSError as error:
        hint = "; make room and run the same command again" if error.errno == errno.ENOSPC else ""
        raise InputError(f"{path}: {error.strerror or error}{hint}") from error
    finally:
        with contextlib.suppress(OSError):  # a folder that refuses the write refuses the removal too
            partial.unlink(missing_ok=True)


def followed(path) -> pathlib.Path:
    """Return what a link leads to: writing changes that, and the link stays."""
    path = pathlib.Path(path)
    return pathlib.Path(os.path.realpath(path)) if path.is_symlink() else path


def beside(path) -> pathlib.Path:
    """Return a hidden name in the folder of `path` that no other process uses; `sweep` knows it."""
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
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # what cannot be flushed at all
            raise


def flush_folder(folder) -> None:
    """Wait until the names in a folder are on the disk; Windows opens no folders, and keeps its names by itself."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rename(partial, path) -> None:
    """Give something flushed its name, which is on the disk when this returns.

    Raises:
        InputError: a file system that cannot rename.
        OSError: any other reason.
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
    """Flush all files of a folder, and the folders in it, to the disk."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(parent, name), "r+b") as file:
                flush(file)
        flush_folder(parent)


def sweep(folder, name: str = "*", *, idle: float = IDLE) -> None:
    """Remove what processes that are no more had begun to write beside its place in a folder.

    Args:
        folder: one that is not there is empty.
        name: of the files meant; default all.
        idle: seconds that it was left alone; 0 is for the holder of a lock under which `name` is written. Whether the
            process lives is not asked: it may be another machine's, or one that got the number of a dead one.
    """
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(folder)):
            made = MADE_BESIDE.fullmatch(entry.name)  # others call what they have half of ".partial" too
            if made and (name == "*" or made["name"] == _stem(name)):
                _remove_idle(pathlib.Path(entry.path), idle)


def _remove_idle(path, idle):
    with contextlib.suppress(OSError):  # another process may have removed it
        if time.time() - path.stat().st_mtime >= idle:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def listed(paths) -> list[pathlib.Path]:
    """Return paths as a list; a single one, as text or as a Path, is a list of one and not of its letters.

    Raises:
        InputError: not paths, or an address of the net, shown as it was given.
    Example:
        >>> [str(path) for path in listed("a.jpg") + listed(["b.jpg", pathlib.Path("c.jpg")])]
        ['a.jpg', 'b.jpg', 'c.jpg']
    """
    return [local(path) for path in ([paths] if isinstance(paths, (str, bytes, os.PathLike)) else paths)]


def local(path) -> pathlib.Path:
    """Return a Path of this machine.

    Raises:
        InputError: not a path, or an address of the net: as a Path, "https://host/x" would read "https:/host/x".
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"{path!r}: expected a path, got {type(path).__name__}")
    if isinstance(path, str) and ADDRESS.match(path):
        raise InputError(f"{path}: an address of the net, but kfg reads folders and files; download it first")
    return pathlib.Path(path)


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


class Stored(dict):
    """A JSON object of a file: a key that it lacks is damage, and told with the file's name."""

    path = ""

    def __missing__(self, key):
        raise InputError(f"{self.path}: damaged, it has no {key!r}; {RESTORE}")


def read_json(path, kind: type | None = None):
    """Read a JSON file; its objects are Stored.

    Args:
        kind: dict or list, what the file must hold; None for anything.
    Raises:
        InputError: missing, unreadable, not JSON or of another kind.
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
