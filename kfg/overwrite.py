"""What kfg may overwrite: files and folders that it wrote itself. Anything else is refused, before any work is done."""

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

DEEPEST = 140  # characters of the longest path in a folder of runs, as of an export half written
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # what file managers leave in any folder that is looked at


def is_reserved(name: str) -> bool:
    """Return whether Windows has another use for a file's name: a device, or a dot or blank that it drops at the end.

    Example:
        >>> [is_reserved(name) for name in ("aux", "NUL.txt", "com1", "a.", "a ", "console", "com10")]
        [True, True, True, True, True, False, False]
    """
    return bool(re.fullmatch(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?|.*[. ]", name, re.IGNORECASE))


def check_writable(option: str, folder) -> None:
    """Make a folder and a file in it, as deep as a run's, and rename that; InputError, naming the option, if not.

    Args:
        option: of the command line that names the folder.
        folder: to be written to.
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
            why = f"this path leaves no room for the {DEEPEST} characters below it; give a shorter one"
        raise InputError(f"{option} {folder}: {why}") from error
    finally:
        if probe is not None:
            with contextlib.suppress(OSError):
                probe.unlink()


def check_folder(path, *, marks: Collection[str], parts: Collection[str]) -> None:
    """Refuse a folder that must not be replaced: one that holds anything kfg does not write there.

    Args:
        path: what is to be replaced; one that is not there, or empty, may be.
        marks: names that such a folder of kfg always has.
        parts: all other names it may have, and patterns of the files in its sub-folders, as "variables/variables.*".
    Raises:
        InputError: a file, a folder of somebody else's or with something else in it; the message names it.
    """
    path = files.followed(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"{path}: is a file, a folder is to be written; give another name")
    found = sorted(entry.name for entry in os.scandir(path))
    foreign = [name for name in found if name not in (*marks, *parts, *LITTER)] or _foreign_below(path, parts)
    if foreign:
        raise InputError(f"{path}: holds {foreign[0]}, which kfg did not write; give another folder or an empty one")
    absent = [name for name in marks if name not in found]
    if absent and set(found) - set(LITTER):
        raise InputError(f"{path}: is not a whole folder of kfg's, it has no {absent[0]}; remove it or give another")


def _foreign_below(path, parts) -> list[str]:
    """Return the files in sub-folders of a folder that none of the patterns in `parts` fits."""
    inner = [file.relative_to(path) for file in path.glob("*/**/*") if not file.is_dir() and file.name not in LITTER]
    return sorted(str(file) for file in inner if not any(file.match(part) for part in parts))


def replace_folder(partial, path, *, marks: Collection[str], parts: Collection[str]) -> None:
    """Put a finished folder in the place of `path`, where `check_folder` allows that; the old one goes last."""
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
    """Give a folder its name back that a kill in the middle of `replace_folder` left without one."""
    old = _aside(path)
    if not old.is_dir():
        return
    check_folder(old, marks=marks, parts=parts)
    if path.exists():
        shutil.rmtree(old)  # the kill came when the new one had its name
    else:
        files.rename(old, path)


def check_file(path, own: Callable[[pathlib.Path], bool], *, what: str) -> None:
    """Refuse to overwrite a file that is not of the kind kfg would write in its place.

    Args:
        path: of the file to write; one that is not there, or empty, may be written.
        own: function path -> whether kfg wrote the file, see `is_csv` and `is_json`.
        what: that is to be written, for the message.
    Raises:
        InputError: somebody else's file, a folder, a device.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a file is to be written")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a device or a pipe, a file is to be written")
    try:
        foreign = path.is_file() and path.stat().st_size > 0 and not own(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if foreign:
        raise InputError(f"{path}: this file is there and is not {what}; give another name, or remove it")


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
