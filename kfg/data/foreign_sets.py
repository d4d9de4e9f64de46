"""Take data sets of Hugging Face and of TensorFlow Datasets: `kfg.from_datasets` and `kfg.from_tfds`."""

import importlib.util
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from kfg.data import rows as labelled
from kfg.data.loading import IMAGE_SIZE, Parts
from kfg.data.part import Part
from kfg.data.rows import Rows
from kfg.errors import InputError
from kfg.names import printable, shortened

PART_OF = {"validation": "val", "valid": "val", "dev": "val", "eval": "val"}  # split name in these libraries -> part
IMAGES, LABELS = ("image", "img", "picture", "photo"), ("label", "labels", "fine_label", "class", "target")


def from_datasets(
    dataset,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    classes: Sequence[str] | None = None,
    image_size: int | tuple[int, int] = IMAGE_SIZE,
    out=None,
):
    """Take a data set of Hugging Face's library `datasets`, whose rows have an image and a label.

    Args:
        dataset: datasets.Dataset or IterableDataset; or a DatasetDict of them, whose splits become the parts.
        image_column, label_column: names of its columns; default "image" and "label", or another usual name.
        classes: names of the classes in the order of the labels; default the names of the data set's ClassLabel, or
            the sorted values if the labels are texts.
        image_size: size of the Part's images in pixels, one number or (height, width).
        out: a new folder to which the rows are written as class folders, for `kfg train` and `kfg.load`; default:
            nothing is written.
    Returns:
        Without `out` a Part, or Parts (train, val, test) of a DatasetDict that has these splits; with `out` its path.
    Raises:
        InputError: a column is missing, a row has no label or no image, an image cannot be read, or two splits become
            the same part.
    Example:
        part = kfg.from_datasets(datasets.load_dataset("beans", split="train"), image_size=128)
        kfg.from_datasets(datasets.load_dataset("beans"), out="beans")  # then: kfg train beans
    """
    if importlib.util.find_spec("datasets") is None:
        raise InputError("kfg.from_datasets needs the package datasets; install it with pip install datasets")
    import datasets

    kinds = (datasets.Dataset, datasets.IterableDataset)
    splits = dict(dataset) if isinstance(dataset, Mapping) else {"": dataset}
    if not splits or not all(isinstance(one, kinds) for one in splits.values()):
        raise InputError(f"dataset: expected a datasets.Dataset or DatasetDict, got {type(dataset).__name__}")
    named, first = _part_names(splits), next(iter(splits.values()))
    if first.features is None:
        raise InputError(
            "dataset: its columns are not known before it is read; give their types when you make it (features=)"
        )
    image = _column(first.column_names, image_column, IMAGES, "image_column")
    label = _column(first.column_names, label_column, LABELS, "label_column")
    names = labelled.class_names(_names_of(splits, label), classes)
    parts = [Rows(named[name], _of_datasets(one, image, label, names), names) for name, one in splits.items()]
    return _taken(parts, image_size, out)


def _names_of(splits, label) -> list[str] | None:
    """Return the class names of a label column: those of its ClassLabel, or its sorted texts; None without either."""
    feature = next(iter(splits.values())).features[label]
    if hasattr(feature, "names"):
        return feature.names
    if getattr(feature, "dtype", "") == "string":
        found = {row[label] for one in splits.values() for row in one.select_columns(label)}
        if None in found:
            raise InputError(f"label_column: {label!r} has rows without a label; remove these rows")
        return sorted(found)
    return None


def _of_datasets(dataset, image, label, names) -> Iterator:
    import datasets

    numbers = {name: number for number, name in enumerate(names)}
    asked = dataset.cast_column(image, datasets.Image(decode=False))  # gives the bytes of the files, not decoded
    for number, row in enumerate(asked):
        value = row[label]
        known = numbers.get(value, -1) if isinstance(value, str) else -1 if value is None else value
        yield _bytes(row[image], number), known


def _bytes(held, number) -> bytes:
    """Return the bytes of the image file that a row holds, or whose path it holds."""
    held = held or {"bytes": None, "path": None}
    if held["bytes"] is not None:
        return held["bytes"]
    if held["path"] is None:
        raise InputError(f"row {number}: has no image; remove rows without an image")
    try:
        return pathlib.Path(held["path"]).read_bytes()
    except OSError as error:
        raise InputError(f"row {number}: {printable(held['path'])}: {error.strerror}") from error


