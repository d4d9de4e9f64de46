"""The folders of a data folder, and which of them hold images: what is asked before it is known what they mean."""

import functools
import os
import pathlib

from kfg.data.formats import FORMATS, SNIFF_BYTES, sniff, suffix_of
from kfg.data.litter import is_litter

SUFFIXES = tuple(dict.fromkeys(suffix for suffixes in FORMATS.values() for suffix in suffixes))


class Tree:
    """The visible folders of a data folder and of those in it, and which of them hold images."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.inner = functools.cache(self._inner)
        self.filled = functools.cache(self._filled)
        self.direct = functools.cache(self._direct)

    def _inner(self, path: str) -> tuple[str, ...]:
        """Return the folders in `path` that hold images at any depth."""
        return tuple(name for name, folder in self._entries(path) if folder and self.filled(f"{path}/{name}"))

    def _filled(self, path: str) -> bool:
        """Return whether an image lies in `path` or deeper; links are followed from `path` itself only."""
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
        except OSError:  # said by the listing
            return []
        return [(name, folder) for name, folder in found if not hidden(name, folder=folder)]

    def folders(self, path: str) -> list[str]:
        """Return the folders in `path`, with images or without."""
        return [name for name, folder in self._entries(path) if folder]

    def nested(self, path: str) -> bool:
        """Return whether all images of `path` lie in folders of it."""
        return not self.direct(path) and bool(self.inner(path))


def is_folder(entry: os.DirEntry) -> bool:
    """Return whether an entry is a folder or a link to one; a link that leads in circles is none."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def hidden(name: str, *, folder: bool) -> bool:
    """Return whether a file or folder is passed over for its name: it begins with a dot, or is litter."""
    return name.startswith(".") or is_litter(name, folder=folder)


def is_image_file(path: str) -> bool:
    """Return whether a file counts as an image: by its suffix, and by its content where that does not say.

    Raises:
        OSError: it cannot be read.
    """
    if path.lower().endswith(SUFFIXES):
        return True
    if not os.path.isfile(path):  # asked first: a named pipe would be waited on for ever
        return False
    with open(path, "rb") as file:
        return bool(sniff(file.read(SNIFF_BYTES), suffix_of(path)))


def _is_image(path) -> bool:
    try:
        return is_image_file(path)
    except OSError:  # said by the listing
        return False
