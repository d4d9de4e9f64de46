"""Turn the bytes of an uploaded photograph into the image that a model sees."""

import contextlib

import numpy as np
from PIL import Image

from kfg.data import decode
from kfg.data.bad_image import DAMAGE, BadImage
from kfg.data.formats import SNIFF_BYTES, sniff, suffix_of
from kfg.data.to_rgb import to_rgb
from kfg.serving.uploads import Upload
from kfg.web.refusals import Refusal

STATUS = {"bomb": 413, "not-an-image": 415}  # kind of damage -> HTTP status; all other kinds are 422


def decoded(upload: Upload, *, most_pixels: int) -> np.ndarray:
    """Decode a photograph as `kfg predict` does: uint8 (H, W, 3).

    Raises:
        Refusal: 413 for too many pixels, 415 if it is not a photograph, 422 if it is damaged.
    """
    try:
        _check_pixels(upload, most_pixels)
        return to_rgb(decode.load(upload.data, upload.name), upload.name)
    except BadImage as error:
        raise Refusal(STATUS.get(error.kind, 422), f"{upload.name}: {error.reason}") from error


def _check_pixels(upload, most):
    """Refuse a photograph by the size in its header, before anything is decoded."""
    format = sniff(upload.data[:SNIFF_BYTES], suffix_of(upload.name))
    width = height = 0
    with contextlib.suppress(*DAMAGE, Image.DecompressionBombError):  # decoding will report it
        width, height = decode.opened(upload.data, format).size if format else (0, 0)
    if width * height > most:
        reason = f"too large: {width} x {height} pixels, this server takes at most {most:,}; save it smaller"
        raise BadImage(upload.name, "bomb", reason)
