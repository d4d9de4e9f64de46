"""Checks of NumPy arrays and numbers that a caller gives; an error names the argument that is wrong."""

import numbers

import numpy as np

from kfg.errors import InputError


def checked_images(images, *, name: str = "images") -> np.ndarray:
    """Return images as a uint8 array (N, H, W, 3).

    Raises:
        InputError: the shape or dtype is another one; the message says what to do.
    Example:
        >>> checked_images(np.zeros((2, 8, 8)))
        Traceback (most recent call last):
        kfg.errors.InputError: images: expected shape (N, height, width, 3), got (2, 8, 8)
    """
    try:
        images = np.asarray(images)
    except ValueError as error:  # a list of images of several sizes
        raise InputError(f"{name}: expected one array of images of one size ({error})") from error
    if images.ndim != 4 or images.shape[-1] != 3:
        hint = ""
        if images.ndim == 4 and images.shape[-1] == 1:
            hint = "; repeat the grey channel: np.repeat(images, 3, axis=-1)"
        elif images.ndim == 4 and images.shape[1] == 3:
            hint = "; the channels come last: images.transpose(0, 2, 3, 1)"
        elif images.ndim == 4 and images.shape[-1] == 4:
            hint = "; leave the fourth channel out: images[..., :3]"
        elif images.ndim == 3 and images.shape[-1] == 3:
            hint = "; one image is images[None]"
        raise InputError(f"{name}: expected shape (N, height, width, 3), got {images.shape}{hint}")
    if images.dtype != np.uint8:
        raise InputError(f"{name}: expected uint8 from 0 to 255, got {images.dtype}{_how_to_convert(images, name)}")
    return images


def _how_to_convert(images, name) -> str:
    if not images.size or not np.issubdtype(images.dtype, np.number):
        return ""
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1 and np.issubdtype(images.dtype, np.floating):
        return f" from {low:.3g} to {high:.3g}; convert with np.round({name} * 255).astype('uint8')"
    if low >= 0 and high <= 255:
        return f" from {low:.3g} to {high:.3g}; convert with np.round({name}).astype('uint8')"
    return f" from {low:.3g} to {high:.3g}; scale the values to 0 to 255 first"


def checked_labels(labels, *, count: int, classes: int | None) -> np.ndarray:
    """Return labels as int32 (N,).

    Args:
        labels: class numbers.
        count: N, the number of images.
        classes: the number of classes; None: any number from 0 up is allowed.
    Raises:
        InputError: the shape is another one, values are not whole numbers, or numbers are outside the classes.
    Example:
        >>> checked_labels([0, 3], count=2, classes=3)
        Traceback (most recent call last):
        kfg.errors.InputError: labels: 3 at position 1 is not a class number, expected 0 to 2
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and len(labels) == count:
        hint = "labels[:, 0]" if labels.shape[1] == 1 else "labels.argmax(axis=1)"
        raise InputError(f"labels: expected class numbers (N,), got {labels.shape}; use {hint}")
    if labels.shape != (count,):
        raise InputError(f"labels: expected {count} labels, one for each image, got shape {labels.shape}")
    if count and not np.issubdtype(labels.dtype, np.integer):
        hint = "; np.unique(labels, return_inverse=True) numbers names" if labels.dtype.kind in "US" else ""
        raise InputError(f"labels: expected whole numbers, got {labels.dtype} such as {labels[0].item()!r}{hint}")
    wrong = np.flatnonzero((labels < 0) | (labels >= (np.inf if classes is None else classes))) if count else []
    if len(wrong):
        allowed = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise InputError(f"labels: {labels[wrong[0]]} at position {wrong[0]} is not a class number, expected {allowed}")
    return labels.astype(np.int32)


def checked_size(image_size) -> tuple[int, int]:
    """Return an image size as (height, width); it may be given as one number or as a pair.

    Example:
        >>> checked_size(224), checked_size((64, 48))
        ((224, 224), (64, 48))
    """
    pair = (image_size, image_size) if isinstance(image_size, numbers.Integral) else image_size
    good = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not good or not all(isinstance(one, numbers.Integral) and one >= 1 for one in pair):
        raise InputError(f"image_size: expected a number of pixels like 224, or (height, width), got {image_size!r}")
    return int(pair[0]), int(pair[1])


def whole_number(name: str, value, *, least: int = 0) -> int:
    """Return `value` as an int; InputError, naming `name`, unless it is a whole number of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return int(value)
