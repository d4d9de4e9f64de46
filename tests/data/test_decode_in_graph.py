"""Decoding inside the graph against Pillow's, pixel by pixel."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from kfg.data import decode_in_graph, exif_in_graph, gif, jpeg
from kfg.data.bad_image import BadImage
from kfg.data.decode import decode

in_graph = tf.function(decode_in_graph.decode, input_signature=[tf.TensorSpec((), tf.string)])


def picture(mode="RGB"):
    noise = np.random.default_rng(0).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    return Image.fromarray(noise, "RGBA").resize((36, 24)).convert(mode)


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "format, mode",
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("PNG", "RGB"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("GIF", "P"),
        ("BMP", "RGB"),
    ],
)
def test_graph_and_pillow_give_the_same_pixels(format, mode):
    data = encoded(picture(mode), format)
    np.testing.assert_array_equal(in_graph(data), decode(data))


def test_sixteen_bit_png_gives_the_same_pixels():
    levels = np.random.default_rng(0).integers(0, 65536, (5, 7), dtype=np.uint16)
    data = encoded(Image.fromarray(levels), "PNG")
    np.testing.assert_array_equal(in_graph(data), decode(data))
    np.testing.assert_array_equal(in_graph(data)[..., 0], levels >> 8)


def png(bits, colour_type, *chunks, size=(16, 5), values=None):
    """Write a PNG byte by byte, of random levels or 16-bit `values`; Pillow writes no grey of 2 or 4 bits."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    row = size[0] * bits * channels // 8
    noise = np.random.default_rng(0).integers(0, 256, (size[1], row), dtype=np.uint8)
    if values is not None:
        size, noise = (values.shape[1], len(values)), values.astype(">u2").reshape(len(values), -1)
    head = struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0)
    image = zlib.compress(b"".join(b"\0" + line.tobytes() for line in noise))
    written = [(b"IHDR", head), *chunks, (b"IDAT", image), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in written)


PALETTE = (b"PLTE", bytes(np.random.default_rng(1).integers(0, 256, 48, dtype=np.uint8)))


@pytest.mark.parametrize(
    "bits, colour_type, chunks",
    [
        *((bits, 0, ()) for bits in (1, 2, 4, 8, 16)),
        *((bits, 3, chunks) for bits in (1, 2, 4) for chunks in ((PALETTE,), (PALETTE, (b"tRNS", b"\0\x80")))),
        *((bits, 0, ((b"tRNS", b"\0\1"),)) for bits in (1, 2, 4, 8, 16)),
        (8, 2, ()),
        (16, 2, ()),
        (8, 4, ()),
        (16, 4, ()),
        (8, 6, ()),
        (16, 6, ()),
    ],
)
def test_png_of_every_depth_and_colour_type_gives_the_same_pixels(bits, colour_type, chunks):
    if colour_type == 3:  # as many colours as the bits can name
        chunks = ((b"PLTE", chunks[0][1][: 3 << bits]), *chunks[1:])
    data = png(bits, colour_type, *chunks)
    np.testing.assert_array_equal(in_graph(data), decode(data))
    assert decode(data).std() > 10


XMP = '<x:xmpmeta><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'


