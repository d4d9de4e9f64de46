"""kfg.data.decode again, in TensorFlow ops only, so that an exported model reads files by itself."""

import tensorflow as tf

from kfg.data.decode import SNIFF_BYTES, load, orientation, sniff

KEYED = ((2, 0), (4, 0), (16, 2))  # bits and colour type of a PNG whose one transparent colour Pillow rescales


def decode(encoded):
    """Decode one JPEG, PNG, GIF (first frame) or BMP as `kfg.data.decode` does, with TensorFlow ops only.

    Transparent pixels are laid on white, EXIF rotation of a JPEG or PNG is applied. The accurate DCT is Pillow's
    default; TensorFlow's own default is off by up to 5 levels on real photographs, this one by none.
    Not alike: CMYK JPEG; BMP with a palette; a PNG that names one colour as transparent and has 2 or 4 bits of grey,
    or 3 x 16 bits, where Pillow compares that colour with levels it has rescaled; an orientation in text or in XMP.

    Args:
        encoded: scalar string tensor.
    Returns:
        uint8 (H, W, 3).
    """
    is_png = tf.strings.substr(encoded, 0, 4) == b"\x89PNG"
    is_jpeg = tf.strings.substr(encoded, 0, 2) == b"\xff\xd8"
    return tf.case(
        [
            (is_png, lambda: upright(_decode_png(encoded), png_orientation(encoded))),
            (
                is_jpeg,
                lambda: upright(
                    tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"), exif_orientation(encoded)
                ),
            ),
        ],
        default=lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )


def known_difference(encoded: bytes) -> str:
    """Return why a file that kfg can read comes out otherwise here, as `decode` lists it; "" where it does not.

    Example:
        >>> known_difference(b"RIFF????WEBP")
        'WEBP'
    """
    format = sniff(encoded[:SNIFF_BYTES])
    if format in ("WEBP", "TIFF"):
        return format
    image = load(encoded, "image bytes")
    if image.mode == "CMYK":
        return "CMYK"
    if format == "BMP" and image.mode == "P":
        return "BMP with a palette"
    if format == "PNG" and "transparency" in image.info and tuple(encoded[24:26]) in KEYED:
        return "transparent colour"
    turn = {"JPEG": exif_orientation, "PNG": png_orientation}.get(format, lambda _: 1)(tf.constant(encoded))
    return "" if int(turn) == orientation(image) else "orientation in text"  # Pillow reads that of text and XMP too


def _decode_png(encoded):
    rgba = tf.cast(tf.io.decode_png(encoded, channels=4), tf.int32)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    # an image of b < 8 bits without alpha gets one of 2 ** b - 1 from TensorFlow 2.21, not of 255
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8), tf.int32)[0]
    alpha = tf.where(tf.reduce_all(alpha == tf.bitwise.left_shift(1, bits) - 1), 255, alpha)
    return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def png_orientation(encoded):
    """Read the EXIF orientation of a PNG, as `exif_orientation` does: from the chunk eXIf, wherever it stands.

    Source: PNG, third edition (W3C), sections 5.3 and 11.3.3.6.
    """
    size = tf.strings.length(encoded)

    def length(at):
        digits = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, at, 4), tf.uint8), tf.int32)
        return tf.reduce_sum(digits * tf.constant([1 << 24, 1 << 16, 1 << 8, 1]))

    def other(at):
        return (at + 12 <= size) & (tf.strings.substr(encoded, tf.minimum(at + 4, size - 4), 4) != b"eXIf")

    # a length beyond the file, or below 0 where it overflows, ends the walk
    beyond = lambda at: (length(at) < 0) | (length(at) > size)  # noqa: E731
    (at,) = tf.while_loop(other, lambda at: (tf.where(beyond(at), size, at + 12 + length(at)),), (tf.constant(8),))
    found = at + 12 <= size
    data = tf.cond(found, lambda: tf.strings.substr(encoded, at + 8, length(at)), lambda: tf.constant(b""))
    return _orientation(data, tf.constant(0))


def exif_orientation(encoded):
    """Read the EXIF orientation of a JPEG, 1 to 8, with TensorFlow ops; 1 where there is none.

    Args:
        encoded: scalar string tensor.
    Returns:
        int32 scalar.
    Source: EXIF 2.3 (JEITA CP-3451C), section 4.5: tag 0x0112 of the first directory.
    """
    head = tf.strings.substr(encoded, 0, 65536)
    values = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    values = tf.concat([values, tf.zeros(6, tf.int32)], axis=0)
    mark = tf.constant(list(b"Exif\0\0"), tf.int32)
    windows = tf.stack([values[i : tf.size(values) - 6 + i] for i in range(6)], axis=-1)
    found = tf.where(tf.reduce_all(windows == mark, axis=-1))
    start = tf.cond(tf.size(found) > 0, lambda: tf.cast(found[0, 0], tf.int32) + 6, lambda: tf.strings.length(head))
    return _orientation(head, start)


def _orientation(encoded, start):
    """Read the orientation from the EXIF block that begins at `start`; 1 where there is none."""
    head = tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int32)
    head = tf.concat([head, tf.zeros(16, tf.int32)], axis=0)  # reads past the end find zeros
    last = tf.size(head) - 1
    little = tf.gather(head, start) == ord("I")

    def number(at, size):
        digits = tf.gather(head, tf.clip_by_value(at + tf.range(size), 0, last))
        digits = tf.where(little, tf.reverse(digits, [0]), digits)
        return tf.reduce_sum(digits * tf.constant([256**i for i in reversed(range(size))], tf.int32))

    directory = start + number(start + 4, 4)
    entries = directory + 2 + 12 * tf.range(tf.minimum(number(directory, 2), 64))
    tags = tf.map_fn(lambda at: number(at, 2), entries)
    hit = tf.where(tags == 0x0112)
    value = tf.cond(
        tf.size(hit) > 0, lambda: number(tf.gather(entries, tf.cast(hit[0, 0], tf.int32)) + 8, 2), lambda: 1
    )
    return tf.where((value >= 1) & (value <= 8), value, 1)


def upright(image, orientation):
    """Undo an EXIF orientation: 2 mirrored, 3 upside down, ... 8 turned right."""
    transposed = lambda: tf.transpose(image, (1, 0, 2))  # noqa: E731
    return tf.switch_case(
        orientation - 1,
        [
            lambda: image,
            lambda: image[:, ::-1],
            lambda: image[::-1, ::-1],
            lambda: image[::-1],
            transposed,
            lambda: transposed()[:, ::-1],
            lambda: transposed()[::-1, ::-1],
            lambda: transposed()[::-1],
        ],
    )
