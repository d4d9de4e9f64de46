"""Find out what is missing in a JPEG: only its end mark, or part of the picture, which decoders fill with grey."""

import io
import re
from collections.abc import Iterator

import numpy as np
from PIL import JpegImagePlugin

EOI = b"\xff\xd9"
NO_END = "the end mark (EOI) is missing, but the image is complete"
SOS, DHT, SOF2 = 0xDA, 0xC4, 0xC2
STRAY = "there are bytes between its segments that belong to none of them"
SEGMENTS = {*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(0xDA, 0xF0), 0xFE}  # frames, tables, scans, comments
BETWEEN_SCANS = {DHT, 0xCC, *range(0xDA, 0xE0)}  # T.81 also allows comments here, but decoders differ on them
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker in a scan that is not stuffing, a restart or filling
SCAN = re.compile(rb"\xff\xda..(.)", re.DOTALL)  # header of a scan: length, number of components
PROBES = (b"\x55" * 64, b"\xaa" * 64)  # bits that decode to other pixels than those a decoder fills in
FINE = 1 << 24  # pixels; a larger picture is compared at half its width and height
ZEROS = 128  # so many zero bytes in a row within a scan are a lost sector or a broken download, not a picture


def segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment from position `at` on; the header of the next scan comes last."""
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, end
        if marker == SOS:
            return
        at = end


def scan(data: bytes) -> tuple[int, int]:
    """Return where the compressed picture begins and ends: at the end mark, or without one at the file's end."""
    begin = at = next((end for marker, _, end in segments(data) if marker == SOS), len(data))
    while (found := MARKER.search(data, at)) is not None:
        if found.group() == EOI:
            return begin, found.start()
        at = found.start() + 2 + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return begin, len(data)


def lacks_scans(data: bytes) -> bool:
    """Return whether a progressive JPEG lacks a scan, so that some coefficient does not reach its full precision.

    Decoders smooth such pictures, and each release of libjpeg-turbo does so in its own way.
    Source: ITU-T T.81, sections B.2.3 and G.1.1.1.
    """
    frame = next((start for marker, start, _ in segments(data) if marker == SOF2), None)
    if frame is None:
        return False
    count = data[frame + 9]
    missing = {(data[frame + 10 + 3 * i], at) for i in range(count) for at in range(64)}
    for found in SCAN.finditer(data, frame):
        parts = found[1][0]
        header = data[found.end() : found.end() + 2 * parts + 3]
        if len(header) == 2 * parts + 3 and header[-1] & 15 == 0:  # the scan goes to the coefficients' last bit
            first, last = header[-3], header[-2]
            missing -= {(header[2 * i], at) for i in range(parts) for at in range(first, last + 1)}
    return bool(missing)


def damage(data: bytes) -> str:
    """Return what is wrong with the order of a JPEG's segments; "" if nothing is.

    Each decoder handles such errors in its own way.

    Source: ITU-T T.81, section B.2; JFIF 1.02, page 5.
    """
    at = 2
    while at + 4 <= len(data):
        marker = None
        for marker, start, end in segments(data, at):
            if marker not in SEGMENTS:
                return STRAY
            if data[start + 4 : start + 9] == b"JFIF\0" and end - start < 18:
                return "its first segment is too short"
            at = end
        if marker != SOS:  # neither a scan nor the end mark follows: the bytes here belong to no segment
            return STRAY if at + 4 <= len(data) and data[at:].strip(b"\xff") else ""
        found = MARKER.search(data, at)
        if found is None or found.group() == EOI:
            return ""
        if found.group()[1] not in BETWEEN_SCANS:
            return "the compressed image holds a marker that belongs elsewhere"
        at = found.start()
    return ""


def has_end(data: bytes) -> bool:
    """Return whether the end mark follows the compressed picture."""
    if data.endswith(EOI):  # true for nearly all files, so the scan need not be searched
        return True
    _, end = scan(data)
    return data[end : end + 2] == EOI


def ended(data: bytes) -> bytes | None:
    """Return a JPEG with its end mark added if that is all it lacks; None if it has one or lacks more.

    A decoder needs no further bits for a complete picture, so the picture must look the same whatever bytes are put
    before the end mark.
    """
    if scan(data)[0] == len(data) or has_end(data):
        return None
    data = with_end(data)
    return None if lacks_data(data) else data


def with_end(data: bytes) -> bytes:
    """Return a JPEG with its end mark added if it has none."""
    return data if has_end(data) else data.rstrip(b"\xff") + EOI  # it may have been cut in the middle of the end mark


def lacks_data(data: bytes, *, coarse: bool = False) -> bool:
    """Return whether a decoder runs out of bits before the end mark and has to fill the rest of the picture.

    Args:
        data: a file with an end mark.
        coarse: compare at an eighth of the width and height. This is much faster, but does not notice if only the
            finest detail is missing.
    """
    _, end = scan(data)
    wanted = _pixels(data, coarse)
    return any(not np.array_equal(wanted, _pixels(data[:end] + probe + data[end:], coarse)) for probe in PROBES)


def _pixels(data, coarse):
    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        parts = 8 if coarse else 2 if image.width * image.height > FINE else 1
        image.draft(None, (max(1, image.width // parts), max(1, image.height // parts)))
        return np.asarray(image)


def zeroed(data: bytes) -> int:
    """Return the length of a run of zero bytes in the compressed picture that shows damage; 0 if there is none.

    If the first code of every Huffman table means "end of block", a run of zeros is a valid even area; then 0 is
    returned.
    """
    if bytes(ZEROS) not in data:  # checked first, because going through a scan takes longer
        return 0
    begin, end = scan(data)
    at = data.find(bytes(ZEROS), begin, end)
    if at < 0 or any(marker == SOF2 for marker, _, _ in segments(data)) or _zeros_mean_even(data):
        return 0
    stop = end - len(data[at:end].lstrip(b"\0"))
    return stop - at


def _zeros_mean_even(data: bytes) -> bool:
    """Return whether in all Huffman tables for AC coefficients the first code, all zeros, means "end of block" (0)."""
    first = []
    for marker, start, end in segments(data):
        at = start + 4
        while marker == DHT and at + 17 < end:
            if data[at] & 0x10:
                first.append(data[at + 17])
            at += 17 + sum(data[at + 1 : at + 17])
    return not any(first)
