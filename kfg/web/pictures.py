"""Pictures as a browser shows them: shrunk, as JPEG."""

import io

import numpy as np
from PIL import Image

QUALITY = 85  # of the JPEGs that are sent


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a picture of the same shape whose longer side has at most `side` pixels: uint8 (H, W, 3)."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def jpeg(pixels: np.ndarray) -> bytes:
    """Return uint8 (H, W, 3) as the bytes of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
