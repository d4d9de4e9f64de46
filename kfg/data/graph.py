"""kfg.data.decode again, in TensorFlow ops only, so that an exported model reads files by itself."""

import tensorflow as tf


def decode(encoded):
    """Decode one JPEG, PNG, GIF (first frame) or BMP as `kfg.data.decode` does, with TensorFlow ops only.

    Transparent pixels are laid on white, EXIF rotation of a JPEG is applied. The accurate DCT is Pillow's
    default; TensorFlow's own default is off by up to 5 levels on real photographs, this one by none.
    Not alike: CMYK JPEG, and greyscale PNG of fewer than 8 bits, which TensorFlow 2.21 does not expand.

    Args:
        encoded: scalar string tensor.
    Returns:
        uint8 (H, W, 3).
    """
    is_png = tf.strings.substr(encoded, 0, 4) == b"\x89PNG"
    is_jpeg = tf.strings.substr(encoded, 0, 2) == b"\xff\xd8"
    return tf.case(
        [
            (is_png, lambda: _on_white(tf.io.decode_png(encoded, channels=4))),
            (
                is_jpeg,
                lambda: upright(
                    tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"), exif_orientation(encoded)
                ),
            ),
        ],
        default=lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )


def _on_white(rgba):
    rgba = tf.cast(rgba, tf.int32)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def exif_orientation(encoded):
    """Read the EXIF orientation of a JPEG, 1 to 8, with TensorFlow ops; 1 where there is none.

    Args:
        encoded: scalar string tensor.
    Returns:
        int32 scalar.
    Source: EXIF 2.3 (JEITA CP-3451C), section 4.5: tag 0x0112 of the first directory.
    """
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 0, 65536), tf.uint8), tf.int32)
    head = tf.concat([head, tf.zeros(16, tf.int32)], axis=0)  # reads past the end find zeros
    last = tf.size(head) - 1
    mark = tf.constant(list(b"Exif\0\0"), tf.int32)
    windows = tf.stack([head[i : tf.size(head) - 6 + i] for i in range(6)], axis=-1)
    found = tf.where(tf.reduce_all(windows == mark, axis=-1))
    start = tf.cond(tf.size(found) > 0, lambda: tf.cast(found[0, 0], tf.int32) + 6, lambda: last)
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
