"""Find the folders in a data folder that hold images, before it is decided which are classes and which are parts."""

import functools
import os
import pathlib

from kfg.data.formats import FORMATS, SNIFF_BYTES, sniff, suffix_of
from kfg.data.litter import is_litter

SUFFIXES = tuple(dict.fromkeys(suffix for suffixes in FORMATS.values() for suffix in suffixes))


class Tree:
    """The visible folders at all depths of a data folder, with the information which of them hold images."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.inner = functools.cache(self._inner)
        self.filled = functools.cache(self._filled)
        self.direct = functools.cache(self._direct)

    def _inner(self, path: str) -> tuple[str, ...]:
        """Return the folders in `path` that hold images at any depth."""
        return tuple(name for name, folder in self._entries(path) if folder and self.filled(f"{path}/{name}"))

    def _filled(self, path: str) -> bool:
        """Return whether an image lies in `path` or deeper; only linked folders directly in `path` are followed."""
        if self.direct(path):
            return True
        linked = (f"{path}/{name}" for name, folder in self._entries(path) if folder)
        if any(self.direct(one) for one in linked if os.path.islink(self.root / one)):
            return True
        for parent, subfolders, files in os.walk(self.root / path):
            subfolders[:] = [name for name in subfolders if not hidden(name, folder=True)]
            if any(_is_image(os.path.join(parent, name)) for name in files if not hidden(name, folder=False)):
                return True
        return False

    def _direct(self, path: str) -> bool:
        """Return whether an image lies in `path` itself."""
        return any(
            not folder and _is_image(os.path.join(self.root, path, name)) for name, folder in self._entries(path)
        )

    def _entries(self, path):
        try:
            with os.scandir(self.root / path) as entries:
                found = sorted((entry.name, is_folder(entry)) for entry in entries)
        except OSError:  # the listing reports it
            return []
        return [(name, folder) for name, folder in found if not hidden(name, folder=folder)]

    def folders(self, path: str) -> list[str]:
        """Return the visible folders in `path`, with images or without."""
        return [name for name, folder in self._entries(path) if folder]

    def nested(self, path: str) -> bool:
        """Return whether `path` holds images, and all of them lie in its sub-folders."""
        return not self.direct(path) and bool(self.inner(path))


def is_folder(entry: os.DirEntry) -> bool:
    """Return whether an entry is a folder or a link to one; False for a link that leads in a circle."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def hidden(name: str, *, folder: bool) -> bool:
    """Return whether a file or folder is skipped because of its name: it begins with a dot, or is litter."""
    return name.startswith(".") or is_litter(name, folder=folder)


def is_image_file(path: str) -> bool:
    """Return whether a file counts as an image: by its suffix, or else by its first bytes.

    Raises:
        OSError: the file cannot be read.
    """
    if path.lower().endswith(SUFFIXES):
        return True
    if not os.path.isfile(path):  # checked first, because reading from a named pipe could wait for ever
        return False
    with open(path, "rb") as file:
        return bool(sniff(file.read(SNIFF_BYTES), suffix_of(path)))


def _is_image(path) -> bool:
    try:
        return is_image_file(path)
    except OSError:  # the listing reports it
        return False
