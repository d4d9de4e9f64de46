"""Decode any supported image file to uint8 (H, W, 3) RGB.

All photographs are decoded here, except that an exported model reads files with `kfg.data.decode_in_graph`. The format
is recognised by the file's content, whatever its suffix says.
"""

import io
import pathlib

import numpy as np
from PIL import Image

from kfg.data import exif, foreign, jpeg, png, sixteen
from kfg.data.bad_image import DAMAGE, BadImage, ends_early, undecodable
from kfg.data.formats import SNIFF_BYTES, sniff, suffix_of
from kfg.data.to_rgb import to_rgb

DECODER = "1"  # part of the key of cached images: change it whenever a file is decoded to other pixels
MAX_PIXELS = 80_000_000  # per image; a JPEG of up to 4 times as many is read at half its width and height
OPAQUE = (
    "BMP",
    "DIB",
    "TGA",
    "ICO",
    "CUR",
)  # formats whose writers often leave alpha zero everywhere without meaning a transparent picture
GREY_STEPS = {"L;2": 85, "L;4": 17}  # step between grey levels when a PNG of 2 or 4 bits is converted to 8 bits
DNG_VERSION, PHOTOMETRIC = 50706, 262  # TIFF tag numbers
RAW_PHOTOMETRIC = (32803, 34892)  # these values mark raw sensor data, measured behind colour filters


def decode(source) -> np.ndarray:
    """Decode an image file: first frame, EXIF rotation applied, alpha on white, 16 bits to 8, CMYK to RGB.

    Args:
        source: a path, or the bytes of a file.
    Returns:
        uint8 (H, W, 3), RGB.
    Raises:
        BadImage: an InputError that names the path and what is wrong with the file.
    Example:
        >>> file = io.BytesIO()
        >>> Image.new("L", (3, 2), 7).save(file, "PNG")
        >>> decode(file.getvalue()).shape
        (2, 3, 3)
    """
    name = "image bytes" if isinstance(source, bytes) else source
    data = source if isinstance(source, bytes) else read_bytes(source)
    return to_rgb(load(data, name), name)


def decode_small(path, at_least: int) -> np.ndarray:
    """Decode an image file as `decode` does; a JPEG may come out smaller, which is faster.

    No side of the smaller picture is below `at_least` pixels.

    Raises:
        BadImage: as for `decode`.
    """
    return to_rgb(load(read_bytes(path), path, at_least=at_least), path)


def size_shown(path) -> tuple[int, int]:
    """Return (height, width) of an image file after its EXIF rotation, without decoding the picture.

    Raises:
        BadImage: as for `decode`, as far as the header shows the problem.
    """
    data = read_bytes(path)
    try:
        image = opened(data, sniff(data[:SNIFF_BYTES], suffix_of(path)))
    except DAMAGE as error:
        raise undecodable(path, error) from error
    width, height = image.size
    return (width, height) if exif.orientation(image) >= 5 else (height, width)


def read_bytes(path) -> bytes:
    """Read a file that starts like an image; any other file is refused after its first bytes.

    Raises:
        BadImage: the file is missing, unreadable, empty, or not an image.
    """
    path = pathlib.Path(path)
    try:
        if not path.is_file():  # also refuses a named pipe, on which reading could wait for ever
            kind = "not-an-image" if path.exists() else "missing"
            raise BadImage(path, kind, "not a file" if path.exists() else "no such file")
        with open(path, "rb") as file:
            first = file.read(SNIFF_BYTES)
            if not first:
                raise BadImage(path, "truncated", "truncated: the file is empty")
            if not sniff(first, path.suffix):
                raise BadImage(path, "not-an-image", foreign.refusal(first, path.suffix))
            return first + file.read()
    except OSError as error:
        raise BadImage(path, "unreadable", error.strerror or str(error)) from error


