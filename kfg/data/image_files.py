"""The image files that `kfg predict` and `kfg explain` are given: as files, or all below a folder."""

import pathlib
from collections.abc import Iterable, Sequence

from kfg.data.listing import images_below, list_images
from kfg.data.remarks import remark
from kfg.errors import InputError
from kfg.files import listed
from kfg.names import printable, shortened


def files(paths: Iterable, *, classes: Sequence[str] | None = None) -> list[pathlib.Path]:
    """Expand folders to the image files below them, listed as training lists a class, sorted; files stay as given.

    Files in a format kfg does not read are among them: each is an error, not forgotten.

    Args:
        paths: files and folders.
        classes: the model's, to refuse a folder whose sub-folders are classes, but not all of them the model's.
    Raises:
        InputError: a folder without images, one that may not be read, or one refused for its classes.
    """
    found = []
    for path in listed(paths):
        below = images_below(path, also=("unsupported",)) if path.is_dir() else [path]
        if classes is not None and path.is_dir():
            _check_folders(path, below, classes)
        found += below
    return found


def remarks(paths: Iterable) -> list[str]:
    """Return a line about each folder in which something else than what `files` gives is passed over."""
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
            f"{printable(str(root / foreign[0]))}: the model has no such class, though it has {own} beside it (its "
            f"classes: {printable(shortened(classes))}); give the sub-folders or the files to have them classified"
        )
