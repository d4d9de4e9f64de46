"""JPEG and PNG files that lack something: whole pictures are told from partly lost ones."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from kfg.data import decode as decoding
from kfg.data import jpeg, png
from kfg.data.bad_image import BadImage
from kfg.data.decode import decode


def picture(width=320, height=240, seed=0):
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image=None, format="JPEG", **options) -> bytes:
    file = io.BytesIO()
    (image or picture()).save(file, format, **options)
    return file.getvalue()


KINDS = [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}, {"restart_marker_rows": 1}, {"optimize": True}]


@pytest.mark.parametrize("options", KINDS)
def test_a_jpeg_that_lacks_only_its_end_mark_is_whole(options):
    data = encoded(**options)
    for cut in (data[:-2], data[:-1]):
        np.testing.assert_array_equal(decode(cut), decode(data))
        assert not jpeg.has_end(cut)
        if "restart_marker_rows" not in options:  # these Pillow reads by itself
            assert decoding.load(cut, "x").info["mended"] == jpeg.NO_END
    assert decoding.load(data, "x").info["mended"] == ""
    np.testing.assert_array_equal(decode(data[:-2] + bytes(100)), decode(data))
    assert jpeg.ended(data) is None and jpeg.has_end(data)


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("lost", [4, 40, 1000])
def test_a_jpeg_that_lacks_more_is_truncated(options, lost):
    with pytest.raises(BadImage) as error:
        decode(encoded(**options)[:-lost])
    assert error.value.kind == "truncated"


def test_the_end_of_a_preview_in_exif_is_not_that_of_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 1
    block = exif.tobytes() + encoded(picture(32, 24))  # a preview, scan and end mark and all
    data = encoded(exif=block)
    assert jpeg.scan(data)[0] > 600 and jpeg.scan(data)[1] == len(data) - 2
    np.testing.assert_array_equal(decode(data[:-2]), decode(data))
    with pytest.raises(BadImage, match="truncated"):
        decode(data[:-500])


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_filled_with_grey_lacks_data_and_one_that_is_grey_does_not(options, mode):
    data = encoded(picture().convert(mode), **options)
    begin, end = jpeg.scan(data)
    assert not jpeg.lacks_data(data) and not jpeg.lacks_data(data, coarse=True)
    filled = data[: (begin + end) // 2] + b"\xff\xd9"
    assert jpeg.lacks_data(filled) and jpeg.lacks_data(filled, coarse=True)
    padded = picture()
    padded.paste((128, 128, 128), (0, 100, 320, 240))
    assert not jpeg.lacks_data(encoded(padded.convert(mode), **options), coarse=True)


def test_zeros_in_the_picture_are_counted_but_not_those_of_an_even_area():
    data = encoded(quality=95)
    begin, _ = jpeg.scan(data)
    hole = data[: begin + 900] + bytes(1024) + data[begin + 1924 :]
    assert jpeg.zeroed(hole) >= 1024 and jpeg.zeroed(data) == 0
    even = picture(2000, 2000)
    even.paste((255, 255, 255), (0, 300, 2000, 2000))
    plain = encoded(even, optimize=True)
    assert bytes(jpeg.ZEROS) in plain  # the shortest codes are zeros
    assert jpeg.zeroed(plain) == 0
    assert jpeg.zeroed(data + bytes(5000)) == 0  # behind the end


def test_a_jpeg_of_too_many_pixels_is_read_at_half_its_size_and_a_larger_one_refused(monkeypatch):
    data = encoded(picture(321, 241))
    monkeypatch.setattr(decoding, "MAX_PIXELS", 321 * 241 - 1)
    image = decoding.load(data, "x")
    assert image.size == (161, 121) and image.info["full_size"] == (321, 241)
    half = np.asarray(picture(321, 241).resize((161, 121), Image.Resampling.BOX)).astype(int)
    assert np.abs(decode(data) - half).mean() < 5
    assert decoding.load(data, "x", at_least=50).size == (81, 61)
    with pytest.raises(BadImage, match="too large: 321x241 pixels, the limit is 77,360; save it smaller"):
        decode(encoded(picture(321, 241), "PNG"))
    monkeypatch.setattr(decoding, "MAX_PIXELS", 321 * 241 // 5)
    with pytest.raises(BadImage, match="too large") as error:
        decode(data)
    assert error.value.kind == "bomb"


def test_a_phone_photograph_of_108_million_pixels_is_read():
    data = encoded(Image.new("L", (12_000, 9_000), 90), quality=30)
    assert decode(data).shape == (4_500, 6_000, 3)


def with_chunk(data, kind, body, *, spoilt=False):
    """Put a chunk behind the header of a PNG."""
    checksum = zlib.crc32(kind + body) ^ spoilt
    return data[:33] + struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum) + data[33:]


@pytest.mark.parametrize(
    "kind, body, spoilt",
    [
        (b"tEXt", b"a\0b", True),
        (b"prVt", b"abc", True),
        (b"gAMA", b"\0\1\x86\xa0", True),
        (b"zTXt", b"a\0\0" + zlib.compress(bytes(3 << 20)), False),
        (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3 << 20)), False),
        (b"iCCP", b"a\0\0" + zlib.compress(bytes(3 << 20)), False),
    ],
)
def test_a_chunk_beside_the_picture_does_not_cost_the_picture(kind, body, spoilt):
    data = with_chunk(encoded(picture(), "PNG"), kind, body, spoilt=spoilt)
    np.testing.assert_array_equal(decode(data), np.asarray(picture()))
    assert "ignored" in decoding.load(data, "x").info["mended"]


def test_a_spoilt_picture_is_not_mended():
    data = bytearray(encoded(picture(), "PNG"))
    at = data.index(b"IDAT")
    data[at + 40] ^= 1
    with pytest.raises(BadImage):
        decode(bytes(data))
    assert png.without_spoilt(encoded(picture(), "PNG")) is None


def png_of(pixels, packed, *, interlaced=0):
    """A PNG of colours whose chunk IDAT holds `packed`."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, interlaced))]
    chunks += [(b"IDAT", packed), (b"IEND", b"")]
    whole = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return png.SIGNATURE + b"".join(whole)