def test_kinds_that_come_out_otherwise_are_named():
    assert decode_in_graph.known_difference(encoded(picture("CMYK"), "JPEG")) == "CMYK"
    assert decode_in_graph.known_difference(encoded(picture(), "TIFF")) == "TIFF"
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP)
    turned = encoded(picture(), "PNG", pnginfo=text)
    assert decode_in_graph.known_difference(turned) == "orientation in text"
    assert decode(turned).shape != in_graph(turned).shape
    made_by = Image.Exif()
    made_by[0x010F] = "a camera"
    turned = encoded(picture(), "JPEG", exif=made_by, xmp=XMP.encode())
    assert decode_in_graph.known_difference(turned) == "orientation in text"
    assert decode(turned).shape != in_graph(turned).shape
    few = encoded(picture().convert("P"), "BMP")
    assert decode_in_graph.known_difference(few) == "BMP with a palette"
    assert np.any(decode(few) != np.asarray(in_graph(few)))
    for format in ("GIF", "BMP"):
        data = encoded(picture(), format)
        assert decode_in_graph.known_difference(data) == ""
        np.testing.assert_array_equal(in_graph(data), decode(data))
    exif = Image.Exif()
    exif[0x0112] = 6
    for format in ("JPEG", "PNG"):
        for data in (encoded(picture(), format), encoded(picture(), format, exif=exif)):
            assert decode_in_graph.known_difference(data) == ""
    assert (
        decode_in_graph.known_difference(png(8, 0, (b"tRNS", b"\0\1")))
        == decode_in_graph.known_difference(png(16, 2))
        == ""
    )


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_png_is_turned_as_its_exif_chunk_says(orientation, late):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(), "PNG", exif=exif)
    at = data.index(b"eXIf") - 4
    whole = data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")]
    if late:  # behind the pixels
        data = data.replace(whole, b"")
        data = data[:-12] + whole + data[-12:]
    np.testing.assert_array_equal(in_graph(data), decode(data))
    assert int(exif_in_graph.png_orientation(data)) == orientation
    assert int(exif_in_graph.png_orientation(data.replace(whole, b""))) == 1


@pytest.mark.parametrize("length", [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\xff\xff"])
def test_a_png_chunk_of_a_wrong_length_ends_the_search(length):
    data = encoded(picture(), "PNG")
    assert int(exif_in_graph.png_orientation(data[:8] + length + data[12:])) == 1
    assert int(exif_in_graph.png_orientation(data[:20])) == 1


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation, byte_order):
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F] = "a maker"  # so that the orientation is not the first entry
    exif[0x0112] = orientation
    data = encoded(picture(), "JPEG", exif=exif.tobytes(), quality=95)
    assert (b"MM\0*" in data) == (byte_order == ">")
    np.testing.assert_array_equal(in_graph(data), decode(data))
    assert int(exif_in_graph.jpeg_orientation(data)) == orientation


def exif_block(kind, *, byte_order="<", value=6, count=1):
    """An EXIF segment with one entry, the orientation, in a type of one's choice."""
    mark = b"II*\0" if byte_order == "<" else b"MM\0*"
    number = struct.pack(byte_order + ("H2x" if kind in (3, 8) else "I"), value)
    return b"Exif\0\0" + mark + struct.pack(byte_order + "IHHHI", 8, 1, 0x0112, kind, count) + number + bytes(4)


def segment(body, marker=0xE1):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4, 8, 9])
def test_an_orientation_of_any_type_is_read_wherever_it_stands(kind, byte_order):
    plain = encoded(picture(), "JPEG")
    block = segment(exif_block(kind, byte_order=byte_order))
    far = segment(b"X" * 65000, 0xE2) * 2
    foreign = segment(b"II*\0" + exif_block(3, value=3), 0xFE)  # a comment with the same letters in it
    for before in (b"", far, foreign, b"\xff"):
        data = plain[:2] + before + block + plain[2:]
        assert int(exif_in_graph.jpeg_orientation(data)) == 6
        np.testing.assert_array_equal(in_graph(data), decode(data))
        assert decode_in_graph.known_difference(data) == "" and decode(data).shape == (36, 24, 3)


@pytest.mark.filterwarnings("ignore:Metadata Warning")
@pytest.mark.parametrize("count, shape", [(0, (24, 36, 3)), (2, (36, 24, 3)), (900, (24, 36, 3))])
def test_an_entry_of_several_orientations_is_read_alike(count, shape):
    data = encoded(picture(), "JPEG")
    data = data[:2] + segment(exif_block(3, count=count)) + data[2:]
    np.testing.assert_array_equal(in_graph(data), decode(data))
    assert decode(data).shape == shape


