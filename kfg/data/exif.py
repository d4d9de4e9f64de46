"""Read EXIF: how a photograph is turned, and with which camera and on which day it was taken.

Whoever changes how photographs are turned also changes `kfg.data.decode.DECODER`, by which cached images are known.
"""

import re

from PIL import Image

from kfg.data.bad_image import DAMAGE

CAMERA_MAKE, CAMERA_MODEL, EXIF_TAGS, WHEN_TAKEN = 0x010F, 0x0110, 0x8769, 0x9003  # EXIF tag numbers
ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if there is none or its value is invalid."""
    if image.format == "TIFF":  # Pillow turns a TIFF upright when it loads it
        return 1
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except DAMAGE:  # a broken EXIF block does not make the picture unusable
        return 1
    return value if isinstance(value, int) and value in TURNS else 1


def taken(image: Image.Image) -> tuple[str, str]:
    """Return the camera and the day (such as 2026-11-28) from EXIF; "" for a value that is not there."""
    try:
        exif = image.getexif()
        words = [exif.get(CAMERA_MAKE), exif.get(CAMERA_MODEL)]
        when = exif.get_ifd(EXIF_TAGS).get(WHEN_TAKEN)
    except DAMAGE:
        return "", ""
    camera = " ".join(word.strip(" \0") for word in words if isinstance(word, str) and word.strip(" \0"))
    # a year 0000 means that the clock was never set
    day = re.match(r"([1-9]\d{3})[:-](\d{2})[:-](\d{2})", when) if isinstance(when, str) else None
    return camera, "-".join(day.groups()) if day else ""