def rows_of(pixels) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def test_a_small_png_that_unpacks_to_very_much_is_unpacked_only_as_far_as_its_rows_go():
    pixels = np.asarray(picture(16, 12))
    data = png_of(pixels, zlib.compress(rows_of(pixels) + bytes(200 << 20), 1))
    np.testing.assert_array_equal(decode(data), pixels)
    tracemalloc.start()
    assert png.damage(data) == ""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(data) > 800_000 and peak < 3 << 20


def seven_passes(pixels) -> bytes:
    """The rows of an interlaced PNG, pixel by pixel after the pattern in the standard (section 8.1)."""
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    wanted = np.array([[int(digit) for digit in row] for row in pattern])
    number = np.tile(wanted, (5, 5))[: len(pixels), : pixels.shape[1]]
    passes = [[row[own] for row, own in zip(pixels, number == one, strict=True)] for one in range(1, 8)]
    return b"".join(rows_of([row for row in rows if len(row)]) for rows in passes)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 5), (4, 4), (5, 3), (8, 8), (33, 17)])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_missing_pixels_are_noticed_in_interlaced_files_too(size, interlaced):
    pixels = np.asarray(picture(*size))
    rows = seven_passes(pixels) if interlaced else rows_of(pixels)
    packed = zlib.compress(rows)
    np.testing.assert_array_equal(decode(png_of(pixels, packed, interlaced=interlaced)), pixels)
    assert png.damage(png_of(pixels, packed, interlaced=interlaced)) == ""
    assert png.damage(png_of(pixels, packed[:-4], interlaced=interlaced)) == png.NO_END
    lacking = png_of(pixels, zlib.compress(rows[:-1]), interlaced=interlaced)
    assert png.damage(lacking) == "pixels are missing in the file"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_pixels_that_fill_whole_pieces_are_counted_to_the_last(monkeypatch, more):
    pixels = np.zeros((64, 21, 3), np.uint8)  # 64 rows of 64 bytes
    monkeypatch.setattr(png, "PIECE", 1024)
    found = png.damage(png_of(pixels, zlib.compress(rows_of(pixels)[: 4096 + more] + bytes(max(0, more)))))
    assert found == ("pixels are missing in the file" if more < 0 else "")
