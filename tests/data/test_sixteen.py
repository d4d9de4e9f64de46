"""16 bits to 8: visible whatever bits are in use, never wrapped around, the same levels in every form of file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kfg.data import decode as decoding
from kfg.data.bad_image import BadImage
from kfg.data.decode import decode


def encoded(image, format, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def ramp(largest):
    return np.linspace(0, largest, 24 * 40).astype(np.uint16).reshape(24, 40)


def png(values, colour_type, *chunks):
    """A 16-bit PNG of uint16 (H, W) or (H, W, C)."""
    rows = values.reshape(len(values), -1).astype(">u2")
    head = struct.pack(">IIBBBBB", values.shape[1], len(values), 16, colour_type, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", packed), (b"IEND", b"")]
    written = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def tiff(values, *, order="<", photometric=None, signed=False, extra=()):
    """An uncompressed TIFF of 16 bits; `extra` are more tags (number, value)."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    photometric = (1 if channels == 1 else 2) if photometric is None else photometric
    pixels = values.astype(f"{order}{'i' if signed else 'u'}2").tobytes()
    tags = {256: values.shape[1], 257: len(values), 259: 1, 262: photometric, 277: channels, 278: len(values),
            279: len(pixels), 339: 2 if signed else 1, **dict(extra)}  # fmt: skip
    count = len(tags) + 2
    behind = 8 + 2 + 12 * count + 4  # bits of each channel, then pixels
    entries = [(tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags.items()]
    entries += [(273, 4, 1, behind + 8), (258, 3, channels, 16 if channels == 1 else behind)]
    out = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, count)
    for tag, kind, number, value in sorted(entries):
        short = kind == 3 and number == 1
        out += struct.pack(f"{order}HHI", tag, kind, number)
        out += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}I", value)
    return out + bytes(4) + struct.pack(f"{order}4H", 16, 16, 16, 16) + pixels


FORMS = {
    "PNG": lambda v: png(v, 0),
    "TIFF": tiff,
    "TIFF, big-endian": lambda v: tiff(v, order=">"),
    "TIFF, LZW": lambda v: encoded(Image.fromarray(v), "TIFF", compression="tiff_lzw"),
    "PGM": lambda v: b"P5 40 24 65535\n" + v.astype(">u2").tobytes(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("largest, depth", [(255, 8), (1023, 10), (4095, 12), (9000, 14), (16383, 14), (65535, 16)])
def test_values_of_few_bits_are_visible(form, largest, depth):
    data = FORMS[form](ramp(largest))
    np.testing.assert_array_equal(decode(data)[..., 0], ramp(largest) >> (depth - 8))
    assert decode(data).max() >= 128
    assert decoding.load(data, "x").info["depth"] == depth


@pytest.mark.parametrize("largest, depth", [(1023, 10), (4095, 12), (65535, 16)])
def test_colours_of_few_bits_are_visible(largest, depth):
    grey = ramp(largest)
    colours = np.stack([grey, grey[::-1], grey // 2], axis=-1)
    opaque = np.dstack([colours, np.full(grey.shape, 65535)])
    wanted = colours >> (depth - 8)
    for data in (png(colours, 2), png(opaque, 6), tiff(colours), tiff(colours, order=">")):
        np.testing.assert_array_equal(decode(data), wanted)
        assert decoding.load(data, "x").info["depth"] == depth
    with_alpha = np.dstack([grey, np.full(grey.shape, 65535)])
    np.testing.assert_array_equal(decode(png(with_alpha, 4))[..., 0], grey >> (depth - 8))


def test_the_files_own_word_goes_before_its_values():
    dim = ramp(900)
    assert decode(tiff(dim)).max() == 900 >> 2
    assert decode(tiff(dim, extra=[(281, 4095)])).max() == 900 >> 4  # MaxSampleValue: 12 bits
    assert decode(png(dim, 0, (b"sBIT", b"\x0c"))).max() == 900 >> 4
    assert decode(tiff(ramp(60000), extra=[(281, 4095)])).max() == 60000 >> 8  # a word that is untrue
    assert decode(b"P5 2 1 1023\n" + struct.pack(">HH", 1023, 100))[0, :, 0].tolist() == [255, 25]


def test_two_images_of_one_camera_keep_their_relation_in_brightness():
    bright, dim = ramp(4000), ramp(2000)
    assert decode(tiff(bright)).max() == 250 and decode(tiff(dim)).max() == 125


def test_signed_values_do_not_wrap_around_and_zero_is_always_128():
    scan = np.linspace(-1000, 3000, 24 * 40).astype(np.int16).reshape(24, 40)
    for order in "<>":
        levels = decode(tiff(scan, signed=True, order=order))[..., 0].astype(int)
        assert (np.diff(levels.ravel()) >= 0).all() and levels[0, 0] == 96 and levels[-1, -1] == 221
    for values in (scan, scan // 10, np.abs(scan), np.clip(scan * 8, -32768, 32767)):
        levels = decode(tiff(np.where(np.arange(40) == 0, 0, values), signed=True))[..., 0]
        assert (levels[:, 0] == 128).all()


def test_white_is_zero_is_inverted_at_sixteen_bits_as_at_eight():
    full = ramp(65535)
    np.testing.assert_array_equal(decode(tiff(full, photometric=0))[..., 0], 255 - (full >> 8))
    np.testing.assert_array_equal(decode(tiff(ramp(4095), photometric=0))[..., 0], 255 - (ramp(4095) >> 4))


def test_one_transparent_colour_is_told_by_all_of_its_bits():
    values = np.array([[[0x5001, 0x6002, 0x7003], [0x5001, 0x6002, 0x7004]]], np.uint16)
    key = struct.pack(">3H", 0x5001, 0x6002, 0x7003)
    assert decode(png(values, 2, (b"tRNS", key))).tolist() == [[[255] * 3, [0x5001 >> 7 >> 1, 0x60, 0x70]]]
    grey = np.array([[0x5001, 0x5002]], np.uint16)
    assert decode(png(grey, 0, (b"tRNS", b"\x50\x01")))[0, :, 0].tolist() == [255, 0x50]


@pytest.mark.parametrize("mode, said", [("I", "32-bit whole numbers"), ("F", "32-bit floating-point numbers")])
def test_32_bits_are_refused_in_words(mode, said):
    with pytest.raises(BadImage, match=f"cannot be decoded: its pixels are {said}, not colours"):
        decode(encoded(Image.new(mode, (3, 2)), "TIFF"))
