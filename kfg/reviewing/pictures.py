"""Photographs for the browser: upright JPEGs, no larger than a screen needs."""

import numpy as np

from kfg.data.bad_image import BadImage
from kfg.data.decode import decode_small
from kfg.web import pictures

LARGE, SMALL = 1400, 220  # pixels of the longer side, at most
GONE = np.full((SMALL, SMALL, 3), 128, np.uint8)  # shown for a photograph that cannot be read


def jpeg(path, side: int) -> bytes:
    """Return a photograph as a JPEG; a grey square if it cannot be read.

    Args:
        path: path of the file.
        side: pixels of the longer side, at most.
    """
    try:
        pixels = decode_small(path, side)
    except BadImage:
        pixels = GONE
    return pictures.jpeg(pictures.shrunk(pixels, side))
