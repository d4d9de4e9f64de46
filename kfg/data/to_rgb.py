"""Turn a loaded Pillow image upright and into RGB pixels, with transparent parts on white.

Whoever changes the pixels that come out also changes `kfg.data.decode.DECODER`, by which cached images are known.
"""

import numpy as np
from PIL import Image

from kfg.data import exif
from kfg.data.bad_image import DAMAGE, BadImage, undecodable

STRIP_PIXELS = 1 << 18  # pixels blended at a time: 80 M pixels at once would take 4 GB


def to_rgb(image: Image.Image, name="image") -> np.ndarray:
    """Turn a loaded Pillow image upright and into uint8 (H, W, 3) RGB.

    Raises:
        BadImage: the pixels are 32-bit or floating-point numbers, not colours.
    """
    if image.mode in ("I", "F"):
        kind = "whole numbers" if image.mode == "I" else "floating-point numbers"
        raise BadImage(
            name,
            "undecodable",
            f"cannot be decoded: its pixels are 32-bit {kind}, not colours; save it with 8 or 16 bits per channel",
        )
    try:
        turn = exif.TURNS.get(exif.orientation(image))
        if turn is not None:
            image = image.transpose(turn)
        if image.mode == "La":
            image = image.convert("LA")
        if has_alpha(image):
            return on_white(image)
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except DAMAGE as error:
        raise undecodable(name, error) from error


def on_white(image: Image.Image) -> np.ndarray:
    """Lay an image with alpha on white: uint8 (H, W, 3), exactly the values that the exported graph computes.

    Example:
        >>> on_white(Image.new("RGBA", (1, 1), (0, 100, 200, 51))).tolist()
        [[[204, 224, 244]]]
    """
    width, height = image.size
    out = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, STRIP_PIXELS // width)  # blending in strips needs little memory
    for start in range(0, height, rows):
        end = min(start + rows, height)
        strip = np.asarray(image.crop((0, start, width, end)).convert("RGBA")).astype(np.int32)
        colour, alpha = strip[..., :3], strip[..., 3:]
        out[start:end] = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return out


def has_alpha(image: Image.Image) -> bool:
    """Return whether the image has an alpha channel or a transparent colour."""
    if image.info.get("opaque"):
        return False
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
