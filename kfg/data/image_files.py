"""Find the image files that `kfg predict` and `kfg explain` are given: single files, or all files below a folder."""

import os
import pathlib
from collections.abc import Iterable, Sequence

from kfg.data.listing import images_below, list_images, meant
from kfg.data.remarks import remark
from kfg.errors import InputError
from kfg.files import listed
from kfg.names import printable, shortened


def files(paths: Iterable, *, classes: Sequence[str] | None = None) -> list[pathlib.Path]:
    """Replace each folder by the image files below it, sorted; single files stay as given.

    The files of a folder are chosen as training chooses those of a class. Files in a format that kfg does not read are
    included, so that each is reported as an error and none is forgotten.

    Args:
        paths: files and folders.
        classes: class names of the model. If given, a folder is refused if only some of its sub-folders are named like
            classes of the model.
    Raises:
        InputError: a folder has no images, may not be read, or is refused because of its sub-folders.
    """
    found = []
    for path in listed(paths):
        below = images_below(path, also=("unsupported",)) if path.is_dir() else [path]
        if classes is not None and path.is_dir():
            _check_folders(path, below, classes)
        found += below
    return found


def check_there(paths: Iterable) -> None:
    """Refuse paths that do not exist, before anything is loaded.

    Raises:
        InputError: nothing is at one of the paths.
    """
    for path in listed(paths):
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "this link leads nowhere" if os.path.islink(path) else "no such file or folder"
            raise InputError(f"{path}: {what}{meant(path, folders=False)}") from error


def remarks(paths: Iterable) -> list[str]:
    """Return a line about each folder in which files are skipped, with their number and an example."""
    lines = []
    for path in filter(pathlib.Path.is_dir, listed(paths)):
        if said := remark([(name, why) for name, why in list_images(path).skipped if why != "unsupported"]):
            lines.append(f"{printable(str(path))}: {said}")
    return lines


def _check_folders(root, below, classes):
    names = sorted({file.relative_to(root).parts[0] for file in below if file.parent != root})
    foreign = [name for name in names if name not in classes]
    if foreign and len(foreign) < len(names):
        own = next(name for name in names if name in classes)
        raise InputError(
            f"{printable(str(root / foreign[0]))}: the model has no such class, although it has the class {own} beside "
            f"it (its classes: {printable(shortened(classes))}); give the sub-folders or the files to have them "
            "classified"
        )