def load(data: bytes, name, *, at_least: int | None = None) -> Image.Image:
    """Decode bytes to a Pillow image in the file's own orientation, and in its own mode if that has 8 bits per channel.

    Args:
        data: the bytes of a file.
        name: the file's name in error messages.
        at_least: a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as no side is below this
            many pixels. This is several times faster, and still reads every byte. None: full size.
    Returns:
        The loaded image. Its `info` describes the file: `full_size` (width, height), `mode`, `depth` (how many of 16
        bits its values use; 0 for a file of 8 bits), `opaque` (alpha was zero everywhere and is ignored) and `mended`
        (what was wrong with the file and could be repaired, else "").
    Raises:
        BadImage: the data are not an image, or are truncated or damaged; or the image is too large.
    """
    first, suffix = data[:SNIFF_BYTES], suffix_of(name)
    format = sniff(first, suffix)
    if not format:
        reason = foreign.refusal(first, suffix) if data else "truncated: no bytes"
        raise BadImage(name, "not-an-image" if data else "truncated", reason)
    try:
        try:
            return _load(data, format, name, at_least)
        except BadImage:
            raise
        except DAMAGE:
            mended, what = _mended(data, format)
            if mended is None:
                raise
            image = _load(mended, format, name, at_least)
            image.info["mended"] = what
            return image
    except BadImage:
        raise
    except Image.DecompressionBombError as error:
        raise BadImage(name, "bomb", "too large: more pixels than kfg reads; save it smaller") from error
    except DAMAGE as error:
        if "truncated" in str(error) or ends_early(data, format):
            raise BadImage(name, "truncated", f"truncated: ends after {len(data):,} bytes") from error
        raise undecodable(name, error, format) from error


def _load(data, format, name, at_least):
    image = opened(data, format)
    size, mode = image.size, image.mode
    _refuse_raw(image, name)
    _reduce(image, name, at_least)
    form = sixteen.form_of(image, data)
    # Pillow scales the grey levels to 8 bits, but not the grey level that is transparent
    if image.format == "PNG" and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] *= GREY_STEPS.get(image.tile[0][3], 1)
    extents = image.tile[0][1] if image.format == "GIF" else None
    _drop_text(image)
    image.load()
    _drop_text(image)  # Pillow reads the texts behind the pixels while it loads
    if extents is not None and extents != (0, 0, *size):
        image = _on_canvas(image, extents)
    if form is not None:
        image = sixteen.to_eight(image, form, reopen=lambda: opened(data, format))
    depth = image.info["depth"] if form is not None else 0
    opaque = image.format in OPAQUE and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)
    if opaque:
        image.putalpha(255)
    own = {"full_size": size, "mode": mode, "depth": depth, "opaque": opaque, "mended": ""}
    image.info = {**image.info, **own}  # in this order, because texts in the file can have any name
    return image


def _drop_text(image):
    """Remove a text that is called "transparency": Pillow keeps texts and the transparent colour in one dict."""
    if isinstance(image.info.get("transparency"), str):
        del image.info["transparency"]


def _on_canvas(image, extents):
    """Return a GIF whose first frame is smaller than the whole, transparent around that frame, as browsers show it.

    Pillow would paint a colour around the frame.
    """
    frame = image.crop(extents).convert("RGBA")
    canvas = Image.new("RGBA", image.size)
    canvas.paste(frame, extents[:2])
    canvas.format, canvas.info = image.format, {k: v for k, v in image.info.items() if k != "transparency"}
    return canvas


def opened(data: bytes, format: str) -> Image.Image:
    """Open an image from bytes without decoding its pixels.

    `Image.open` is not used: it hides the reason of a failure, and warns about images from 90 M pixels on.

    Raises:
        An exception of DAMAGE.
    """
    if format == "HEIF" and format not in Image.OPEN:
        import pillow_heif  # an optional dependency; Pillow itself cannot decode HEIC

        pillow_heif.register_heif_opener()
    if format not in Image.OPEN:
        Image.init()
    return Image.OPEN[format][0](io.BytesIO(data), "")


def _refuse_raw(image, name):
    if image.format == "TIFF" and (DNG_VERSION in image.tag_v2 or image.tag_v2.get(PHOTOMETRIC) in RAW_PHOTOMETRIC):
        raise BadImage(
            name, "not-an-image", "a raw photograph of a camera, which kfg does not read; convert it to JPEG"
        )


def _reduce(image, name, at_least):
    """Have a JPEG decoded smaller if that is wanted or it has more than MAX_PIXELS; refuse images above the limit."""
    width, height = image.size
    halve = width * height > MAX_PIXELS
    limit = MAX_PIXELS * 4 if image.format in ("JPEG", "MPO") else MAX_PIXELS
    if width * height > limit:
        raise BadImage(
            name, "bomb", f"too large: {width}x{height} pixels, the limit is {limit:,}; save it smaller, or as tiles"
        )
    if halve or at_least is not None:
        wanted = at_least or max(width, height)
        image.draft(None, (min(wanted, width // 2), min(wanted, height // 2)) if halve else (wanted, wanted))


def _mended(data, format):
    """Repair a file that Pillow refuses although viewers show it.

    Returns:
        The repaired bytes, None if the file cannot be repaired; and what was wrong with it.
    """
    if format == "JPEG":
        return jpeg.ended(data), jpeg.NO_END
    if format == "PNG":
        return png.without_spoilt(data), "a chunk outside of the image data is damaged or too long and was ignored"
    return None, ""
