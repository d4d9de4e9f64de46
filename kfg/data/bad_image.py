"""Files that are no usable image: the error that kfg raises for them, the errors of Pillow, and the words for both."""

import re
import struct
import zlib

from PIL import UnidentifiedImageError

from kfg.errors import InputError

# Exceptions that Pillow raises on damaged bytes. Each occurred when a test cut real files or flipped bytes in them.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, EOFError, MemoryError,
    RuntimeError, AssertionError, struct.error, zlib.error,
)  # fmt: skip
ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")  # how Python shows an object; it says nothing to a user


class BadImage(InputError):
    """The error for a file that is not a usable image.

    `kind` is missing, unreadable, not-an-image, truncated, undecodable or bomb; `reason` says it in words.
    """

    def __init__(self, name, kind: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.kind, self.reason = kind, reason


def undecodable(name, error: BaseException, format: str = "") -> BadImage:
    """Return a BadImage that says in words what an exception of DAMAGE means."""
    reason = ADDRESS.sub("", str(error)).split("\n")[0].strip() or type(error).__name__
    if isinstance(error, UnidentifiedImageError | MemoryError):
        reason = "too little memory" if isinstance(error, MemoryError) else "a picture inside of it is damaged"
    if reason == "not identified by this driver":  # Pillow's words if the file gives neither size nor kind of pixels
        reason = "there is no picture in it"
    return BadImage(name, "undecodable", f"cannot be decoded{f' as {format}' * bool(format)} ({reason})")


def ends_early(data: bytes, format: str) -> bool:
    """Return whether bytes are missing at the end of a file, judged by its end mark or by the length in its header."""
    tail = data[-64:].rstrip(b"\0")
    if format == "JPEG":
        return b"\xff\xd9" not in tail
    if format == "PNG":
        return b"IEND" not in tail
    if format == "GIF":
        return not tail.endswith(b";")
    if format == "WEBP":  # recognised by its first 12 bytes, so there are at least 12
        return struct.unpack("<I", data[4:8])[0] + 8 > len(data)
    if len(data) < 8:
        return True
    if format in ("HEIF", "AVIF"):
        return _boxes_end_early(data)
    if format == "BMP":
        return struct.unpack("<I", data[2:6])[0] > len(data)
    if format == "TIFF":  # the header gives the position of the directory
        return struct.unpack("<I" if data[:1] == b"I" else ">I", data[4:8])[0] >= len(data)
    return False


def _boxes_end_early(data: bytes) -> bool:
    """Return whether a HEIC or AVIF file ends inside a box; such a file is a sequence of boxes with their sizes."""
    at = 0
    while at + 16 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        if size == 0:  # the box reaches to the end of the file
            return False
        size = struct.unpack(">Q", data[at + 8 : at + 16])[0] if size == 1 else size
        at += max(size, 8)
    return at != len(data)
