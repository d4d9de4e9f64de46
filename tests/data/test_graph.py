"""Decoding inside the graph against Pillow's, pixel by pixel."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kfg.data import graph
from kfg.data.decode import decode

in_graph = tf.function(graph.decode, input_signature=[tf.TensorSpec((), tf.string)])


def picture(mode="RGB"):
    noise = np.random.default_rng(0).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    return Image.fromarray(noise, "RGBA").resize((36, 24)).convert(mode)


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format, mode", [
    ("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "L"), ("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "P"),
    ("GIF", "P"), ("BMP", "RGB"),
])  # fmt: skip
def test_graph_and_pillow_give_the_same_pixels(format, mode):
    data = encoded(picture(mode), format)
    np.testing.assert_array_equal(in_graph(data), decode(data))


def test_sixteen_bit_png_gives_the_same_pixels():
    levels = np.random.default_rng(0).integers(0, 65536, (5, 7), dtype=np.uint16)
    data = encoded(Image.fromarray(levels), "PNG")
    np.testing.assert_array_equal(in_graph(data), decode(data))
    np.testing.assert_array_equal(in_graph(data)[..., 0], levels >> 8)


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
    assert int(graph.exif_orientation(data)) == orientation


def test_no_damaged_or_foreign_exif_turns_an_image():
    assert int(graph.exif_orientation(encoded(picture(), "JPEG"))) == 1
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(), "JPEG", exif=exif.tobytes())
    start = data.index(b"Exif\0\0") + 6
    for broken in (data[:start] + b"II*\0\xff\xff\xff\xff" + data[start + 8 :], data[: start + 3]):
        assert int(graph.exif_orientation(broken)) == 1
    assert int(graph.exif_orientation(b"")) == 1
