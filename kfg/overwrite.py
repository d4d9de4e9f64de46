"""Checks that kfg overwrites only files and folders that it wrote itself.

Anything else is refused, before any work is done.
"""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Collection

from kfg import files
from kfg.errors import InputError

DEEPEST = 140  # characters of the longest path below a folder of runs, such as that of a half-written export
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # files that file managers leave in any folder they show


def is_reserved(name: str) -> bool:
    """Return whether Windows cannot have a file of this name: a device's name, or a dot or space at the end.

    Example:
        >>> [is_reserved(name) for name in ("aux", "NUL.txt", "com1", "a.", "a ", "console", "com10")]
        [True, True, True, True, True, False, False]
    """
    return bool(re.fullmatch(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?|.*[. ]", name, re.IGNORECASE))


def can_be_folder(name: str) -> bool:
    """Return whether a class name can be the name of a folder on every system.

    Example:
        >>> [can_be_folder(name) for name in ("cat", "a/b", "..", "aux", "")]
        [True, False, False, False, False]
    """
    return not (is_reserved(name) or name in ("", ".", "..") or set(name) & set('/\\:*?"<>|'))


def check_writable(option: str, folder) -> None:
    """Check that runs can be written to a folder: that files can be made and renamed there, with paths long enough.

    The folder is created if it does not exist.

    Args:
        option: the command-line option that gives the folder, for the message.
        folder: the folder to write to.
    Raises:
        InputError: the check failed; the message names the option and says why.
    """
    folder = pathlib.Path(folder)
    probe = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".kfg-", suffix="-" * (DEEPEST - 13), dir=folder)
        os.close(handle)
        probe = pathlib.Path(name)
        renamed = probe.with_name(f"{probe.name[:-1]}=")
        os.replace(probe, renamed)
        probe = renamed
    except OSError as error:
        why = error.strerror or error
        if error.errno in files.NO_RENAME:
            why = f"its file system cannot rename files ({error.strerror}); give a folder on another one"
        elif error.errno == errno.ENAMETOOLONG or (probe is None and folder.is_dir() and error.errno == errno.ENOENT):
            why = f"this path is too long, as {DEEPEST} more characters have to fit below it; give a shorter one"
        raise InputError(f"{option} {folder}: {why}") from error
    finally:
        if probe is not None:
            with contextlib.suppress(OSError):
                probe.unlink()


def is_free(path) -> bool:
    """Return whether a new folder can be written there: nothing is there, or only an empty folder."""
    path = pathlib.Path(path)
    return not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))


def check_folder(path, *, marks: Collection[str], parts: Collection[str]) -> None:
    """Refuse to replace a folder that holds anything kfg does not write there.

    Args:
        path: the folder to be replaced; a folder that does not exist or is empty passes.
        marks: names that are always in a folder of this kind that kfg wrote.
        parts: all other names that may be in it, and patterns of the files in its sub-folders, such as
            "variables/variables.*".
    Raises:
        InputError: `path` is a file, or a folder that kfg did not write or that holds something else; the message
            names what was found.
    """
    path = files.followed(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"{path}: is a file, but kfg has to write a folder here; give another name")
    found = sorted(entry.name for entry in os.scandir(path))
    foreign = [name for name in found if name not in (*marks, *parts, *LITTER)] or _foreign_below(path, parts)
    if foreign:
        raise InputError(f"{path}: holds {foreign[0]}, which kfg did not write; give another folder or an empty one")
    absent = [name for name in marks if name not in found]
    if absent and set(found) - set(LITTER):
        raise InputError(
            f"{path}: is not a complete folder written by kfg, as it has no {absent[0]}; remove it or give another"
        )


def _foreign_below(path, parts) -> list[str]:
    """Return the files in sub-folders of a folder that match none of the patterns in `parts`."""
    inner = [file.relative_to(path) for file in path.glob("*/**/*") if not file.is_dir() and file.name not in LITTER]
    return sorted(str(file) for file in inner if not any(file.match(part) for part in parts))


def replace_folder(partial, path, *, marks: Collection[str], parts: Collection[str]) -> None:
    """Move the finished folder `partial` to `path`, if `check_folder` allows it; the old folder is removed last."""
    path = files.followed(path)
    old = _aside(path)
    _recover(path, marks=marks, parts=parts)
    check_folder(path, marks=marks, parts=parts)
    files.flush_tree(partial)
    if path.exists():
        files.rename(path, old)
    try:
        files.rename(partial, path)
    except (OSError, InputError):
        _recover(path, marks=marks, parts=parts)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _aside(path) -> pathlib.Path:
    return path.with_name(f".{path.name}.kfg-old")


def _recover(path, *, marks, parts) -> None:
    """Give the old folder its name back if `replace_folder` was killed before the new one had it."""
    old = _aside(path)
    if not old.is_dir():
        return
    check_folder(old, marks=marks, parts=parts)
    if path.exists():
        shutil.rmtree(old)  # the new folder already had its name when the process was killed
    else:
        files.rename(old, path)


def check_file(path, own: Callable[[pathlib.Path], bool], *, what: str) -> None:
    """Refuse to overwrite a file that is not of the kind kfg would write in its place.

    Args:
        path: the file to write; a file that does not exist or is empty passes.
        own: function path -> whether kfg wrote the file; see `is_csv` and `is_json`.
        what: the kind of file that is to be written, for the message.
    Raises:
        InputError: a file that kfg did not write, a folder or a device.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, but kfg has to write a file here")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a device or a pipe, but kfg has to write a file here")
    try:
        foreign = path.is_file() and path.stat().st_size > 0 and not own(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if foreign:
        raise InputError(f"{path}: this file exists and is not {what}; give another name, or remove it")


def is_csv(path, columns: Collection[str]) -> bool:
    """Return whether a file is a table with exactly these columns, as kfg writes it."""
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.readline(1 << 16).rstrip("\r\n") == ",".join(columns)


def is_json(path, keys: Collection[str]) -> bool:
    """Return whether a file is a JSON object with these keys."""
    try:
        found = files.read_json(path)
    except InputError:
        return False
    return isinstance(found, dict) and set(keys) <= found.keys()


def is_page(path, text: str) -> bool:
    """Return whether a file has this text, which is in every page of its kind that kfg writes."""
    return text in pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
