"""The chunks of a PNG: what it says of its bits, how it is damaged, and the file without spoilt chunks it can spare."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type of IHDR -> values of a pixel
PALETTE = 3  # a colour type
NO_END = "the packed pixels have no end mark"  # all may be there: viewers show the picture, TensorFlow does not
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


def damage(data: bytes) -> str:
    """Return what is wrong with a PNG whose picture Pillow shows all the same, wrong in part; "" for nothing.

    Args:
        data: a file that begins with SIGNATURE and a whole IHDR.
    """
    ended, unpacker, unpacked, kinds = False, zlib.decompressobj(), 0, set()
    for kind, start, end in chunks(data):
        kinds.add(kind)
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        critical = not kind.isalpha() or not kind[0] & 0x20  # what is no name of a chunk stands where one should
        if critical and zlib.crc32(data[start + 4 : end - 4]) != checksum:
            return "a checksum of the file is wrong"
        if kind == b"IDAT":
            try:
                unpacked += len(unpacker.decompress(data[start + 8 : end - 4]))
            except zlib.error:
                return "the packed pixels are damaged"
        if kind == b"IEND":
            ended = True
            break  # what follows is no part of the picture
    if not ended:
        return "the file ends before its end mark"
    colours, *methods, interlaced = data[25:29]
    if any(methods) or interlaced > 1 or (colours == PALETTE and b"PLTE" not in kinds):
        return "the header does not fit the picture"
    if unpacked < _needed(data):
        return "pixels are missing in the file"
    return "" if unpacker.eof else NO_END


def _needed(data) -> int:
    """Return the bytes of all rows, with the filter's byte in front of each; 0 where the rows are interlaced."""
    width, height, bits, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    return 0 if interlaced else height * (1 + (width * CHANNELS.get(colours, 0) * bits + 7) // 8)
