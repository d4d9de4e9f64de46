"""Every supported file -> the pixels worked out by hand; every broken file -> one line that names it."""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kfg.data import decode as decoding
from kfg.data import formats
from kfg.data.bad_image import BadImage
from kfg.data.decode import decode
from kfg.data.to_rgb import has_alpha, on_white
from kfg.errors import InputError

BEST = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def encoded(image, format, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def picture(height=12, width=20, seed=0):
    """A smooth coloured picture: lossy formats keep it within a few levels."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "format, tolerance",
    [
        ("PNG", 0),
        ("BMP", 0),
        ("TIFF", 0),
        ("JPEG", 12),
        ("WEBP", 0),
        ("GIF", 24),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bin"])
def test_formats_are_told_by_content_not_suffix(tmp_path, format, tolerance, suffix):
    image = picture()
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encoded(image, format, **BEST.get(format, {})))
    pixels = decode(path)
    assert pixels.dtype == np.uint8 and pixels.shape == (12, 20, 3) and pixels.flags.writeable
    assert np.abs(pixels.astype(int) - np.asarray(image)).max() <= tolerance
    np.testing.assert_array_equal(decode(path.read_bytes()), pixels)


def test_first_frame_of_a_gif():
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert (decode(data) == (255, 0, 0)).all()


@pytest.mark.parametrize(
    "mode, value, wanted",
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (100, 0), (255, 255, 255)),
        ("LA", (100, 255), (100, 100, 100)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (0, 255, 100, 128), (127, 255, 177)),  # (c * 128 + 255 * 127 + 127) // 255
        ("I;16", 0x52FF, (0x52, 0x52, 0x52)),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_modes(mode, value, wanted, format):
    assert (decode(encoded(Image.new(mode, (3, 2), value), format)) == wanted).all()


def test_palette_with_a_transparent_entry_is_laid_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    assert decode(encoded(image, "PNG")).tolist() == [[[255, 0, 0], [0, 0, 200]]]
    assert decode(encoded(image, "PNG", transparency=1)).tolist() == [[[255, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "I;16"])
def test_texts_in_a_png_are_no_notes_of_ours(mode):
    deep = Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20))
    image = deep if mode == "I;16" else picture().convert(mode)
    plain = encoded(image, "PNG")
    texts = PngImagePlugin.PngInfo()
    for name in ("transparency", "depth", "mended", "opaque", "mode", "full_size"):
        texts.add_text(name, "7")
    before = encoded(image, "PNG", pnginfo=texts)
    chunks = before[before.index(b"tEXt") - 4 : before.index(b"IDAT") - 4]
    behind = plain[:-12] + chunks + plain[-12:]
    names = ["depth", "opaque", "mode", "full_size"]
    names += ["mended"] if mode != "P" else []  # Pillow applies such a text to a palette, so the file has to be mended
    for data in (before, behind):
        np.testing.assert_array_equal(decode(data), decode(plain))
        found, wanted = decoding.load(data, "x"), decoding.load(plain, "x")
        assert [found.info[name] for name in names] == [wanted.info[name] for name in names]
        assert not has_alpha(found)


def test_on_white_is_exact_for_every_colour_and_alpha():
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    rgba = np.stack([colour, colour, colour, alpha], axis=-1).astype(np.uint8)
    exact = np.floor((colour * alpha + 255 * (255 - alpha)) / 255 + 0.5 - 1e-9)  # a half cannot occur: 255 is odd
    np.testing.assert_array_equal(on_white(Image.fromarray(rgba))[..., 0], exact)


def test_on_white_goes_in_strips_that_leave_no_seam(monkeypatch):
    rgba = np.random.default_rng(0).integers(0, 256, (2000, 1000, 4), dtype=np.uint8)
    image = Image.fromarray(rgba)
    tracemalloc.start()
    out = on_white(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * rgba.nbytes  # all at once took 12 times
    monkeypatch.setattr("kfg.data.to_rgb.STRIP_PIXELS", 10**9)
    np.testing.assert_array_equal(out, on_white(image))


def sixteen_bit_png(rgb):
    """A 16-bit RGB PNG, written by hand because Pillow cannot."""
    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour_keeps_the_high_byte():
    rgb = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    data = sixteen_bit_png(rgb)
    np.testing.assert_array_equal(decode(data), rgb >> 8)
    assert decoding.load(data, "x").info["depth"] == 16
    assert decoding.load(encoded(picture(), "BMP"), "x").info["depth"] == 0


def test_cmyk_jpeg_shows_the_colours_it_was_made_from():
    image = Image.new("RGB", (32, 32), (200, 120, 40))
    data = encoded(image.convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    assert np.abs(decode(data).astype(int) - (200, 120, 40)).max() <= 4


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_orientation_is_undone(format, orientation):
    # The EXIF standard: which corner of the scene is the stored top left, and whether rows and columns swap.
    upright = np.asarray(picture(16, 24))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, **BEST.get(format, {})))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= (12 if format == "JPEG" else 0)


def test_broken_exif_does_not_spoil_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(encoded(picture(), "JPEG", exif=exif))
    at = data.index(b"Exif\0\0") + 6
    data[at : at + 8] = b"\xff" * 8
    assert decode(bytes(data)).shape == (12, 20, 3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_cut_file_is_called_truncated_and_a_whole_one_is_not(tmp_path, format):
    data = encoded(picture(40, 60), format)
    path = tmp_path / "cut.jpg"
    for length in (len(data) // 4, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:length])
        with pytest.raises(InputError) as error:
            decode(path)
        assert error.value.kind == "truncated" and str(error.value).startswith(f"{path}: truncated")
    assert decode(data).shape == (40, 60, 3)


@pytest.mark.filterwarnings("ignore")  # Pillow's remarks on the damage
@pytest.mark.parametrize(
    "format",
    [
        "JPEG",
        "PNG",
        "GIF",
        "BMP",
        "WEBP",
        "TIFF",
        "PPM",
        "TGA",
        "ICO",
        "JPEG2000",
        "PCX",
        "DDS",
        "SGI",
    ],
)
def test_flipped_bytes_give_pixels_or_a_bad_image_and_nothing_else(format):
    rng = np.random.default_rng(0)
    data = np.frombuffer(encoded(picture(), format), np.uint8)
    kinds = set()
    for _ in range(300):
        damaged = data.copy()
        damaged[rng.integers(0, min(900, len(data)), 4)] = rng.integers(0, 256, 4)
        try:
            decode(damaged.tobytes())
        except BadImage as error:
            kinds.add(error.kind)
    assert kinds & {"undecodable", "truncated"}


@pytest.mark.parametrize("text", ["BM", "BMI by country\n", "BMX races of 2019, by rider", "BM" + "\n" * 60])
def test_a_text_that_starts_like_a_bmp_is_none(text):
    assert formats.sniff(text.encode()[: formats.SNIFF_BYTES]) == ""
    assert formats.sniff(encoded(picture(), "BMP")[: formats.SNIFF_BYTES]) == "BMP"


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("From: somebody")
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    os.symlink("loop.jpg", tmp_path / "loop.jpg")
    (tmp_path / "float.tif").write_bytes(encoded(Image.new("F", (2, 2)), "TIFF"))
    wanted = {
        "a": ("not-an-image", "not an image"),
        "empty": ("truncated", "truncated: the file is empty"),
        "pipe": ("not-an-image", "not a file"),
        "gone": ("missing", "no such file"),
    }
    for name, (kind, reason) in wanted.items():
        path = tmp_path / f"{name}.jpg"
        with pytest.raises(BadImage) as error:
            decode(path)
        assert (error.value.kind, str(error.value)) == (kind, f"{path}: {reason}")
    with pytest.raises(BadImage, match=r"loop\.jpg: "):
        decode(tmp_path / "loop.jpg")
    with pytest.raises(BadImage, match=r"float\.tif: cannot be decoded: its pixels are 32-bit floating-point"):
        decode(tmp_path / "float.tif")
    with pytest.raises(BadImage, match="image bytes: not an image"):
        decode(b"From: somebody")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "secret.jpg"
    path.write_bytes(encoded(picture(), "JPEG"))
    path.chmod(0)
    with pytest.raises(BadImage, match=r"secret\.jpg: Permission denied"):
        decode(path)


def test_a_decompression_bomb_is_refused_by_its_header(monkeypatch):
    data = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    for width, height in ((20_000, 4_001), (60_000, 60_000)):  # over kfg's limit; over Pillow's own
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        with pytest.raises(BadImage, match="too large") as error:
            decode(bytes(data))
        assert error.value.kind == "bomb"
    monkeypatch.setattr(decoding, "MAX_PIXELS", 239)
    with pytest.raises(BadImage, match="too large: 20x12 pixels, the limit is 239"):
        decode(encoded(picture(), "PNG"))


def test_a_jpeg_read_small_keeps_its_size_in_the_notes_and_still_meets_a_cut():
    data = encoded(picture(400, 640), "JPEG")
    image = decoding.load(data, "x", at_least=100)
    assert image.size == (160, 100) and image.info["full_size"] == (640, 400)
    with pytest.raises(BadImage, match="truncated"):
        decoding.load(data[: len(data) * 3 // 4], "x", at_least=100)
