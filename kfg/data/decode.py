"""The only file decoder: any supported image file -> uint8 (H, W, 3) RGB, by content, whatever the suffix says."""

import io
import pathlib
import struct

import numpy as np
from PIL import Image

from kfg.errors import InputError

MAX_PIXELS = 80_000_000  # a larger image is refused unread; below the 89 M where Pillow itself starts to warn

FORMATS = {  # Pillow's name of the format -> suffixes that say it
    "JPEG": (".jpg", ".jpeg", ".jpe"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".mpo"),  # what many phones write: a JPEG with more pictures behind it
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
# photographs that kfg does not decode; a folder full of them must not be passed over in silence
UNREAD = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
SNIFF_BYTES = 18
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes of the second header, which tell a BMP from a text with "BM"
STRIP_PIXELS = 1 << 18  # blended at a time: at 80 M pixels the whole would take 4 GB
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
# What Pillow raises on damaged bytes. Each was met when cutting and flipping bytes of real files; see the test.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, OverflowError)


class BadImage(InputError):
    """A file that is not a usable image. `kind`: missing, unreadable, not-an-image, truncated, undecodable or bomb."""

    def __init__(self, name, kind: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.kind, self.reason = kind, reason


def sniff(first_bytes: bytes) -> str:
    """Return the format that the first SNIFF_BYTES of a file announce, "" for none that kfg reads.

    Example:
        >>> sniff(b"GIF89a and so on"), sniff(b"From: somebody")
        ('GIF', '')
    """
    if first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP":
        return "WEBP"
    for magic, format in MAGIC.items():
        if first_bytes.startswith(magic):
            return format
    if first_bytes[:2] == b"BM" and int.from_bytes(first_bytes[14:18], "little") in BMP_HEADERS:
        return "BMP"
    return ""


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


def read_bytes(path) -> bytes:
    """Read a file that starts like an image; anything else is refused before it is read.

    Raises:
        BadImage: missing, unreadable, empty, or no image.
    """
    path = pathlib.Path(path)
    try:
        if not path.is_file():  # also keeps a named pipe from being waited on for ever
            kind = "not-an-image" if path.exists() else "missing"
            raise BadImage(path, kind, "not a file" if path.exists() else "no such file")
        with open(path, "rb") as file:
            first = file.read(SNIFF_BYTES)
            if not first:
                raise BadImage(path, "truncated", "truncated: the file is empty")
            if not sniff(first):
                unread = path.suffix.lower() in UNREAD
                raise BadImage(path, "not-an-image", "in a format kfg does not read" if unread else "not an image")
            return first + file.read()
    except OSError as error:
        raise BadImage(path, "unreadable", error.strerror or str(error)) from error


def load(data: bytes, name, *, at_least: int | None = None) -> Image.Image:
    """Decode bytes to a Pillow image in the file's own mode and orientation.

    Args:
        data: the bytes of a file.
        name: what an error calls it.
        at_least: a JPEG may come out smaller by 2, 4 or 8, but no side below this many pixels: several times
            faster, and still reads every byte. None: full size.
    Returns:
        the loaded image; `info["sixteen_bit"]` and `info["full_size"]` (width, height) say what it was in the file.
    Raises:
        BadImage: not an image, truncated, damaged, or more than MAX_PIXELS.
    """
    if not sniff(data[:SNIFF_BYTES]):
        raise BadImage(name, *(("not-an-image", "not an image") if data else ("truncated", "truncated: no bytes")))
    try:
        image = Image.open(io.BytesIO(data), formats=[sniff(data[:SNIFF_BYTES])])
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadImage(name, "bomb", f"decompression bomb: {width}x{height} pixels, the limit is {MAX_PIXELS:,}")
        sixteen_bit = _sixteen_bit(image)
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        image.load()
        image.info.update(full_size=(width, height), sixteen_bit=sixteen_bit)
        return image
    except Image.DecompressionBombError as error:
        raise BadImage(name, "bomb", f"decompression bomb: {error}") from error
    except BadImage:
        raise
    except DAMAGE as error:
        if "truncated" in str(error) or _ends_early(data):
            raise BadImage(name, "truncated", f"truncated: ends after {len(data):,} bytes") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadImage(name, "undecodable", f"cannot be decoded ({reason})") from error


def to_rgb(image: Image.Image, name="image") -> np.ndarray:
    """Turn a loaded Pillow image upright and into uint8 (H, W, 3) RGB.

    Raises:
        BadImage: pixels of a kind that has no RGB meaning (32-bit, floating point).
    """
    turn = TURNS.get(orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.info.get("sixteen_bit")):
        high = (np.asarray(image).astype(np.int32) >> 8).astype(np.uint8)
        return np.repeat(high[..., None], 3, axis=-1)
    if image.mode in ("I", "F"):
        raise BadImage(name, "undecodable", f"cannot be decoded (32-bit pixels, mode {image.mode})")
    if has_alpha(image):
        return on_white(np.asarray(image.convert("RGBA")))
    try:
        return np.array(image.convert("RGB"))
    except ValueError as error:
        raise BadImage(name, "undecodable", f"cannot be decoded ({error})") from error


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Lay uint8 (H, W, 4) on white; the same integers as in the exported graph.

    Example:
        >>> on_white(np.array([[[0, 100, 200, 51]]], np.uint8)).tolist()
        [[[204, 224, 244]]]
    """
    out = np.empty((*rgba.shape[:2], 3), dtype=np.uint8)
    rows = max(1, STRIP_PIXELS // rgba.shape[1])
    for start in range(0, len(rgba), rows):
        strip = rgba[start : start + rows].astype(np.int32)
        colour, alpha = strip[..., :3], strip[..., 3:]
        out[start : start + rows] = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return out


def has_alpha(image: Image.Image) -> bool:
    """Return whether the image has an alpha channel or a transparent colour."""
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, where there is none or it is garbage."""
    if image.format == "TIFF":  # Pillow has turned it on loading
        return 1
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except DAMAGE:  # a broken EXIF block does not make the picture unusable
        return 1
    return value if value in TURNS else 1


def _sixteen_bit(image) -> bool:
    """Return whether channels have 16 bits; call before loading, Pillow then forgets it."""
    if image.format not in ("PNG", "TIFF"):  # BMP calls its 5-6-5 bit pixels 16 as well
        return False
    return image.mode.startswith("I;16") or any(";16" in str(tile[3]) for tile in image.tile)


def _ends_early(data: bytes) -> bool:
    """Return whether the end mark or the length in the header shows that bytes are missing."""
    format, tail = sniff(data[:SNIFF_BYTES]), data[-64:].rstrip(b"\0")
    if format == "JPEG":
        return b"\xff\xd9" not in tail
    if format == "PNG":
        return b"IEND" not in tail
    if format == "GIF":
        return not tail.endswith(b";")
    if format == "WEBP":  # sniffed, so there are 12 bytes
        return struct.unpack("<I", data[4:8])[0] + 8 > len(data)
    if len(data) < 8:
        return True
    if format == "BMP":
        return struct.unpack("<I", data[2:6])[0] > len(data)
    return struct.unpack("<I" if data[:1] == b"I" else ">I", data[4:8])[0] >= len(data)  # TIFF: where its directory is
