"""The one range of images outside a model: RGB in [0, 255]."""

import numpy as np

from kfg.errors import InputError


def check_range(images, *, name: str = "images") -> None:
    """Refuse images that were scaled before they reached a model, which scales them itself.

    A net answers such images without complaint, and wrongly: in [0, 1] every photograph is black to it.

    Args:
        images: uint8 or float array of any shape; one batch is enough. uint8 cannot be scaled and passes unseen.
        name: what the message calls them.
    Raises:
        InputError: values outside [0, 255], NaN, or floats none of which exceeds 1.
    Example:
        >>> check_range(np.array([0.1, 0.9]))
        Traceback (most recent call last):
        kfg.errors.InputError: images: values from 0.1 to 0.9 look scaled already; models take raw pixels in [0, 255]
    """
    images = np.asarray(images)
    if images.dtype == np.uint8 or not images.size:
        return
    low, high = float(images.min()), float(images.max())
    raw = low >= 0 and high <= 255  # false for NaN too
    if not raw or 0 < high <= 1:  # all zeros is a black picture
        raise InputError(
            f"{name}: values from {low:.6g} to {high:.6g} look scaled already; models take raw pixels in [0, 255]"
        )
