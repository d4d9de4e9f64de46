"""What lies in a data folder: class folders, the files that are images, and what is passed over."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Collection, Iterable, Sequence

from kfg.data.decode import FORMATS, SNIFF_BYTES, UNREAD, sniff
from kfg.errors import InputError
from kfg.files import local

PARTS = ("train", "val", "test")
BOTH = "val+test"  # in the split.csv of a run that repeats a study's mistake: these images were both
SUFFIXES = tuple(dict.fromkeys(suffix for suffixes in FORMATS.values() for suffix in suffixes))
PART_LIKE = ("train", "training", "val", "valid", "validation", "test", "testing")
SPLIT_FILE = "split.csv"
TO_ANSWER = "to-answer"  # why an image of a contest's test is not trained on: see kfg.data.contest
PASSED_OVER = {  # why -> what the terminal calls it; files that are no images and hidden ones are not mentioned there
    "unsupported": "in a format kfg does not read",
    "linked": "as linked folders",
    "stray": "outside of the class folders",
    "unlisted": "not listed",
}


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a data folder, before anything is opened.

    Args:
        images: (path, class, part) of every image file, in order; part "" where the folder does not say.
        folders: class names in order of appearance, those without an image too.
        skipped: (path, why) of what is passed over; why is "hidden", "linked" (a linked folder below a class),
            "unsupported" (named like a photograph in a format kfg does not read), "not-an-image", and beside the
            class folders "stray" (an image), "to-answer" (one of a contest's test) or "outside" (any other file).
        refused: OSErrors of what could not be read.
        misnamed: messages about folders named so that parts would be read as classes, or two classes as one.
    """

    images: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    folders: list[str] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    refused: list[OSError] = dataclasses.field(default_factory=list)
    misnamed: list[str] = dataclasses.field(default_factory=list)

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
        raise InputError(f"{root}: no such folder") from error
    except NotADirectoryError as error:
        raise InputError(f"{root}: not a folder") from error
    except OSError as error:
        raise InputError(f"{root}: {error.strerror}") from error
    return root


def list_folder(root) -> Listing:
    """List the images of `root/<class>/...` or `root/{train,val,test}/<class>/...`; `scan` says what counts.

    Nothing is raised: what cannot be read is in `refused`, what cannot be meant in `misnamed`.
    """
    root = pathlib.Path(root)
    listing = Listing()
    names = _class_folders(root, root, listing)
    if "train" in names and set(names) <= set(PARTS):
        for part in PARTS:
            for name in _class_folders(root, root / part, listing) if part in names else ():
                _list_class(root, root / part / name, name, part, listing)
    else:
        _find_misnamed_parts(root, names, listing)
        for name in names:
            _list_class(root, root / name, name, "", listing)
    listing.images.sort(key=lambda image: (PARTS.index(image[2]) if image[2] else 0, image[0]))
    return listing


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
        name: ", ".join(f"{count} in {part}" for part, count in sorted(parts.items()))
        for name, parts in where.items()
        if not parts.keys() & {"", "train"}
    }


def remark(passed_over: Sequence[tuple[str, str]]) -> str:
    """Say in a line what images are passed over or a contest's to answer, how many and one of each kind; "" for none.

    Example:
        >>> remark([("a/1.heic", "unsupported"), ("a/2.heic", "unsupported"), (".git", "hidden"), ("c.jpg", "stray")])
        'passed over: 2 in a format kfg does not read (a/1.heic), 1 outside of the class folders (c.jpg)'
        >>> remark([("test/1.jpg", "to-answer")])
        'to be answered: 1 (test/1.jpg)'
    """
    said = []
    for why, words in PASSED_OVER.items():
        paths = [path for path, reason in passed_over if reason == why]
        if paths:
            said.append(f"{len(paths):,} {words} ({printable(paths[0])})")
    told = [f"passed over: {', '.join(said)}"] if said else []
    waiting = [path for path, reason in passed_over if reason == TO_ANSWER]
    if waiting:
        told.append(f"to be answered: {len(waiting):,} ({printable(waiting[0])})")
    return "; ".join(told)


def shortened(names: Sequence[str], *, count: int = 8) -> str:
    """Return the first names, and how many more there are.

    Example:
        >>> shortened(["cat", "dog", "ox"]), shortened(["cat", "dog", "ox"], count=2)
        ('cat, dog, ox', 'cat, dog and 1 more')
    """
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def printable(text: str) -> str:
    r"""Return text that any terminal and any JSON reader takes: bytes of a name that are not UTF-8 become \xNN.

    Example:
        >>> printable("caf\udce9.jpg")
        'caf\\xe9.jpg'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _find_misnamed_parts(root, names, listing) -> None:
    """Look for part folders that would be read as classes, which would train "train" against "test"."""
    for name in names:
        if name.casefold() in PART_LIKE and any(path.is_dir() for path in (root / name).iterdir()):
            listing.misnamed.append(
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
            kind = _kind(pathlib.Path(entry.path), listing)
            listing.skipped.append((path, {"image": "stray", "not-an-image": "outside"}.get(kind, kind)))
    return names


def _list_class(root, folder, name, part, listing):
    if name not in listing.folders:
        listing.folders.append(name)
    for parent, subfolders, files in os.walk(folder, onerror=listing.refused.append):
        here = pathlib.Path(parent).relative_to(root)
        for subfolder in sorted(subfolders):
            if subfolder.startswith("."):
                listing.skipped.append(((here / subfolder).as_posix(), "hidden"))
            elif os.path.islink(os.path.join(parent, subfolder)):  # not followed: it may lead anywhere, and in circles
                listing.skipped.append(((here / subfolder).as_posix(), "linked"))
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        for file in sorted(files):
            path = (here / file).as_posix()
            kind = "hidden" if file.startswith(".") else _kind(root / path, listing)
            if kind == "image":
                listing.images.append((path, name, part))
            else:
                listing.skipped.append((path, kind))


def _kind(path, listing) -> str:
    """Return "image", "unsupported" or "not-an-image": by name, and by content where the name does not say."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return "image"
    try:
        if path.is_file():  # asked first: a named pipe would be waited on for ever
            with open(path, "rb") as file:
                if sniff(file.read(SNIFF_BYTES), suffix):
                    return "image"
    except OSError as error:
        listing.refused.append(error)
    return "unsupported" if suffix in UNREAD else "not-an-image"
