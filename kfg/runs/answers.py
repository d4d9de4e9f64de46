"""A contest's answer file: for each test image, by its file name, the id of the predicted class.

The id is the text before "_" of a class folder `ID_name`, leading zeros intact. Where not all of a model's classes
have one, the answers are their names, whole.

An image that cannot be read has no answer: a guess would pass for the model's. It is named, and missing from the file.
A contest that scores its own list counts it as wrong; where one wants every name, the image has to be mended first.
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

MISSED = ("unsupported", "linked", "dead-link")  # may be images that a contest asks for: named, never just left out
COLUMNS = ("file", "id", "probability")  # of the table
KEYS = ("images", "groupname")  # of the answer file


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model answers.

    Args:
        images: file name -> (class id, probability in [0, 1]), in the order of the files.
        unread: a line about each image that could not be read.
    """

    images: dict[str, tuple[str, float]]
    unread: tuple[str, ...] = ()


def images(paths: Iterable) -> list[pathlib.Path]:
    """Return the image files to answer: files as given, those below a folder, those in test of a contest's folder.

    Files below a folder in a format kfg does not read are among them: they are missed, not forgotten. A folder that
    holds both train and test is taken for a contest's.

    Raises:
        InputError: a folder without images or that may not be read, images in a folder of a contest's test, two
            files of one name, a name that is not UTF-8 (JSON could not carry it).
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
            raise InputError(f"{path}: has the name of {same}, and answers go by name; answer one folder at a time")
    return list(owners.values())


def remarks(paths: Iterable) -> list[str]:
    """Return a line about each folder in which something else than what `images` gives is passed over."""
    lines = []
    for path in filter(pathlib.Path.is_dir, map(pathlib.Path, paths)):
        path = path / "test" if _is_whole(path) else path
        skipped = [(name, why) for name, why in listing.list_images(path).skipped if why not in MISSED]
        if said := remark(skipped):
            lines.append(f"{printable(str(path))}: {said}")
    return lines


def same_ids(files: Iterable) -> list[str]:
    """Return a line on image files whose names differ in their suffix only; none where there are none.

    Each is answered under its whole name. A contest whose ids are names without suffixes takes them for one image.

    Example:
        >>> same_ids(["test/0001.jpg", "test/0002.jpg", "test/0001.png"])
        ['2 files differ from another in the suffix only (0001.jpg, 0001.png): each is answered under its whole name']
    """
    by_stem = collections.defaultdict(list)
    for path in map(pathlib.Path, files):
        by_stem[path.stem].append(path.name)
    alike = [sorted(names) for names in by_stem.values() if len(names) > 1]
    if not alike:
        return []
    count, first = sum(map(len, alike)), printable(", ".join(alike[0]))
    return [f"{count:,} files differ from another in the suffix only ({first}): each is answered under its whole name"]


def _is_whole(path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()


def answer(classifier, paths: Sequence) -> Answers:
    """Classify the images.

    Args:
        classifier: a kfg.exporting.classifiers.Classifier, or another with its `classes` and `predict`.
        paths: N files of different names, as `images` gives them.
    Raises:
        InputError: classes whose ids are alike, or not one image that can be read.
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
        raise InputError(f"none of {len(unread)} images can be read; the first: {unread[0]}")
    return Answers(answered, tuple(unread))


def check_targets(out, table=None, *, group: str = "") -> None:
    """Look whether `write` can do its work, before the model does its own.

    Raises:
        InputError: a target that is a folder, that is there and holds something else, or that lies where nothing can
            be written; one target twice; a group that is not UTF-8.
    """
    overwrite.check_file(out, lambda path: overwrite.is_json(path, KEYS), what="an answer file of kfg's")
    if table is not None:
        overwrite.check_file(table, lambda path: overwrite.is_csv(path, COLUMNS), what="a table of answers of kfg's")
    targets = [pathlib.Path(path) for path in (out, table) if path is not None]
    for path in targets:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path.parent}: this folder cannot be written")
    if len({path.resolve() for path in targets}) < len(targets):
        raise InputError(f"--csv {table}: is the file of --out too")
    if not is_utf8(group):
        raise InputError(f"--group: not UTF-8, got {printable(group)!r}")


def write(answers: Answers, out, *, group: str = "", table=None) -> None:
    """Write `out`, JSON {"images": {file name: id}, "groupname": group}, and `table`, CSV file, id, probability.

    Each file appears whole or not at all, `out` last.

    Raises:
        InputError: a file that cannot be written.
    """
    if table is not None:
        with whole(table) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows((name, one, f"{p:.6f}") for name, (one, p) in answers.images.items())
    write_json(out, {"images": {name: one for name, (one, _) in answers.images.items()}, "groupname": group})
