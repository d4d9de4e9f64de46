"""Photographs for the browser: upright JPEGs, no larger than a screen needs."""

import io

from PIL import Image

from kfg.data import decode
from kfg.data.bad_image import BadImage
from kfg.data.to_rgb import to_rgb

LARGE, SMALL = 1400, 220  # pixels of the longer side, at most
QUALITY = 85  # of the JPEG
GONE = Image.new("RGB", (SMALL, SMALL), (128, 128, 128))  # shown for a photograph that cannot be read


def jpeg(path, side: int) -> bytes:
    """Return a photograph as a JPEG; a grey square if it cannot be read.

    Args:
        path: path of the file.
        side: pixels of the longer side, at most.
    """
    try:
        image = decode.load(decode.read_bytes(path), path, at_least=side)
        picture = Image.fromarray(to_rgb(image, path))
    except BadImage:
        picture = GONE.copy()
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=QUALITY)
    return file.getvalue()
