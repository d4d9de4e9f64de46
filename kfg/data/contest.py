"""The folder of a contest: `train/ID_name/...`, and `test/...` with the images to classify, not in class folders.

A class id is the digits before the first "_" of a folder's name. The id stays text from the folder to the answer file:
as a number, "0004615" would lose its zeros. Labels are 0..C-1 in the order of the sorted folder names, whatever the
ids.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable

from kfg.data import listing, tree
from kfg.data.listing import Listing
from kfg.data.remarks import TO_ANSWER
from kfg.errors import InputError

_ID = re.compile("([0-9]+)_")  # not \d, which would also match digits of other scripts


def class_id(class_name: str) -> str:
    """Return the id that a class name begins with, as text; the whole name if it has no id.

    Example:
        >>> class_id("0004615_Boeing_737"), class_id("12_"), class_id("cat"), class_id("12 cat")
        ('0004615', '12', 'cat', '12 cat')
    """
    match = _ID.match(class_name)
    return match[1] if match else class_name


def ids(classes: Iterable[str]) -> tuple[str, ...]:
    """Return what to write in an answer file for each class: its id if all classes have one, else its whole name.

    Raises:
        InputError: all classes have an id, and `check_ids` refuses them.
    Example:
        >>> ids(["007_fox", "12_cat"]), ids(["2020_cars", "bikes"])
        (('007', '12'), ('2020_cars', 'bikes'))
    """
    classes = tuple(classes)
    if not all(map(_ID.match, classes)):
        return classes
    check_ids(classes)
    return tuple(map(class_id, classes))


def check_ids(classes: Iterable[str]) -> None:
    """Check that every class has an id of its own, as text and as a number; class names that all lack an id pass.

    Raises:
        InputError: a class has no id although others have one; two classes have one id, or ids that differ only by
            leading zeros, which are the same id to a program that reads them with int().
    """
    classes = sorted(classes)
    without = [name for name in classes if not _ID.match(name)]
    if without and len(without) < len(classes):
        other = next(name for name in classes if _ID.match(name))
        raise InputError(
            f"class folder {without[0]!r}: its name has no id; start it with digits and '_' as in {other!r}"
        )
    owners = {}
    for name in () if without else classes:
        same = owners.setdefault(class_id(name).lstrip("0"), name)
        if same != name:
            apart = "" if class_id(same) == class_id(name) else ", apart from leading zeros"
            raise InputError(
                f"class folders {same!r} and {name!r}: have the same id{apart}; give each class its own id"
            )


def label_lines(classes: Iterable[str]) -> str:
    r"""Return the text of class_labels.txt: a line `index id` for each class, with the indices 0..C-1.

    Raises:
        InputError: `check_ids` refuses the ids.
    Example:
        >>> label_lines(["007_fox", "12_cat"])
        '0 007\n1 12\n'
    """
    classes = tuple(classes)
    check_ids(classes)
    return "".join(f"{index} {one}\n" for index, one in enumerate(ids(classes)))


def keeps_ids(root, classes: Iterable[str]) -> bool:
    """Return whether a run writes the ids of its classes to class_labels.txt (see `label_lines`).

    A run writes them for a contest's folder; for a folder that has `train` but no `test` and at least one class with an
    id; and for any other data if all classes have different ids. `label_lines` then refuses ids that are missing or
    equal.

    Args:
        root: the data folder.
        classes: class names of the run.
    """
    root, classes = pathlib.Path(root), tuple(classes)
    numbers = [class_id(name).lstrip("0") for name in classes if _ID.match(name)]
    if is_contest(root) or (numbers and (root / "train").is_dir() and not (root / "test").exists()):
        return True
    return len(set(numbers)) == len(classes)


def is_contest(root) -> bool:
    """Return whether `root` has `train/ID_name` folders and a `test` folder that does not hold class folders.

    If only some folders in train have an id, `root` is taken for a contest's folder if anything lies in test; its ids
    are then refused (see `check_ids`).
    """
    root = pathlib.Path(root)
    train, test = _visible(root / "train"), _visible(root / "test")
    if train is None or test is None:
        return False
    classes = [name for name, is_folder in train.items() if is_folder]
    with_id = [name for name in classes if _ID.match(name)]
    if any(is_folder and (name in classes or _ID.match(name)) for name, is_folder in test.items()):
        return False
    return bool(with_id) and (len(with_id) == len(classes) or bool(test))


def list_folder(root) -> Listing:
    """List a data folder as `listing.list_folder` does, with the rules of a contest's folder if it is one.

    In a contest's folder, images in train get no part, and images in test are not used: they are in `skipped` with the
    reason "to-answer". Ids that `check_ids` refuses and images in sub-folders of test give a message in `misnamed`.
    """
    found = listing.list_folder(root)
    if found.misnamed or found.unclear or not is_contest(root):
        return found
    root = pathlib.Path(root)
    known = {
        name for part in ("train", "val") for name, is_folder in (_visible(root / part) or {}).items() if is_folder
    }
    deeper = [_not_flat(root / path) for path, _, part in found.images if part == "test"]
    try:
        check_ids(known)
    except InputError as error:
        found.misnamed.append(f"{root / 'train'}: {error}")
    return dataclasses.replace(
        found,
        images=[(path, name, "" if part == "train" else part) for path, name, part in found.images if part != "test"],
        folders=[name for name in found.folders if name in known],
        skipped=[(path, TO_ANSWER if _to_answer(path, why) else why) for path, why in found.skipped],
        misnamed=found.misnamed + deeper[:1],
    )


def images_to_answer(root) -> list[pathlib.Path]:
    """Return the images of `root/test`, sorted by name, including files in a format that kfg does not read.

    Raises:
        InputError: there are no images, images lie in a sub-folder of test, or a folder may not be read.
    """
    test = pathlib.Path(root) / "test"
    files = listing.images_below(test, also=("unsupported", "linked", "dead-link"))
    for file in files:
        if file.parent != test:
            raise InputError(_not_flat(file))
    return files


def _to_answer(path, why) -> bool:
    return why == "stray" and path.startswith("test/")


def _not_flat(path) -> str:
    return f"{path}: in a folder inside test, but a contest's test has no folders; move the images into test itself"


def _visible(folder) -> dict[str, bool] | None:
    """Return a dict of the visible entries of `folder`, name -> whether it is a folder; None if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = {one.name: tree.is_folder(one) for one in entries}
        return {name: is_folder for name, is_folder in found.items() if not tree.hidden(name, folder=is_folder)}
    except OSError:  # the listing reports it where it matters
        return None