@pytest.mark.parametrize("largest", [255, 1023, 4095, 9000, 65535])
@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
@pytest.mark.parametrize("chunks", [(), ((b"sBIT", b"\x0c\x0c\x0c\x0c"),)])
def test_sixteen_bits_of_which_few_are_used_give_the_same_pixels(largest, colour_type, chunks):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    values = np.random.default_rng(0).integers(0, largest + 1, (5, 8, channels))
    values[0, 0, 0] = largest
    chunks = [(kind, data[:channels]) for kind, data in chunks]
    data = png(16, colour_type, *chunks, values=values.astype(np.uint16))
    np.testing.assert_array_equal(in_graph(data), decode(data))
    assert decode(data).max() >= 15 and decode_in_graph.known_difference(data) == ""


def test_a_jpeg_of_too_many_pixels_comes_out_at_half_its_size_in_both():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 110, 3), dtype=np.uint8))
    data = encoded(noise.resize((11_001, 8_999)), "JPEG", quality=60)
    ours = decode(data)
    assert ours.shape == (4_500, 5_501, 3)
    np.testing.assert_array_equal(in_graph(data), ours)
    assert decode_in_graph.known_difference(data) == ""


def bmp32(alpha):
    """A bitmap with a header of version 5, which says that there is alpha."""
    rgb = np.asarray(picture())
    rows = np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], alpha, np.uint8)])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 36, 24, 1, 32, 3, len(rows), 0, 0, 0, 0)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + head.ljust(124, b"\0") + rows


def small_first_frame():
    data = bytearray(encoded(picture("P"), "GIF"))
    data[6:10] = struct.pack("<HH", 50, 40)
    return bytes(data)


def test_kinds_of_gif_bmp_and_jpeg_that_come_out_otherwise_are_named():
    clear = picture("RGB").quantize(16)
    otherwise = {
        "transparent GIF": encoded(clear, "GIF", transparency=clear.getpixel((3, 3))),
        "GIF with a small first frame": small_first_frame(),
        "BMP with transparent pixels": bmp32(100),
        "BMP in an unusual form": encoded(picture("1"), "BMP"),
        "JPEG without its end mark": encoded(picture(), "JPEG")[:-2],
    }
    for reason, data in otherwise.items():
        assert decode_in_graph.known_difference(data) == reason
        try:
            same = np.array_equal(in_graph(data), decode(data))
        except tf.errors.OpError:
            same = False
        assert not same, reason
    for data in (bmp32(0), bmp32(255), encoded(clear, "GIF"), encoded(picture("L"), "BMP")):
        assert decode_in_graph.known_difference(data) == ""
        np.testing.assert_array_equal(in_graph(data), decode(data))


def scans_cut(data):
    """Return a progressive JPEG without its last scan, but with its end mark."""
    return data[: data.rindex(b"\xff\xda")] + b"\xff\xd9"


def test_damaged_files_of_which_pillow_shows_what_is_left_are_named():
    whole = encoded(picture(), "PNG")
    flat, bmp = encoded(picture("P"), "GIF"), encoded(picture(), "BMP")
    few = encoded(picture().quantize(16), "GIF")
    damaged = {
        "damaged PNG": [
            whole[: whole.index(b"IEND") - 4],
            whole[:-16] + bytes(4) + whole[-12:],
        ],
        "damaged GIF": [flat[:-1] + b"garbage", flat[:-1]],
        "damaged BMP": [bmp + bytes(7)],
        "damaged JPEG": [scans_cut(encoded(picture(), "JPEG", progressive=True))],
    }
    for reason, files in damaged.items():
        for data in files:
            assert decode(data).ndim == 3 and decode_in_graph.known_difference(data) == reason
    for data in (whole, flat, few, bmp, encoded(picture(), "JPEG", progressive=True)):
        assert decode_in_graph.known_difference(data) in ("", "transparent GIF")


