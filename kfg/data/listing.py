"""What lies in a data folder: class folders, the files that are images, and what is passed over."""

import collections
import contextlib
import dataclasses
import difflib
import os
import pathlib
import re
from collections.abc import Collection, Iterable

from kfg.data import advice, part_folders, tree
from kfg.data.foreign import UNREAD
from kfg.data.litter import is_litter
from kfg.data.part_folders import PARTS as PARTS
from kfg.data.remarks import TO_ANSWER as TO_ANSWER
from kfg.data.remarks import remark as remark
from kfg.data.splitcsv import BOTH as BOTH
from kfg.data.tree import SUFFIXES as SUFFIXES
from kfg.errors import InputError
from kfg.files import local
from kfg.names import printable as printable
from kfg.names import shortened as shortened
from kfg.runs import run_files

_FILE_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")  # of a dead link, to tell what was a file from a class folder


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a data folder, before anything is opened.

    Args:
        images: (path, class, part) of every image file, in order; part "" where the folder does not say.
        folders: class names in order of appearance, those without an image too.
        skipped: (path, why) of what is passed over; why is "hidden", "litter" (of a system or a device), "linked" (a
            linked folder below a class), "dead-link" ("dead-class" among the class folders), "unsupported" (a picture
            in a format kfg does not read), "not-an-image", and beside the class folders "stray" (an image),
            "to-answer" (one of a contest's test) or "outside" (any other file).
        refused: OSErrors of what could not be read.
        misnamed: messages about folders named so that parts would be read as classes, or two classes as one.
        unclear: messages about a folder in which no classes can be seen, with what to do.
    """

    images: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    folders: list[str] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    refused: list[OSError] = dataclasses.field(default_factory=list)
    misnamed: list[str] = dataclasses.field(default_factory=list)
    unclear: list[str] = dataclasses.field(default_factory=list)

    def passed_over(self, used: Iterable[str], *, below: str = "") -> list[tuple[str, str]]:
        """Return (path, why) of all that is not used: what is skipped, and "unlisted" images.

        Args:
            used: paths of the images that are used.
            below: only what lies in this folder (posix path); "" for everything.
        """
        used = set(used)
        found = self.skipped + [(path, "unlisted") for path, _, _ in self.images]
        return [(path, why) for path, why in found if path not in used and (not below or path.startswith(f"{below}/"))]


def checked_root(root) -> pathlib.Path:
    """Return `root` as a path.

    Raises:
        InputError: it is missing, not a folder, or may not be read.
    """
    root = local(root)
    try:
        os.scandir(root).close()
    except FileNotFoundError as error:
        raise InputError(f"{root}: no such folder{_meant(root)}") from error
    except NotADirectoryError as error:
        raise InputError(f"{root}: not a folder") from error
    except OSError as error:
        raise InputError(f"{root}: {error.strerror}") from error
    return root


def _meant(root) -> str:
    """Ask whether a folder of nearly this name is meant; "" where there is none beside it."""
    with contextlib.suppress(OSError):
        beside = [entry.name for entry in os.scandir(root.absolute().parent) if entry.is_dir()]
        if near := difflib.get_close_matches(root.name, beside, n=1):
            return f"; did you mean {printable(str(root.with_name(near[0])))}?"
    return ""


def list_folder(root) -> Listing:
    """List the images of `root/<class>/...` or of class folders in part folders; `scan` says what counts.

    Nothing is raised: what cannot be read is in `refused`, what cannot be meant in `misnamed` and `unclear`.
    """
    root = pathlib.Path(root)
    listing = Listing()
    names = _class_folders(root, root, listing)
    plan = part_folders.plan(root, names)
    if plan.parts:
        _list_parts(root, plan, listing)
    elif plan.within:
        for name in names:
            for inner in _class_folders(root, root / name, listing):
                _list_class(root, root / name / inner, name, part_folders.part_of(inner)[0], listing)
    else:
        for name in names:
            _list_class(root, root / name, name, "", listing)
    listing.images.sort(key=lambda image: (PARTS.index(image[2]) if image[2] else 0, image[0]))
    if plan.problem:
        listing.misnamed.append(plan.problem)
    elif not (plan.parts and listing.images):
        listing.unclear.extend(advice.on(root, listing, names))
    return listing


def _list_parts(root, plan, listing):
    for part, home in plan.parts.items():
        for above in reversed(pathlib.PurePosixPath(home).parents[:-1]):  # what lies beside a folder in a folder
            _class_folders(root, root / above, listing)
        for name in _class_folders(root, root / home, listing):
            _list_class(root, root / home / name, name, part, listing)
    for name in plan.beside:
        found = Listing()
        _list_class(root, root / name, name, "", found)
        listing.skipped.extend(found.skipped + [(path, "stray") for path, _, _ in found.images])
        listing.refused.extend(found.refused)


def list_images(folder) -> Listing:
    """List every image below one folder, whatever its sub-folders are called, as training lists a class."""
    listing = Listing()
    _list_class(pathlib.Path(folder), pathlib.Path(folder), "", "", listing)
    return listing


def images_below(folder, *, also: Collection[str] = ()) -> list[pathlib.Path]:
    """Return the images below a folder, sorted.

    Args:
        folder: its hidden files and folders are passed over.
        also: "unsupported" or "linked", or both: with what kfg cannot read or follow, so that it is missed, not
            forgotten.
    Raises:
        InputError: no images, or a folder that may not be read.
    """
    folder = pathlib.Path(folder)
    found = list_images(folder)
    if found.refused:
        error = found.refused[0]
        raise InputError(f"{error.filename}: {error.strerror}") from error
    names = [path for path, _, _ in found.images]
    names += [path for path, why in found.skipped if why in also]
    if not names:
        raise InputError(f"{folder}: no images in this folder")
    return [folder / name for name in sorted(names)]


def untrained(images: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the classes that given parts leave without an image to train on, and how many they have where.

    Args:
        images: (class, part) of each image; one of part "" may yet be trained on.
    Example:
        >>> untrained([("dog", "train"), ("dog", "test"), ("cats", "test"), ("cats", "test"), ("ox", "")])
        {'cats': '2 in test'}
    """
    where = collections.defaultdict(collections.Counter)
    for name, part in images:
        where[name][part] += 1
    return {
        name: ", ".join(f"{count} in {part}" for part, count in sorted(counts.items()))
        for name, counts in where.items()
        if not counts.keys() & {"", "train"}
    }


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
        is_folder = tree.is_folder(entry)
        if why := _hidden(entry.name, folder=is_folder):
            listing.skipped.append((path, why))
        elif is_folder:
            if entry.is_symlink() and pathlib.Path(entry.path).resolve() in (root.resolve(), *root.resolve().parents):
                listing.skipped.append((path, "linked"))  # it leads back to the folder itself
            else:
                names.append(entry.name)
        elif path != run_files.SPLIT:
            kind = _kind(pathlib.Path(entry.path), listing)
            if kind == "dead-link":
                kind = "outside" if _FILE_SUFFIX.fullmatch(pathlib.Path(path).suffix) else "dead-class"
            listing.skipped.append((path, {"image": "stray", "not-an-image": "outside"}.get(kind, kind)))
    return names


def _list_class(root, folder, name, part, listing):
    if name not in listing.folders:
        listing.folders.append(name)
    for parent, subfolders, files in os.walk(folder, onerror=listing.refused.append):
        here = pathlib.Path(parent).relative_to(root)
        seen = []
        for subfolder in sorted(subfolders):
            path = (here / subfolder).as_posix()
            if why := _hidden(subfolder, folder=True):
                listing.skipped.append((path, why))
                continue
            seen.append(subfolder)
            if os.path.islink(os.path.join(parent, subfolder)):  # not followed: it may lead anywhere, and in circles
                listing.skipped.append((path, "linked"))
        subfolders[:] = seen
        for file in sorted(files):
            path = (here / file).as_posix()
            kind = _hidden(file, folder=False) or _kind(root / path, listing)
            if kind == "image":
                listing.images.append((path, name, part))
            else:
                listing.skipped.append((path, kind))


def _hidden(name, *, folder) -> str:
    """Return "hidden" or "litter" where a name alone decides that it is passed over, else ""."""
    if name.startswith("."):
        return "hidden"
    return ("litter" if folder else "hidden") if is_litter(name, folder=folder) else ""


def _kind(path, listing) -> str:
    """Return "image", "unsupported", "dead-link" or "not-an-image"."""
    try:
        if tree.is_image_file(str(path)):
            return "image"
    except OSError as error:
        listing.refused.append(error)
    if path.is_symlink() and not os.path.exists(path):
        return "dead-link"
    return "unsupported" if path.suffix.lower() in UNREAD else "not-an-image"
