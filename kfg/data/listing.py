"""What lies in a data folder: class folders, the files that are images, and what is passed over."""

import dataclasses
import os
import pathlib

from kfg.data.decode import FORMATS, SNIFF_BYTES, sniff
from kfg.errors import InputError

PARTS = ("train", "val", "test")
SUFFIXES = tuple(dict.fromkeys(suffix for suffixes in FORMATS.values() for suffix in suffixes))
PART_LIKE = ("train", "training", "val", "valid", "validation", "test", "testing")
SPLIT_FILE = "split.csv"


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a data folder, before anything is opened.

    Args:
        images: (path, class, part) of every image file, in order; part "" where the folder does not say.
        folders: class names in order of appearance, those without an image too.
        skipped: (path, why) of what is passed over; why is "hidden", "not-an-image" or "outside".
        refused: OSErrors of what could not be read.
    """

    images: list[tuple[str, str, str]]
    folders: list[str]
    skipped: list[tuple[str, str]]
    refused: list[OSError]


def checked_root(root) -> pathlib.Path:
    """Return `root` as a path.

    Raises:
        InputError: it is missing, not a folder, or may not be read.
    """
    root = pathlib.Path(root)
    try:
        os.scandir(root).close()
    except FileNotFoundError as error:
        raise InputError(f"{root}: no such folder") from error
    except NotADirectoryError as error:
        raise InputError(f"{root}: not a folder") from error
    except OSError as error:
        raise InputError(f"{root}: {error.strerror}") from error
    return root


def list_folder(root) -> Listing:
    """List the images of `root/<class>/...` or `root/{train,val,test}/<class>/...`; `scan` says what counts.

    Nothing is raised below `root`: what cannot be read is in `refused`.
    """
    root = pathlib.Path(root)
    listing = Listing([], [], [], [])
    names = _class_folders(root, root, listing)
    if "train" in names and set(names) <= set(PARTS):
        for part in PARTS:
            for name in _class_folders(root, root / part, listing) if part in names else ():
                _list_class(root, root / part / name, name, part, listing)
    else:
        _refuse_misnamed_parts(root, names)
        for name in names:
            _list_class(root, root / name, name, "", listing)
    listing.images.sort(key=lambda image: (PARTS.index(image[2]) if image[2] else 0, image[0]))
    return listing


def _refuse_misnamed_parts(root, names) -> None:
    """Raise where part folders would be read as classes, which would train "train" against "test"."""
    for name in names:
        if name.casefold() in PART_LIKE and any(entry.is_dir() for entry in os.scandir(root / name)):
            raise InputError(
                f"{root / name}: looks like a part, not a class; part folders are named {', '.join(PARTS)}, "
                f"train among them and no other folder beside them (found {', '.join(names)})"
            )


def _class_folders(root, folder, listing) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            entries = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        listing.refused.append(error)
        return []
    names = []
    for entry in entries:
        path = pathlib.Path(entry.path).relative_to(root).as_posix()
        if entry.name.startswith(".") or entry.name == "__MACOSX":  # what a Mac leaves in its archives
            listing.skipped.append((path, "hidden"))
        elif entry.is_dir():
            names.append(entry.name)
        elif path != SPLIT_FILE:
            listing.skipped.append((path, "outside"))
    return names


def _list_class(root, folder, name, part, listing):
    if name not in listing.folders:
        listing.folders.append(name)
    for parent, subfolders, files in os.walk(folder, onerror=listing.refused.append):
        here = pathlib.Path(parent).relative_to(root)
        listing.skipped.extend(((here / s).as_posix(), "hidden") for s in sorted(subfolders) if s.startswith("."))
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        for file in sorted(files):
            path = (here / file).as_posix()
            if file.startswith("."):
                listing.skipped.append((path, "hidden"))
            elif pathlib.PurePath(file).suffix.lower() in SUFFIXES or _starts_like_an_image(root / path, listing):
                listing.images.append((path, name, part))
            else:
                listing.skipped.append((path, "not-an-image"))


def _starts_like_an_image(path, listing) -> bool:
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return bool(sniff(file.read(SNIFF_BYTES)))
    except OSError as error:
        listing.refused.append(error)
        return False
