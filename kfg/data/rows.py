"""Turn the labelled rows of another library's data set into a Part in memory, or into class folders on disk."""

import dataclasses
import io
import pathlib
import shutil
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from kfg import files, overwrite
from kfg.data import arrays, decode
from kfg.data.bad_image import BadImage
from kfg.data.formats import FORMATS, SNIFF_BYTES, sniff
from kfg.data.part import Part
from kfg.data.resizing import resize
from kfg.errors import InputError
from kfg.names import composed, printable, shortened

DIGITS = 6  # digits of the number in a file name


@dataclasses.dataclass(frozen=True)
class Rows:
    """Labelled images of one part.

    Args:
        name: name of the part, "" if the data set has no parts.
        rows: (image, label) in order. The image is the bytes of an image file, or uint8 (H, W, 3), (H, W, 1) or (H, W);
            the label is an int.
        classes: class names, in the order of the labels.
    """

    name: str
    rows: Iterable[tuple[bytes | np.ndarray, int]]
    classes: tuple[str, ...]


def to_part(rows: Rows, image_size) -> Part:
    """Return the images as a Part in memory, resized as for training.

    Raises:
        InputError: there are no rows, an image cannot be read, or a label is not a class number.
    """
    size, images, labels = arrays.checked_size(image_size), [], []
    for number, (image, label) in enumerate(rows.rows):
        labels.append(_label(rows, number, label))
        images.append(resize(_pixels(image, number), size))
    if not images:
        raise InputError(f"the part {rows.name!r} of the data set has no rows")
    return Part(np.stack(images), labels, classes=rows.classes, name=rows.name)


def to_folders(parts: Sequence[Rows], out) -> pathlib.Path:
    """Write rows as out/<class>/NUMBER.SUFFIX, or as out/<part>/<class>/... if there are several parts; return `out`.

    Image files in the data set are written unchanged, pixel arrays as PNG. The folder appears complete or not at all.

    Raises:
        InputError: `out` is not empty or is the working folder; a class name cannot be a folder name, or two would be
            the same folder on some disks; a row is refused as by `to_part`.
    """
    out = pathlib.Path(out)
    _check_out(out)
    _check_folder_names(parts[0].classes)
    partial = files.beside(out.absolute())
    try:
        files.sweep(partial.parent, out.absolute().name)  # removes what a killed process left half written
        for rows in parts:
            _write(rows, partial / rows.name if len(parts) > 1 else partial)
        if not partial.is_dir():
            raise InputError("the data set has no rows")
        files.flush_tree(partial)
        if out.is_dir():
            out.rmdir()
        files.rename(partial, out)
    except OSError as error:
        raise InputError(f"out: {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def _check_out(out):
    if not overwrite.is_free(out):
        raise InputError(f"out: {out} is not empty; give a new folder")
    if out.is_dir() and out.samefile("."):
        raise InputError(f"out: {out} is the working folder, which cannot be replaced; give a new folder")


def _check_folder_names(classes):
    """Refuse class names that cannot be folders, and names that are one folder on disks that ignore case."""
    first = {}
    for name in classes:
        if not overwrite.can_be_folder(name):
            raise InputError(
                f"out: the class {printable(name)!r} cannot be the name of a folder; leave out the argument out="
            )
        same = composed(name).casefold()
        if same in first:
            raise InputError(
                f"out: the classes {printable(first[same])!r} and {printable(name)!r} would be one folder on some "
                "disks; give other names with classes="
            )
        first[same] = name


def _write(rows, home):
    """Write each row of a part as home/<class>/NUMBER.SUFFIX."""
    for number, (image, label) in enumerate(rows.rows):
        name = rows.classes[_label(rows, number, label)]
        data = image if isinstance(image, bytes) else _png(_pixels(image, number))
        folder = home / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:0{DIGITS}}{_suffix(data, number)}").write_bytes(data)


def class_names(names, given) -> tuple[str, ...]:
    """Return the class names: those of the caller, or else those of the data set.

    Args:
        names: class names of the data set; None: it has none.
        given: class names that the caller gives; None: use those of the data set.
    """
    chosen = names if given is None else given
    if chosen is None:
        raise InputError(
            "classes: this data set has no names for its classes; give their names in the order of the labels"
        )
    return tuple(map(str, chosen))


def _label(rows, number, label) -> int:
    if not 0 <= int(label) < len(rows.classes):
        raise InputError(
            f"row {number}: label {int(label)} is not one of the {len(rows.classes)} classes "
            f"({printable(shortened(rows.classes))}); remove rows without a label"
        )
    return int(label)


def _pixels(image, number) -> np.ndarray:
    """Return a row's image as uint8 (H, W, 3)."""
    if isinstance(image, bytes):
        try:
            return decode.decode(image)
        except BadImage as error:
            raise InputError(f"row {number}: {error.reason}") from error
    image = np.asarray(image)
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8:
        raise InputError(
            f"row {number}: expected an image as uint8 (height, width, 3 or 1), got {image.dtype} {image.shape}"
        )
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _suffix(data, number) -> str:
    format = sniff(data[:SNIFF_BYTES])
    if format not in FORMATS:
        raise InputError(f"row {number}: not an image that kfg reads")
    return FORMATS[format][0]