def with_header(data, place, value):
    """Return a PNG with another byte in its header, and the checksum that fits."""
    head = data[12:place] + bytes([value]) + data[place + 1 : 29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


def with_packed(data, change):
    """Return a PNG of one IDAT with other packed pixels, and the checksum that fits."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack_from(">I", data, at - 4)
    body = b"IDAT" + change(data[at + 4 : at + 4 + length])
    rest = data[at + 8 + length :]
    return data[: at - 4] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + rest


def test_a_png_whose_header_does_not_fit_is_damaged():
    plain, palette = png(8, 2), encoded(picture("P"), "PNG")
    damaged = [
        with_header(plain, 26, 0x20),  # a way of packing that there is not
        palette.replace(b"PLTE", b"nLTE"),  # no palette any more
        with_packed(plain, lambda packed: packed[:-4]),  # without the checksum of the pixels
    ]
    for data in damaged:
        assert decode(data).ndim == 3 and decode_in_graph.known_difference(data) == "damaged PNG"
        with pytest.raises(tf.errors.OpError):
            in_graph(data)
    same = with_packed(plain, lambda packed: packed)
    assert same == plain and decode_in_graph.known_difference(plain) == ""


def test_a_jpeg_with_marks_where_none_belong_is_damaged():
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 2}):
        plain = encoded(picture(), "JPEG", **options)
        assert decode_in_graph.known_difference(plain) == ""
    plain = encoded(picture(), "JPEG")
    tables = plain.index(b"\xff\xdb")
    damaged = [
        plain[:-40] + b"\xff\xe6" + plain[-38:],  # a note within the compressed picture
        plain[:tables] + b"\x12\x34\x56" + plain[tables:],  # something between the segments
        plain[:4] + b"\0\x07" + plain[6:11] + plain[tables:],  # a first segment that is cut
    ]
    for data in damaged:
        try:
            assert decode_in_graph.known_difference(data) == "damaged JPEG"
        except BadImage:  # Pillow gives up, TensorFlow may not
            assert jpeg.damage(data)
    assert jpeg.damage(encoded(picture(), "JPEG", comment=b"a note", exif=Image.Exif().tobytes())) == ""


def test_a_gif_whose_codes_give_too_few_pixels_is_damaged():
    for image in (picture("P"), picture().quantize(2), picture("P").resize((400, 300)), picture("1").convert("P")):
        data = encoded(image, "GIF")
        assert gif.whole(data) and np.array_equal(in_graph(data), decode(data))
    data = encoded(picture("P"), "GIF")
    at = data.rindex(b",") + 11  # behind the frame's head: least bits, then the first sub-block
    refused = 0
    for place in range(at + 30, at + 90, 20):
        ended_early = data[:place] + bytes(3) + data[place + 3 :]
        try:
            in_graph(ended_early)
        except tf.errors.OpError:
            refused += 1
            assert not gif.whole(ended_early)
    assert refused  # else none was damaged
    assert not any(gif.whole(data[:end]) for end in range(10, len(data)))  # wherever it is cut


def test_a_png_that_says_more_rows_than_it_has_is_damaged():
    data = png(8, 2, size=(16, 6))
    head = data[12:16] + struct.pack(">II", 16, 50) + data[24:29]
    taller = data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    assert decode(taller).shape == (50, 16, 3)
    assert decode_in_graph.known_difference(taller) == "damaged PNG" and decode_in_graph.known_difference(data) == ""


@pytest.mark.parametrize("format", ["PPM", "TGA", "JPEG2000", "ICO", "PCX", "TIFF", "WEBP"])
def test_formats_that_tensorflow_lacks_are_named(format):
    assert decode_in_graph.known_difference(encoded(picture(), format)) == format


def test_no_damaged_or_foreign_exif_turns_an_image():
    assert int(exif_in_graph.jpeg_orientation(encoded(picture(), "JPEG"))) == 1
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(), "JPEG", exif=exif.tobytes())
    start = data.index(b"Exif\0\0") + 6
    for broken in (data[:start] + b"II*\0\xff\xff\xff\xff" + data[start + 8 :], data[: start + 3]):
        assert int(exif_in_graph.jpeg_orientation(broken)) == 1
    assert int(exif_in_graph.jpeg_orientation(b"")) == 1
