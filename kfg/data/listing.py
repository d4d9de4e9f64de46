"""List a data folder: its class folders, its image files, and the files and folders that are skipped."""

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
from kfg.data.part_folders import PARTS
from kfg.errors import InputError
from kfg.files import local
from kfg.names import printable
from kfg.runs import run_files

OURS = (run_files.SPLIT, run_files.CORRECTIONS, run_files.CORRECTIONS_LOCK, f"{run_files.CORRECTIONS_LOCK}.json")
_FILE_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")  # a dead link with such a suffix led to a file, not a class folder


@dataclasses.dataclass(frozen=True)
class Listing:
    """The contents of a data folder, listed without decoding any file.

    Args:
        images: (path, class, part) of every image file, in order; part is "" if the folder does not give it.
        folders: class names in order of appearance, including classes without an image.
        skipped: (path, reason) of every file and folder that is skipped. The reasons are "hidden", "litter" (made by a
            system or a device), "linked" (a linked folder below a class), "dead-link" (a link that leads nowhere;
            "dead-class" if it lies among the class folders), "unsupported" (a picture in a format that kfg does not
            read), "not-an-image", and for files beside the class folders "stray" (an image), "to-answer" (an image of
            a contest's test) or "outside" (any other file).
        refused: an OSError for each file or folder that could not be read.
        misnamed: messages about folders with names by which parts would be taken for classes, or two classes for one.
        unclear: messages about a folder without recognisable classes, which say what to do.
    """

    images: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    folders: list[str] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    refused: list[OSError] = dataclasses.field(default_factory=list)
    misnamed: list[str] = dataclasses.field(default_factory=list)
    unclear: list[str] = dataclasses.field(default_factory=list)

    def passed_over(self, used: Iterable[str], *, below: str = "") -> list[tuple[str, str]]:
        """Return (path, reason) of every file and folder that is not used.

        These are the skipped files and folders, and the images that are not in `used`, with the reason "unlisted".

        Args:
            used: paths of the images that are used.
            below: return only paths in this folder (posix path); "": return all.
        """
        used = set(used)
        found = self.skipped + [(path, "unlisted") for path, _, _ in self.images]
        return [(path, why) for path, why in found if path not in used and (not below or path.startswith(f"{below}/"))]


def checked_root(root) -> pathlib.Path:
    """Return `root` as a Path, after checking that it is a readable folder.

    Raises:
        InputError: `root` is missing, not a folder, or may not be read.
    """
    root = local(root)
    try:
        os.scandir(root).close()
    except FileNotFoundError as error:
        raise InputError(f"{root}: no such folder{meant(root, folders=True)}") from error
    except NotADirectoryError as error:
        raise InputError(f"{root}: not a folder") from error
    except OSError as error:
        raise InputError(f"{root}: {error.strerror}") from error
    return root


def meant(root: pathlib.Path, *, folders: bool) -> str:
    """Return a question whether something of a similar name beside `root` is meant; "" if there is nothing.

    Args:
        root: a path that does not exist.
        folders: whether only a folder can be meant.
    """
    with contextlib.suppress(OSError):
        beside = [entry.name for entry in os.scandir(root.absolute().parent) if entry.is_dir() or not folders]
        beside = [name for name in beside if name != root.name]  # a link that leads nowhere
        if near := difflib.get_close_matches(root.name, beside, n=1):
            return f"; did you mean {printable(str(root.with_name(near[0])))}?"
    return ""


def list_folder(root) -> Listing:
    """List the images of `root/<class>/...` or of class folders in part folders; see `folder.scan` for the layouts.

    Nothing is raised: errors of reading are in `refused`, problems with the layout in `misnamed` and `unclear`.
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
        for above in reversed(pathlib.PurePosixPath(home).parents[:-1]):  # records the files on the way as skipped
            _class_folders(root, root / above, listing)
        for name in _class_folders(root, root / home, listing):
            _list_class(root, root / home / name, name, part, listing)
    for name in plan.beside:
        found = Listing()
        _list_class(root, root / name, name, "", found)
        listing.skipped.extend(found.skipped + [(path, "stray") for path, _, _ in found.images])
        listing.refused.extend(found.refused)


def list_images(folder) -> Listing:
    """List every image below one folder, whatever its sub-folders are called, as training lists a class folder."""
    listing = Listing()
    _list_class(pathlib.Path(folder), pathlib.Path(folder), "", "", listing)
    return listing


def images_below(folder, *, also: Collection[str] = ()) -> list[pathlib.Path]:
    """Return the images below a folder, sorted.

    Args:
        folder: the folder; hidden files and folders in it are skipped.
        also: reasons of `Listing.skipped`, such as "unsupported" or "linked". Paths that are skipped for one of these
            are returned as well, so that the caller can report them.
    Raises:
        InputError: there are no images, or a folder may not be read.
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
    """Return the classes without an image to train on, with the number of images that each has in other parts.

    Args:
        images: (class, part) of each image. An image of part "" may still become a training image.
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
        if path in OURS and not is_folder:
            continue
        if why := _hidden(entry.name, folder=is_folder):
            listing.skipped.append((path, why))
        elif is_folder:
            if entry.is_symlink() and pathlib.Path(entry.path).resolve() in (root.resolve(), *root.resolve().parents):
                listing.skipped.append((path, "linked"))  # the link leads back to the data folder or one above it
            else:
                names.append(entry.name)
        else:
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
            if os.path.islink(os.path.join(parent, subfolder)):  # not followed, as it may lead anywhere or in a circle
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
    """Return "hidden" or "litter" if a file or folder is skipped because of its name, else ""."""
    if name.startswith("."):
        return "hidden"
    return ("litter" if folder else "hidden") if is_litter(name, folder=folder) else ""


def _kind(path, listing) -> str:
    """Return the kind of a file: "image", "unsupported", "dead-link" or "not-an-image"."""
    try:
        if tree.is_image_file(str(path)):
            return "image"
    except OSError as error:
        listing.refused.append(error)
    if path.is_symlink() and not os.path.exists(path):
        return "dead-link"
    return "unsupported" if path.suffix.lower() in UNREAD else "not-an-image"
