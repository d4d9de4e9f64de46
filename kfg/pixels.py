"""Outside a model, images always hold RGB values in [0, 255]; this module checks that."""

import numpy as np

from kfg.errors import InputError


def check_range(images, *, name: str = "images") -> None:
    """Refuse images that were already scaled: a model scales its input itself.

    A net classifies scaled images without an error, but wrongly: in [0, 1] every photograph is black to it.

    Args:
        images: uint8 or float array of any shape; one batch is enough. uint8 arrays cannot be scaled to [0, 1], so
            their values are not looked at.
        name: what the message calls the images.
    Raises:
        InputError: values outside [0, 255], NaN, or floats of which none exceeds 1 (all zeros are a black picture).
    Example:
        >>> check_range(np.array([0.1, 0.9]))
        Traceback (most recent call last):
        kfg.errors.InputError: images: values from 0.1 to 0.9 seem to be scaled already; give raw pixels in [0, 255]
    """
    images = np.asarray(images)
    if images.dtype == np.uint8 or not images.size:
        return
    low, high = float(images.min()), float(images.max())
    raw = low >= 0 and high <= 255  # false for NaN too
    if not raw or 0 < high <= 1:  # all zeros is a black picture
        raise InputError(
            f"{name}: values from {low:.6g} to {high:.6g} seem to be scaled already; give raw pixels in [0, 255]"
        )
