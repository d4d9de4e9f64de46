"""Files that are no usable image: the error, what Pillow raises for them, and how to say it in words."""

import re
import struct
import zlib

from PIL import UnidentifiedImageError

from kfg.errors import InputError

# What Pillow raises on damaged bytes. Each was met when cutting and flipping bytes of real files; see the test.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, EOFError, MemoryError,
    RuntimeError, AssertionError, struct.error, zlib.error,
)  # fmt: skip
ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")  # how Python shows an object; it says nothing to a user


class BadImage(InputError):
    """A file that is not a usable image. `kind`: missing, unreadable, not-an-image, truncated, undecodable or bomb."""

    def __init__(self, name, kind: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.kind, self.reason = kind, reason


def undecodable(name, error: BaseException, format: str = "") -> BadImage:
    """Return the BadImage that says what one of DAMAGE means."""
    reason = ADDRESS.sub("", str(error)).split("\n")[0].strip() or type(error).__name__
    if isinstance(error, UnidentifiedImageError | MemoryError):
        reason = "too little memory" if isinstance(error, MemoryError) else "a picture inside of it is damaged"
    if reason == "not identified by this driver":  # Pillow's words where neither size nor kind of pixels is stated
        reason = "there is no picture in it"
    return BadImage(name, "undecodable", f"cannot be decoded{f' as {format}' * bool(format)} ({reason})")


def ends_early(data: bytes, format: str) -> bool:
    """Return whether the end mark or the length in the header shows that bytes are missing."""
    tail = data[-64:].rstrip(b"\0")
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
    if format == "TIFF":  # where its directory is
        return struct.unpack("<I" if data[:1] == b"I" else ">I", data[4:8])[0] >= len(data)
    return False
