"""The chunks of a PNG: what the file says of its bits, and the file without chunks that are spoilt but not needed."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")  # text and colour profiles: packed, and of any length once unpacked


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end (of the whole chunk) until the file ends or stops making sense."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            return
        yield data[at + 4 : at + 8], at, end
        at = end


def significant_bits(data: bytes) -> int:
    """Return the most bits that the chunk sBIT gives a colour, 0 without one.

    Source: PNG, third edition (W3C), section 11.3.2.6.
    """
    for kind, start, end in chunks(data):
        if kind == b"sBIT":
            said = data[start + 8 : end - 4][:3]
            return min(max(said, default=0), 16)
        if kind in (b"IDAT", b"PLTE"):
            break
    return 0


def without_spoilt(data: bytes) -> bytes | None:
    """Return the file without text and colour profiles, and without ancillary chunks of a wrong checksum.

    Browsers pass over these chunks, Pillow gives the picture up: a checksum that is wrong, a text that is too long.

    Returns:
        the shorter file, or None where there is nothing to leave out.
    """
    kept, at = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for kind, start, end in chunks(data):
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        ancillary = bool(kind[0] & 0x20)
        if not (kind in TEXTS or (ancillary and zlib.crc32(data[start + 4 : end - 4]) != checksum)):
            kept.append(data[start:end])
        at = end
    shorter = b"".join([*kept, data[at:]])
    return shorter if len(shorter) < len(data) else None
