"""Convert images of 16 bits per channel to 8 bits, scaled by the bits that their values use.

Cameras, microscopes and scanners store 10, 12 or 14 bits in the lower part of 16, and few files say so; read as full
16 bits, such images would come out black. An image's depth is the least of DEPTHS that holds its largest value and the
bits that the file gives (TIFF's BitsPerSample and MaxSampleValue, PNG's sBIT). Images are scaled by these depths and
not by the range of each image, so two images of one camera keep their relation in brightness, unless one of them stays
below a quarter of the range; then the audit reports both. Only the file itself decides, so training, prediction and
the export see the same picture.

Signed values get one more bit for the sign, and zero becomes 128, so that no value wraps around.
"""

import dataclasses

import numpy as np
from PIL import Image

from kfg.data import png

DEPTHS = (8, 10, 12, 14, 16)
STRIP = 256  # rows computed at a time
BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE, SAMPLE_FORMAT = 258, 262, 281, 339  # TIFF 6.0, section 8 and 19
OTHER_BYTE = {
    "RGB;16B": "RGB;16L",
    "RGBA;16B": "RGBA;16L",
    "RGBX;16B": "RGBX;16L",
    "RGBa;16B": "RGBa;16L",
    "CMYK;16B": "CMYK;16L",
}
OTHER_BYTE |= {low: high for high, low in OTHER_BYTE.items()}


@dataclasses.dataclass(frozen=True)
class Form:
    """How a file stores its 16 bits.

    Args:
        least: int, the least depth that the file's header allows.
        signed: whether values may be below zero.
        inverted: whether 0 is white.
        rawmode: Pillow's name of the byte order.
    """

    least: int = DEPTHS[0]
    signed: bool = False
    inverted: bool = False
    rawmode: str = ""


def form_of(image: Image.Image, data: bytes) -> Form | None:
    """Return how an image stores 16 bits, None if it does not; the image must be opened but not loaded yet."""
    # read before loading, because Pillow drops this information when it loads the image
    rawmodes = [tile[3][0] if isinstance(tile[3], tuple) else tile[3] for tile in image.tile or ()]
    rawmode = next((str(raw) for raw in rawmodes if ";16" in str(raw)), "")
    if image.format == "PNG":
        return Form(least=png.significant_bits(data), rawmode=rawmode) if rawmode else None
    if image.format == "TIFF" and (rawmode or image.mode.startswith("I;16")):
        tags = image.tag_v2
        bits = max(np.atleast_1d(tags.get(BITS_PER_SAMPLE, 1)))
        least = int(bits) if bits < 16 else _bits(tags.get(MAX_SAMPLE, 0))
        signed = np.atleast_1d(tags.get(SAMPLE_FORMAT, 1))[0] == 2
        inverted = tags.get(PHOTOMETRIC) == 0
        return Form(least=least, signed=bool(signed), inverted=inverted, rawmode=rawmode)
    if image.format == "PPM" and image.mode == "I":  # Pillow scales the values if their maximum is not 65535
        return Form(least=8 if rawmode else 16, rawmode=rawmode)
    return Form(least=16) if image.format == "JPEG2000" and image.mode == "I;16" else None


def _bits(largest) -> int:
    largest = np.atleast_1d(largest)
    numbers = [int(one) for one in largest if isinstance(one, int | np.integer)]
    return max(numbers, default=0).bit_length()


def depth_of(largest: int, least: int = DEPTHS[0]) -> int:
    """Return the least of DEPTHS that has at least `least` bits and holds the value `largest`.

    Example:
        >>> depth_of(255), depth_of(1023), depth_of(1024), depth_of(70, least=12), depth_of(65535)
        (8, 10, 12, 12, 16)
    """
    return next(depth for depth in DEPTHS if depth >= max(least, int(largest).bit_length()) or depth == DEPTHS[-1])


