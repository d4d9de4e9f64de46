"""Find signs of trouble in a picture that decodes without an error: blank, partly lost, or one frame of several."""

import dataclasses

import numpy as np

from kfg.data import decode, jpeg, png
from kfg.data.bad_image import DAMAGE
from kfg.data.to_rgb import has_alpha

BLANK = 2  # most levels between the darkest and brightest pixel of a blank picture: re-encoding can add so much
PAGES = 16  # number of pages of a TIFF that are searched for one larger than the first
FRAMED = ("GIF", "TIFF", "WEBP", "PNG", "AVIF", "HEIF")


@dataclasses.dataclass(frozen=True)
class Signs:
    """Signs of trouble in one picture.

    Args:
        blank: (R, G, B), the single colour of the whole picture; None if it has more.
        hidden: bool, the picture is blank because its transparent pixels become white.
        filled: share of the rows that the decoder filled with grey because the file lacks data; 0 for less than a row,
            None if nothing is missing.
        zeros: length in bytes of a run of zeros in place of compressed pixels; 0 for none.
        frames: number of frames or pages in the file; only the first is read.
        larger: (width, height) of a later page that is larger than the first; None if there is none.
        depth: number of bits that the values of a 16-bit file were found to use; 0 for other files.
        opaque: bool, alpha was zero everywhere and is ignored.
        mended: what was wrong with the file and could be repaired, "" for nothing.
        damage: what is wrong with a PNG that decodes nevertheless, "" for nothing.
    """

    blank: tuple[int, int, int] | None = None
    hidden: bool = False
    filled: float | None = None
    zeros: int = 0
    frames: int = 1
    larger: tuple[int, int] | None = None
    depth: int = 0
    opaque: bool = False
    mended: str = ""
    damage: str = ""


def of(image, pixels: np.ndarray, data: bytes) -> Signs:
    """Return the signs of trouble in one picture.

    Args:
        image: the Pillow image that `decode.load` returns.
        pixels: uint8 (H, W, 3), as `to_rgb` returns them.
        data: the bytes of the file.
    """
    flat = _one_colour(pixels)
    filled, zeros, mended = None, 0, image.info["mended"]
    if image.format in ("JPEG", "MPO"):
        filled, zeros = _filled(image, data), jpeg.zeroed(data)
        mended = mended or ("" if jpeg.has_end(data) else jpeg.NO_END)
    frames, larger = _frames(data, image.format) if image.format in FRAMED else (1, None)
    return Signs(
        blank=tuple(pixels[0, 0].tolist()) if flat else None,
        hidden=flat and has_alpha(image),
        filled=filled,
        zeros=zeros,
        frames=frames,
        larger=larger,
        depth=image.info["depth"],
        opaque=image.info["opaque"],
        mended=mended,
        damage=png.damage(data) if image.format == "PNG" else "",
    )


def _one_colour(pixels) -> bool:
    coarse = pixels[:: max(1, len(pixels) // 16), :: max(1, pixels.shape[1] // 16)]  # enough for nearly all pictures
    return bool((np.ptp(coarse, axis=(0, 1)) <= BLANK).all() and (np.ptp(pixels, axis=(0, 1)) <= BLANK).all())


def _filled(image, data) -> float | None:
    """Return the share of rows that the decoder filled with grey, None for a complete file.

    Only a file whose last pixel is grey is checked.
    """
    if image.mode not in ("L", "RGB") or np.any(np.array(image.getpixel((image.width - 1, image.height - 1))) != 128):
        return None
    if not jpeg.lacks_data(jpeg.with_end(data), coarse=True):
        return None
    grey = (np.asarray(image).reshape(image.height, -1) == 128).all(axis=1)
    return 1.0 if grey.all() else int(np.argmin(grey[::-1])) / len(grey)


def _frames(data, format):
    """Return the number of frames, and the size of the largest page of a TIFF if that is not the first, else None."""
    try:
        image = decode.opened(data, format)
        frames, first = getattr(image, "n_frames", 1), image.size
        if frames == 1 or format != "TIFF":
            return frames, None
        sizes = []
        for page in range(1, min(frames, PAGES)):
            image.seek(page)
            sizes.append(image.size)
    except DAMAGE:  # the damage lies after the first frame, which is complete
        return 1, None
    largest = max(sizes, key=lambda size: size[0] * size[1])
    return frames, largest if largest[0] * largest[1] > first[0] * first[1] else None
