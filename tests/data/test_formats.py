"""Every format that kfg reads is told by its content; what it does not read is called what it is."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, foreign, formats, remarks
from kfg.data import decode as decoding
from kfg.data.bad_image import BadImage
from kfg.data.decode import decode
from kfg.data.exif import orientation, taken
from kfg.data.to_rgb import to_rgb


def encoded(image, format, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def picture(width=32, height=24):
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def psd(image):
    """A Photoshop document without layers: Pillow writes none."""
    planes = np.asarray(image).transpose(2, 0, 1).tobytes()
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, image.height, image.width, 8, 3)
    return head + struct.pack(">IIIH", 0, 0, 0, 0) + planes


XPM = b'/* XPM */\nstatic char *p[] = {\n"2 1 2 1",\n"a c #ff0000",\n"b c #0000ff",\n"ab"};\n'
SUN = struct.pack(">8I", 0x59A66A95, 32, 24, 24, 24 * 96, 1, 0, 0)


@pytest.mark.parametrize(
    "format, suffix, options, tolerance",
    [
        ("PPM", ".ppm", {}, 0),
        ("TGA", ".tga", {}, 0),
        ("TGA", ".tga", {"compression": "tga_rle"}, 0),
        ("JPEG2000", ".jp2", {}, 0),
        ("JPEG2000", ".j2k", {"no_jp2": True}, 0),
        ("ICO", ".ico", {"sizes": [(32, 24)]}, 0),
        ("PCX", ".pcx", {}, 0),
        ("DDS", ".dds", {}, 0),
        ("SGI", ".rgb", {}, 0),
        pytest.param(
            "AVIF",
            ".avif",
            {"quality": 100},
            12,
            marks=pytest.mark.skipif(not formats.READS_AVIF, reason="this Pillow reads no AVIF"),
        ),
    ],
)
def test_what_pillow_reads_is_read_whatever_its_name(tmp_path, format, suffix, options, tolerance):
    data = encoded(picture(), format, **options)
    assert formats.sniff(data[: formats.SNIFF_BYTES]) == format
    for name in (f"right{suffix}", "wrong.jpg", "none"):
        (tmp_path / name).write_bytes(data)
        assert np.abs(decode(tmp_path / name).astype(int) - np.asarray(picture())).max() <= tolerance
    assert suffix in (formats.FORMATS | formats.BY_CONTENT)[format]


def test_formats_that_pillow_reads_but_does_not_write():
    np.testing.assert_array_equal(decode(psd(picture())), np.asarray(picture()))
    assert decode(XPM).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    np.testing.assert_array_equal(decode(SUN + np.asarray(picture())[..., ::-1].tobytes()), np.asarray(picture()))


def test_grey_and_black_and_white_of_the_same_families():
    grey = picture().convert("L")
    for data in (encoded(grey, "PPM"), encoded(grey, "TGA"), b"P2 2 2 255\n0 50\n100 200\n", b"P5 # x\n1 1 255\n\x07"):
        pixels = decode(data)
        assert pixels.shape[2] == 3 and (pixels[..., :1] == pixels).all()
    assert decode(b"P2 2 2 255\n0 50\n100 200\n")[..., 0].tolist() == [[0, 50], [100, 200]]
    assert decode(b"P1 2 1\n1 0\n")[..., 0].tolist() == [[0, 255]]  # 1 is black


@pytest.mark.parametrize(
    "text",
    [
        "P5 is the best",
        "P6: 3 of 4",
        "P3\n",
        "\n\5",
        "icon of the day",
        "#define WIDTH 3",
        "/* a comment */",
        "BM 12345",
    ],
)
def test_a_text_that_starts_like_a_picture_is_none(text):
    assert formats.sniff(text.encode()) == ""


def test_hardly_any_bytes_are_taken_for_a_tga():
    rng = np.random.default_rng(0)
    assert not any(formats.sniff(rng.integers(0, 256, 64, dtype=np.uint8).tobytes()) for _ in range(20_000))
    assert formats.sniff(bytes(64)) == ""


def ftyp(brand, *more):
    return struct.pack(">I", 16 + 4 * len(more)) + b"ftyp" + brand + b"\0\0\0\0" + b"".join(more) + bytes(99)


@pytest.mark.parametrize(
    "data, suffix, said",
    [
        (
            b"\0\0\0\x0cJXL \r\n\x87\n",
            ".jpg",
            "a JPEG XL picture named .jpg, which kfg does not read; convert it to JPEG",
        ),
        (ftyp(b"crx "), ".cr3", "a raw photograph of a camera, which kfg does not read; convert it to JPEG"),
        (b"<svg xmlns='x'/>", ".png", "an SVG drawing named .png, which kfg does not read; convert it to PNG"),
        (
            b"\xef\xbb\xbf<?xml version=''>\n<svg/>",
            ".svg",
            "an SVG drawing, which kfg does not read; convert it to PNG",
        ),
        (b"\n<!DOCTYPE HTML><p>403 Forbidden", ".jpg", "not an image but a web page (HTML) named .jpg"),
        (b"%PDF-1.4", ".jpg", "not an image but a PDF document named .jpg"),
        (b"PK\3\4 and so on", ".jpeg", "not an image but a ZIP archive named .jpeg"),
        (bytes(128) + b"DICM", ".dcm", "a DICOM picture, which kfg does not read; convert it to JPEG"),
        (b"\x93NUMPY\1\0", ".npy", "a NumPy array, which kfg does not read; convert it to JPEG"),
        (ftyp(b"isom", b"mp42"), ".jpg", "a video named .jpg, which kfg does not read; save its frames as JPEG"),
        (b'{"error": 429}', ".png", "not an image but a JSON file named .png"),
        (b"\n" + b"\xff\xd8\xff\xe0" + bytes(30), ".jpg", "not an image, although a JPEG seems to start at byte 1"),
        (b"From: somebody", ".jpg", "not an image"),
    ],
)
def test_what_is_not_read_is_called_what_it_is(tmp_path, data, suffix, said):
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(data)
    with pytest.raises(BadImage) as error:
        decode(path)
    assert error.value.kind == "not-an-image" and str(error.value) == f"{path}: {said}"
    with pytest.raises(BadImage, match="image bytes: "):
        decode(data)


def test_every_unread_suffix_has_a_name_that_reads_well():
    for suffix, name in foreign.UNREAD.items():
        said = foreign.refusal(b"?", suffix)
        assert said.startswith(("a ", "an ")) and name in said and "convert" in said.lower()
        assert suffix not in {one for suffixes in formats.FORMATS.values() for one in suffixes}


EXTRA = "kfg reads HEIC and AVIF photographs with its extra heic (pip install pillow-heif 'pillow>=11.3')"


@pytest.mark.parametrize("kind, brands", [("HEIC", (b"mif1", b"heic")), ("HEIC", (b"heix",)), ("AVIF", (b"avif",))])
def test_without_the_extra_a_heic_or_avif_is_answered_with_its_name(monkeypatch, kind, brands):
    monkeypatch.setattr(formats, f"READS_{kind}", False)
    data = ftyp(*brands)
    with pytest.raises(BadImage) as error:
        decode(data)
    assert str(error.value) == f"image bytes: an {kind} photograph; {EXTRA}, or convert it to JPEG"
    assert foreign.refusal(data, ".jpg").startswith(f"an {kind} photograph named .jpg; kfg reads")


def test_heic_files_that_are_passed_over_are_said_with_the_extra(monkeypatch):
    monkeypatch.setitem(foreign.UNREAD, ".heic", foreign.HEIC)
    said = remarks.remark([("a/1.HEIC", "unsupported"), ("a/2.heic", "unsupported")])
    assert said == f"not used: 2 .heic files, which kfg does not read (a/1.HEIC; {EXTRA})"
    assert "extra" not in remarks.remark([("a/1.jxl", "unsupported")])


needs_heif = pytest.mark.skipif(not formats.READS_HEIC, reason="the extra heic (pillow-heif) is not installed")


def heic(image=None, **options) -> bytes:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(image or picture(256, 192)).save(file, quality=95, **options)
    return file.getvalue()


@needs_heif
def test_heic_of_a_phone_is_read_whatever_its_name_and_turned_upright(tmp_path):
    data = heic()
    assert formats.sniff(data[: formats.SNIFF_BYTES]) == "HEIF"
    for name in ("IMG_1.HEIC", "photo.heif", "wrong.jpg", "none"):
        (tmp_path / name).write_bytes(data)
        assert np.abs(decode(tmp_path / name).astype(int) - np.asarray(picture(256, 192))).mean() < 4
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Apple"  # held upright: the sensor's picture is turned by 90 degrees
    turned = heic(exif=exif.tobytes())
    assert np.abs(decode(turned).astype(int) - np.rot90(np.asarray(picture(256, 192)), -1)).mean() < 4
    image = decoding.load(turned, "IMG_1.HEIC")
    assert orientation(image) == 1 and taken(image)[0] == "Apple"  # turned once, not twice


@needs_heif
def test_a_heic_that_is_cut_or_damaged_is_said_so():
    data = heic()
    for cut in (30, 200, len(data) // 2, len(data) - 20):
        with pytest.raises(BadImage, match=f"image bytes: truncated: ends after {cut:,} bytes"):
            decode(data[:cut])
    with pytest.raises(BadImage, match="image bytes: cannot be decoded as HEIF"):
        decode(data[:60] + bytes(100) + data[160:])


@needs_heif
def test_a_folder_of_heic_photographs_is_audited_and_listed(tmp_path):
    rng = np.random.default_rng(0)
    for path in ("cat/1.HEIC", "cat/2.heif", "dog/1.HEIC", "dog/2.HEIC"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8))
        (tmp_path / path).write_bytes(heic(coarse.resize((96, 64))))
    found = audit.audit(tmp_path)
    assert found.images == 4 and found.classes == {"cat": 2, "dog": 2}
    assert {one.kind for one in found.findings} <= {"too-few-images", "few-images"}


def test_the_first_picture_of_a_cameras_mpo_is_read(tmp_path):
    first, second = picture(), picture().transpose(Image.Transpose.ROTATE_180)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert decoding.load(data, "x").format == "MPO"
    for name in ("DSC1.MPO", "DSC1.JPG"):
        (tmp_path / name).write_bytes(data)
        assert np.abs(decode(tmp_path / name).astype(int) - np.asarray(first)).mean() < 4


def test_raw_photographs_are_not_read_as_the_small_preview_they_begin_with(tmp_path):
    preview = encoded(picture(), "TIFF")
    (tmp_path / "camera.NEF").write_bytes(preview)
    with pytest.raises(BadImage, match=r"camera\.NEF: a raw photograph of a camera, which kfg does not read"):
        decode(tmp_path / "camera.NEF")
    with pytest.raises(BadImage, match="a raw photograph of a camera"):
        decode(encoded(picture(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}))  # DNGVersion
    assert decode(preview).shape == (24, 32, 3)


DAMAGED = {
    "png": encoded(picture(), "PNG")[:8] + bytes(60),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff;",
    "jpg": b"\xff\xd8\xff\xd9" + bytes(20),
    "ico": encoded(picture(), "ICO")[:22] + bytes(400),
    "tif": b"II*\0" + bytes(40),
    "avif": ftyp(b"avif"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_no_error_shows_an_address_or_what_only_pillow_understands(kind):
    with pytest.raises(BadImage) as error:
        decode(DAMAGED[kind])
    for word in ("0x", "<", "BytesIO", "driver", "MAX_TEXT_CHUNK"):
        assert word not in str(error.value)
    assert len(str(error.value)) > 30 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "P",
        "PA",
        "LA",
        "La",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
        "I",
        "F",
        "I;16",
    ],
)
def test_every_mode_of_pillow_is_rgb_or_a_bad_image(mode):
    image = Image.new(mode, (3, 2))
    try:
        pixels = to_rgb(image, "x.tif")
    except BadImage as error:
        assert mode in ("I", "F", "I;16") and str(error).startswith("x.tif: cannot be decoded")
    else:
        assert pixels.shape == (2, 3, 3) and pixels.dtype == np.uint8


def test_premultiplied_grey_is_laid_on_white():
    image = Image.merge("LA", (Image.new("L", (4, 4), 120), Image.new("L", (4, 4), 128))).convert("La")
    assert (to_rgb(image) == 187).all()  # 120 at half strength on white


@pytest.mark.parametrize("format", ["BMP", "TGA"])
def test_an_alpha_of_zero_everywhere_is_passed_over_where_the_format_often_leaves_it_unset(format):
    hidden = picture().convert("RGBA")
    hidden.putalpha(0)
    data = encoded(hidden, format)
    if format == "BMP":  # Pillow writes no BMP with alpha: version 5 of the header says that there is one
        rows = np.asarray(hidden)[::-1, :, [2, 1, 0, 3]].tobytes()
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        head = struct.pack("<IiiHHIIiiII", 124, 32, 24, 1, 32, 3, len(rows), 0, 0, 0, 0) + masks
        data = b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + head.ljust(124, b"\0") + rows
    np.testing.assert_array_equal(decode(data), np.asarray(picture()))
    assert decoding.load(data, "x").info["opaque"]
    assert (decode(encoded(hidden, "PNG")) == 255).all()  # as browsers show it


def test_a_gif_whose_first_frame_is_smaller_has_nothing_around_it():
    data = bytearray(encoded(Image.new("P", (4, 4)), "GIF"))
    data[6:10] = struct.pack("<HH", 10, 8)
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    data[at + 1 : at + 5] = struct.pack("<HH", 5, 3)
    pixels = decode(bytes(data))
    inside = np.zeros((8, 10), bool)
    inside[3:7, 5:9] = True
    assert pixels.shape == (8, 10, 3) and (pixels[~inside] == 255).all() and (pixels[inside] == pixels[3, 5]).all()
    assert (pixels[3, 5] != 255).any()
