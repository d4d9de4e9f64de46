"""Check the blocks of a GIF: TensorFlow needs all of them sound, Pillow only those of the first frame."""

EXTENSION, FRAME, END = 0x21, 0x2C, 0x3B
MOST_CODES = 4096  # number of LZW codes of twelve bits


def whole(data: bytes) -> bool:
    """Return whether a GIF is complete: its blocks lead to the end mark, and each frame's codes give all its pixels.

    Source: GIF89a specification (CompuServe 1990), sections 17 to 27 and appendix F.
    """
    at = 13 + _colours(data, 10)
    while at < len(data):
        kind, begin = data[at], at
        if kind == END:
            return True
        if kind == EXTENSION:
            at += 2
        elif kind == FRAME:
            at += 10 + _colours(data, at + 9) + 1
        else:
            return False
        if at > len(data):
            return False
        least_bits = data[at - 1]  # smallest code size; meaningful for a frame only
        packed, at = _joined(data, at)
        if kind == FRAME:
            width, height = (int.from_bytes(data[begin + place : begin + place + 2], "little") for place in (5, 7))
            if not _fills(packed, least_bits, width * height):
                return False
    return False


def _joined(data, at) -> tuple[bytes, int]:
    """Return the joined data of the sub-blocks from `at` on, and the position after the empty block that ends them."""
    parts = []
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts), at + 1


def _fills(packed: bytes, least_bits: int, pixels: int) -> bool:
    """Return whether LZW codes are valid and unpack to at least `pixels` pixels; only lengths are computed."""
    if not 1 <= least_bits <= 8:
        return False
    clear = 1 << least_bits
    lengths = [1] * clear + [0, 0]
    bits, size, before, held, count = least_bits + 1, 0, None, 0, 0
    for byte in packed:
        held |= byte << size
        size += 8
        while size >= bits:
            code, held, size = held & ((1 << bits) - 1), held >> bits, size - bits
            if code == clear:
                del lengths[clear + 2 :]
                bits, before = least_bits + 1, None
                continue
            if code == clear + 1 or code > len(lengths) or (code == len(lengths) and before is None):
                return False
            longer = None if before is None else lengths[before] + 1
            count += lengths[code] if code < len(lengths) else longer
            if longer is not None and len(lengths) < MOST_CODES:
                lengths.append(longer)
                bits += len(lengths) == 1 << bits and bits < 12
            before = code
            if count >= pixels:
                return True
    return count >= pixels


def _colours(data, at) -> int:
    """Return the size in bytes of the colour table that the flags at position `at` announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