def from_tfds(
    name,
    *,
    split=None,
    classes: Sequence[str] | None = None,
    image_size: int | tuple[int, int] = IMAGE_SIZE,
    out=None,
    data_dir=None,
):
    """Take a data set of TensorFlow Datasets, whose examples have an image and a label.

    Args:
        name: a name that `tfds.load` knows, such as "beans"; or the result of `tfds.load`, not batched: a
            tf.data.Dataset of {"image", "label"} or of (image, label), or a dict split -> tf.data.Dataset.
        split: one split, as `tfds.load` takes it; default all. Only if `name` is a name.
        classes: names of the classes in the order of the labels; default the data set's own names, which are known
            only if `name` is a name.
        image_size: size of the Part's images in pixels, one number or (height, width).
        out: a new folder to which the examples are written as class folders, for `kfg train` and `kfg.load`; default:
            nothing is written.
        data_dir: folder in which tfds keeps its data; default its own.
    Returns:
        Without `out` a Part, or Parts (train, val, test) of a data set that has these splits; with `out` its path.
    Raises:
        InputError: the data set does not exist or has no images and labels, its classes have no names, or two splits
            become the same part.
    Example:
        part = kfg.from_tfds("beans", split="train", image_size=128)
        kfg.from_tfds(tfds.load("beans"), classes=["angular_leaf_spot", "bean_rust", "healthy"], out="beans")
    """
    names = None
    if isinstance(name, str):
        name, names = _loaded(name, split, data_dir)
    elif split is not None:
        raise InputError("split: only works with a data set that is given by its name")
    splits = dict(name) if isinstance(name, Mapping) else {split or "": name}
    named, names = _part_names(splits), labelled.class_names(names, classes)
    parts = [Rows(named[part], _of_tfds(one), names) for part, one in splits.items()]
    return _taken(parts, image_size, out)


def _loaded(name, split, data_dir):
    """Return the result of `tfds.load` for a name, and the class names (None if the data set has none)."""
    if isinstance(split, (list, tuple, dict)):
        raise InputError(f"split: expected one split, such as 'train', got {split!r}; leave it out to take all splits")
    if importlib.util.find_spec("tensorflow_datasets") is None:
        raise InputError(
            "kfg.from_tfds needs the package tensorflow-datasets to load a data set by name; install it with pip "
            "install tensorflow-datasets"
        )
    import tensorflow_datasets as tfds

    decoders = {"image": tfds.decode.SkipDecoding()}
    try:
        found, info = tfds.load(name, split=split, data_dir=data_dir, with_info=True, decoders=decoders)
    except (tfds.core.registered.DatasetNotFoundError, ValueError, OSError) as error:
        raise InputError(f"{name}: tfds cannot load it ({str(error).strip().splitlines()[0]})") from error
    columns = getattr(info.features, "keys", tuple)()
    feature = info.features["label"] if "label" in columns else None
    return found, getattr(feature, "names", None)


def _of_tfds(dataset) -> Iterator:
    if not hasattr(dataset, "as_numpy_iterator"):
        raise InputError(f"name: expected the name of a data set or a tf.data.Dataset, got {type(dataset).__name__}")
    for example in dataset.as_numpy_iterator():
        pair = (example.get("image"), example.get("label")) if isinstance(example, dict) else tuple(example)
        if len(pair) != 2 or pair[0] is None or pair[1] is None or np.ndim(pair[1]):
            raise InputError("name: expected single examples of {'image', 'label'} or (image, label), without batches")
        yield pair


def _part_names(splits: Iterable[str]) -> dict[str, str]:
    """Return the part that each split becomes; two that become the same part are refused."""
    named, first = {split: PART_OF.get(split, split) for split in splits}, {}
    for split, part in named.items():
        other = first.setdefault(str(part).casefold(), split)
        if other != split:
            raise InputError(f"the splits {other} and {split} would both become the part {part}; leave out one of them")
    return named


def _column(columns, given: str | None, usual: Sequence[str], argument: str) -> str:
    """Return the column that the caller named, or else the only one with a usual name."""
    if given is not None and given in columns:
        return given
    found = [one for one in columns if one in usual]
    if given is None and len(found) == 1:
        return found[0]
    why = (
        f"there is no column {printable(given)!r}"
        if given
        else "several columns fit"
        if found
        else "no column has a common name"
    )
    raise InputError(f"{argument}: {why}; the data set's columns are {printable(shortened(columns))}")


def _taken(parts: Sequence[Rows], image_size, out):
    """Return the rows as a Part or as Parts; or write them to `out` and return its path."""
    if out is not None:
        return labelled.to_folders(parts, out)
    found: dict[str, Part] = {rows.name: labelled.to_part(rows, image_size) for rows in parts}
    if len(found) == 1:
        return next(iter(found.values()))
    if set(found) != set(Parts._fields):
        there = ", ".join(found)
        raise InputError(
            f"the data set has the splits {there}; choose one of them, or write all to class folders with out= and "
            "divide them with kfg.load"
        )
    return Parts(*(found[name] for name in Parts._fields))