def to_eight(image: Image.Image, form: Form, *, reopen) -> Image.Image:
    """Convert a loaded 16-bit image to 8 bits; `info["depth"]` is then the number of bits its values use.

    Args:
        image: the loaded image. With one channel it holds all 16 bits, with more only the upper 8, as Pillow loads it.
        form: the result of `form_of`.
        reopen: function () -> the image, opened but not loaded, to read the lower 8 bits of colours.
    Returns:
        An image of mode L, or the same image with its pixels replaced.
    """
    if image.mode.startswith("I"):
        levels, depth = _grey(np.asarray(image), form)
        grey = Image.fromarray(levels)
        grey.format, grey.info = image.format, image.info
        if isinstance(transparent := image.info.get("transparency"), int):  # a 16-bit grey level
            grey.putalpha(Image.fromarray((np.asarray(image) != transparent).astype(np.uint8) * 255))
            del grey.info["transparency"]
        image = grey
    else:
        depth = _colours(image, form, reopen)
    image.info["depth"] = depth
    return image


def _grey(pixels, form):
    """Return the pixels of a one-channel image as uint8 levels, and the depth."""
    lowest = min(int(_signed(pixels[rows], form).min()) for rows in _strips(pixels))
    highest = max(int(_signed(pixels[rows], form).max()) for rows in _strips(pixels))
    levels = np.empty(pixels.shape, np.uint8)
    if form.signed:
        depth = min(depth_of(max(highest, -1 - lowest, 0), form.least), 15)
        zero, shift, depth = 1 << depth, depth - 7, depth + 1
    else:
        depth = depth_of(highest, form.least)
        zero, shift = 0, depth - 8
    for rows in _strips(pixels):
        levels[rows] = (_signed(pixels[rows], form) + zero) >> shift
    return (255 - levels if form.inverted else levels), depth


def _signed(pixels, form):
    """Return the pixels as int32; Pillow loads some signed values as if they were unsigned."""
    values = pixels.astype(np.int32)
    return np.where(values > 32767, values - 65536, values) if form.signed else values


def _strips(pixels) -> list[slice]:
    """Return slices that divide an image's rows into strips, so that 32-bit values are held for one strip only."""
    return [slice(top, top + STRIP) for top in range(0, len(pixels), STRIP)]


def _colours(image, form, reopen) -> int:
    """Replace the colours of an image, which hold the upper 8 bits, by the upper 8 of the bits in use; return depth."""
    upper = np.array(image)
    colours = upper[..., :3] if image.mode in ("RGB", "RGBA", "RGBa") else upper
    key = image.info.pop("transparency", None)  # the transparent colour, compared in all 16 bits
    if key is None and depth_of(int(colours.max()) << 8, form.least) == DEPTHS[-1]:  # the lower bits are not needed
        return DEPTHS[-1]
    lower = _lower(reopen(), form.rawmode)
    if lower is None:
        return DEPTHS[-1]
    lower = lower[..., : colours.shape[-1]]

    def values(rows):
        return colours[rows].astype(np.uint16) << 8 | lower[rows]

    depth = depth_of(max(int(values(rows).max()) for rows in _strips(upper)), form.least)
    opaque = np.full(upper.shape[:2], 255, np.uint8)
    for rows in _strips(upper):
        if key is not None:
            opaque[rows] *= (values(rows) != np.array(key)).any(axis=-1)
        colours[rows] = values(rows) >> (depth - 8)
    image.paste(Image.fromarray(upper, image.mode))
    if key is not None:
        image.putalpha(Image.fromarray(opaque))
    return depth


def _lower(image, rawmode):
    """Return the lower 8 bits of an image that is not loaded yet: Pillow takes the other byte of each pair."""
    if rawmode == "LA;16B":  # as many bytes as 8-bit RGBA: upper and lower byte of grey, then of alpha
        other = "RGBA"
    elif rawmode in OTHER_BYTE:
        other = OTHER_BYTE[rawmode]
    else:
        return None
    image.tile = [(*tile[:3], _named(tile[3], other)) for tile in image.tile]
    image.load()
    pixels = np.asarray(image)
    return np.repeat(pixels[..., 1:2], 3, axis=-1) if rawmode == "LA;16B" else pixels


def _named(args, rawmode):
    return (rawmode, *args[1:]) if isinstance(args, tuple) else rawmode
