"""A contest's answer file: JSON with the id of the predicted class for the file name of each test image.

The id is the text before "_" in the name of a class folder `ID_name`, with leading zeros kept. If some of a model's
classes have no id, the whole names of the classes are used.

An image that cannot be read has no answer, since a guess would look like the model's; it is reported and missing from
the file. A contest that scores its own list counts it as wrong; if the contest needs every name, the image must be
repaired first.
"""

import collections
import csv
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

from kfg import overwrite
from kfg.data import contest, listing
from kfg.data.listing import images_below
from kfg.data.remarks import remark
from kfg.errors import InputError
from kfg.files import listed, whole, write_json
from kfg.names import is_utf8, printable

MISSED = ("unsupported", "linked", "dead-link")  # kinds of files that a contest may ask for: never silently dropped
COLUMNS = ("file", "id", "probability")  # header of the table
KEYS = ("images", "groupname")  # top-level keys of the answer file


@dataclasses.dataclass(frozen=True)
class Answers:
    """A model's answers for a contest.

    Args:
        images: file name -> (class id, probability in [0, 1]), in the order of the files.
        unread: a line on each image that could not be read.
    """

    images: dict[str, tuple[str, float]]
    unread: tuple[str, ...] = ()


def images(paths: Iterable) -> list[pathlib.Path]:
    """Return the image files to answer: the files given, those below a folder, those in "test" of a contest's folder.

    Files below a folder in a format that kfg cannot read are included, so that they are reported as unread. A folder
    that contains both train and test is taken for a contest's folder.

    Raises:
        InputError: a folder without images or that may not be read; images in subfolders of a contest's test folder;
            two files of the same name; a name that is not UTF-8, which JSON cannot hold.
    """
    found = []
    for path in listed(paths):
        if _is_whole(path):
            found += contest.images_to_answer(path)
        else:
            found += images_below(path, also=MISSED) if path.is_dir() else [path]
    owners = {}
    for path in found:
        if not is_utf8(path.name):
            raise InputError(f"{printable(str(path))}: this name is not UTF-8; rename it")
        same = owners.setdefault(path.name, path)
        if same.resolve() != path.resolve():
            raise InputError(
                f"{path}: has the same name as {same}, and answers are listed by name; give one folder at a time"
            )
    return list(owners.values())


def remarks(paths: Iterable) -> list[str]:
    """Return a line on each folder with files that `images` leaves out."""
    lines = []
    for path in filter(pathlib.Path.is_dir, map(pathlib.Path, paths)):
        path = path / "test" if _is_whole(path) else path
        skipped = [(name, why) for name, why in listing.list_images(path).skipped if why not in MISSED]
        if said := remark(skipped):
            lines.append(f"{printable(str(path))}: {said}")
    return lines


def same_ids(files: Iterable) -> list[str]:
    """Return a line on image files whose names differ only in the suffix; [] if there are none.

    Each is answered under its full name. A contest whose ids are names without suffixes would take them for one image.

    Example:
        >>> same_ids(["test/0001.jpg", "test/0002.jpg", "test/0001.png"])
        ['2 files have names that differ only in the suffix (0001.jpg, 0001.png): each is answered under its full name']
    """
    by_stem = collections.defaultdict(list)
    for path in map(pathlib.Path, files):
        by_stem[path.stem].append(path.name)
    alike = [sorted(names) for names in by_stem.values() if len(names) > 1]
    if not alike:
        return []
    count, first = sum(map(len, alike)), printable(", ".join(alike[0]))
    return [
        f"{count:,} files have names that differ only in the suffix ({first}): each is answered under its full name"
    ]


def _is_whole(path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()


def answer(classifier, paths: Sequence) -> Answers:
    """Classify the images of a contest.

    Args:
        classifier: a kfg.exporting.classifiers.Classifier, or another object with its `classes` and `predict`.
        paths: N files with different names, as `images` returns them.
    Raises:
        InputError: classes whose ids are not unique; not a single image that can be read.
    """
    id_of = dict(zip(classifier.classes, contest.ids(classifier.classes), strict=True))
    answered, unread, paths = {}, [], listed(paths)
    for path, given in zip(paths, classifier.predict(paths), strict=True):
        if given.error:
            unread.append(given.error)
            continue
        ((name, probability),) = given.top(1)
        answered[pathlib.Path(path).name] = id_of[name], probability
    if not answered:
        raise InputError(f"none of the {len(unread)} images can be read; the first: {unread[0]}")
    return Answers(answered, tuple(unread))


def check_targets(out, table=None, *, group: str = "") -> None:
    """Check, before the model answers, that `write` will be able to write its files.

    Raises:
        InputError: a target is a folder, exists and holds something else, or lies where nothing can be written; both
            targets are the same; the group is not UTF-8.
    """
    overwrite.check_file(out, lambda path: overwrite.is_json(path, KEYS), what="an answer file written by kfg")
    if table is not None:
        overwrite.check_file(
            table, lambda path: overwrite.is_csv(path, COLUMNS), what="a table of answers written by kfg"
        )
    targets = [pathlib.Path(path) for path in (out, table) if path is not None]
    for path in targets:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path.parent}: this folder cannot be written")
    if len({path.resolve() for path in targets}) < len(targets):
        raise InputError(f"--csv {table}: is also the file of --out; give another name")
    if not is_utf8(group):
        raise InputError(f"--group: not UTF-8, got {printable(group)!r}")


def write(answers: Answers, out, *, group: str = "", table=None) -> None:
    """Write `out`, JSON {"images": {file name: id}, "groupname": group}, and `table`, CSV with file, id, probability.

    Each file appears complete or not at all; `out` is written last.

    Raises:
        InputError: a file that cannot be written.
    """
    if table is not None:
        with whole(table) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows((name, one, f"{p:.6f}") for name, (one, p) in answers.images.items())
    write_json(out, {"images": {name: one for name, (one, _) in answers.images.items()}, "groupname": group})
