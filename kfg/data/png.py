"""Read the chunks of a PNG: how many bits its colours use, how the file is damaged, which chunks can be left out."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type of IHDR -> values per pixel
PALETTE = 3  # the colour type of pictures with a palette
NO_END = "the compressed pixels have no end mark"  # pixels may be complete: viewers show it, TensorFlow does not
PIECE = 1 << 18  # bytes unpacked at a time: a small file can unpack to gigabytes
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")  # texts and colour profiles, which can be of any length once unpacked


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each whole chunk, until the file ends or a chunk would reach beyond its end."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            return
        yield data[at + 4 : at + 8], at, end
        at = end


def significant_bits(data: bytes) -> int:
    """Return the largest number of bits per colour that the chunk sBIT gives, 0 if there is no such chunk.

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
    """Return the file without texts and colour profiles, and without ancillary chunks that have a wrong checksum.

    Browsers skip such chunks, while Pillow refuses the whole picture for a wrong checksum or too long a text.

    Returns:
        The shorter file, or None if there is nothing to leave out.
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
    """Return how a PNG is damaged that Pillow decodes without an error, perhaps partly wrong; "" if it is not.

    Args:
        data: a file that begins with SIGNATURE and a whole IHDR.
    """
    ended, unpacker, unpacked, kinds, needed = False, zlib.decompressobj(), 0, set(), _needed(data)
    for kind, start, end in chunks(data):
        kinds.add(kind)
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        critical = not kind.isalpha() or not kind[0] & 0x20  # an invalid chunk name counts as critical, too
        if critical and zlib.crc32(data[start + 4 : end - 4]) != checksum:
            return "a checksum of the file is wrong"
        if kind == b"IDAT" and unpacked <= needed:
            try:
                unpacked += _unpacked(unpacker, data[start + 8 : end - 4], most=needed - unpacked)
            except zlib.error:
                return "the compressed pixels are damaged"
        if kind == b"IEND":
            ended = True
            break  # bytes after the end mark do not belong to the picture
    if not ended:
        return "the file ends before its end mark"
    colours, *methods, interlaced = data[25:29]
    if any(methods) or interlaced > 1 or (colours == PALETTE and b"PLTE" not in kinds):
        return "the header does not fit the image"
    if unpacked < needed:
        return "pixels are missing in the file"
    return "" if unpacker.eof or unpacked > needed else NO_END  # decoders ignore what follows the last row


def _unpacked(unpacker, packed, *, most) -> int:
    """Unpack the bytes of a chunk and return their number; stop as soon as they are more than `most`."""
    count = 0
    while True:
        found = len(unpacker.decompress(packed, PIECE))
        count += found
        if found < PIECE or count > most:
            return count
        packed = unpacker.unconsumed_tail


def _needed(data) -> int:
    """Return the number of unpacked bytes that all rows need, each with its filter byte.

    Source: PNG, third edition (W3C), sections 7.2 and 8.1.
    """
    width, height, bits, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    total = 0
    for left, top, right, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-max(0, width - left) // right), -(-max(0, height - top) // down)
        total += rows * (1 + (columns * CHANNELS.get(colours, 0) * bits + 7) // 8) if columns else 0
    return total
