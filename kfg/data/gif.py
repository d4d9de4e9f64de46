"""The blocks of a GIF, of which TensorFlow wants all and Pillow those of the first frame."""

EXTENSION, FRAME, END = 0x21, 0x2C, 0x3B


def has_end(data: bytes) -> bool:
    """Return whether the blocks follow one another to the end mark.

    Source: GIF89a specification (CompuServe 1990), sections 17 to 27.
    """
    at = 13 + _colours(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == END:
            return True
        if kind == EXTENSION:
            at += 2
        elif kind == FRAME:
            at += 10 + _colours(data, at + 9) + 1
        else:
            return False
        while at < len(data) and data[at]:  # sub-blocks, each with its length in front; one of no length ends them
            at += 1 + data[at]
        at += 1
    return False


def _colours(data, at) -> int:
    """Return the bytes of the table of colours that the flags at a place announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
