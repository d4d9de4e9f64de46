"""Read the EXIF orientation of a JPEG or PNG, and turn pictures upright, with TensorFlow ops only."""

import tensorflow as tf

SOS, APP1 = 0xDA, 0xE1
SIZES = {3: 2, 8: 2, 4: 4, 9: 4, 13: 4, 6: 1}  # number of an EXIF whole-number type -> bytes of a value


def png_orientation(encoded):
    """Read the EXIF orientation of a PNG, 1 to 8, from its chunk eXIf, wherever that stands; 1 if there is none."""
    return _orientation(png_chunk(encoded, b"eXIf"))


def png_chunk(encoded, kind: bytes):
    """Return the data of the first chunk of a kind in a PNG, "" if there is none.

    Args:
        encoded: scalar string tensor, the PNG file.
        kind: the four letters that name the kind of chunk.
    Source: PNG, third edition (W3C), section 5.3.
    """
    size = tf.strings.length(encoded)

    def length(at):
        return _number(tf.strings.substr(encoded, at, 4))

    def other(at):
        return (at + 12 <= size) & (tf.strings.substr(encoded, tf.minimum(at + 4, size - 4), 4) != kind)

    # the search ends at a chunk whose length reaches beyond the file, or is below 0 because it overflows
    beyond = lambda at: (length(at) < 0) | (length(at) > size)  # noqa: E731
    (at,) = tf.while_loop(other, lambda at: (tf.where(beyond(at), size, at + 12 + length(at)),), (tf.constant(8),))
    return tf.cond(at + 12 <= size, lambda: tf.strings.substr(encoded, at + 8, length(at)), lambda: tf.constant(b""))


def jpeg_orientation(encoded):
    """Read the EXIF orientation of a JPEG, 1 to 8, with TensorFlow ops; 1 if there is none.

    Args:
        encoded: scalar string tensor.
    Returns:
        int32 scalar.
    Source: EXIF 2.3 (JEITA CP-3451C), section 4.5: tag 0x0112 of the first directory, in the first segment APP1 that
        begins with "Exif". Only segments before the first scan are searched, and only APP1, because other segments may
        hold the same letters.
    """
    size = tf.strings.length(encoded)

    def head(at):  # returns the bytes FF and marker, and the segment's length; beyond the end of the file all are 0
        bytes_ = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, tf.minimum(at, size), 4), tf.uint8), tf.int32)
        bytes_ = tf.concat([bytes_, tf.zeros(4, tf.int32)], axis=0)
        return bytes_[0], bytes_[1], 256 * bytes_[2] + bytes_[3]

    def is_exif(at):
        return (head(at)[1] == APP1) & (tf.strings.substr(encoded, tf.minimum(at + 4, size), 6) == b"Exif\0\0")

    def other(at):
        first, marker, _ = head(at)
        return (at + 10 <= size) & (first == 0xFF) & (marker != SOS) & ~is_exif(at)

    def after(at):
        _, marker, length = head(at)
        return (at + tf.where(marker == 0xFF, 1, 2 + tf.maximum(length, 2)),)  # FF may be repeated before a marker

    (at,) = tf.while_loop(other, after, (tf.constant(2),))
    rest = lambda: tf.strings.substr(encoded, at + 10, tf.maximum(head(at)[2] - 8, 0))  # noqa: E731
    return _orientation(tf.cond((at + 10 <= size) & is_exif(at), rest, lambda: tf.constant(b"")))


def _number(text):
    """Return four bytes as int32, the most significant byte first."""
    digits = tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)
    return tf.reduce_sum(digits * tf.constant([1 << 24, 1 << 16, 1 << 8, 1]))


def _orientation(block):
    """Read the orientation from an EXIF block, which has the form of a TIFF without a picture; 1 if there is none."""
    head = tf.cast(tf.io.decode_raw(block, tf.uint8), tf.int32)
    head = tf.concat([head, tf.zeros(16, tf.int32)], axis=0)  # so that reading past the end gives zeros
    last = tf.size(head) - 1
    little = head[0] == ord("I")

    def number(at, size):
        """Return the numbers of `size` bytes each that begin at the positions `at`."""
        places = tf.expand_dims(at, -1) + tf.range(size)
        digits = tf.gather(head, tf.clip_by_value(places, 0, last))
        digits = tf.where(little, tf.reverse(digits, [-1]), digits)
        return tf.reduce_sum(digits * tf.constant([256**i for i in reversed(range(size))], tf.int32), axis=-1)

    directory = number(tf.constant(4), 4)
    entries = directory + 2 + 12 * tf.range(tf.minimum(number(directory, 2), 512))
    hit = tf.where(number(entries, 2) == 0x0112)
    entry = tf.cond(tf.size(hit) > 0, lambda: tf.gather(entries, tf.cast(hit[0, 0], tf.int32)), lambda: last)
    kind, count = number(entry + 2, 2), number(entry + 4, 4)
    value = tf.constant(1)
    for number_kind, size in SIZES.items():
        value = tf.where(kind == number_kind, number(entry + 8, size), value)
        count = tf.where(kind == number_kind, count * size, count)  # in bytes; more than 4 are stored elsewhere
    return tf.where((count >= 1) & (count <= 4) & (value >= 1) & (value <= 8), value, 1)


def upright(image, orientation):
    """Turn an image upright, given its EXIF orientation: 2 mirrored, 3 upside down, ... 8 turned right."""
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
