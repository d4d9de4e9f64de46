"""The decoder of kfg.data.decode written in TensorFlow ops, so that an exported model can read image files itself."""

import tensorflow as tf

from kfg.data import gif, jpeg, png
from kfg.data.decode import MAX_PIXELS, load, opened
from kfg.data.exif import orientation
from kfg.data.exif_in_graph import jpeg_orientation, png_chunk, png_orientation, upright
from kfg.data.formats import SNIFF_BYTES, sniff
from kfg.data.sixteen import DEPTHS
from kfg.data.to_rgb import has_alpha

FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # formats that TensorFlow decodes; not all kinds of each
PLAIN_BMP = {8: ("L",), 24: ("BGR",), 32: ("BGRX", "BGRA")}  # bits per pixel -> byte orders that TensorFlow decodes


def decode(encoded):
    """Decode one JPEG, PNG, GIF (first frame) or BMP as `kfg.data.decode` does, with TensorFlow ops only.

    Transparent pixels of a PNG are laid on white, 16 bits become 8 according to the bits in use, the EXIF rotation of a
    JPEG or PNG is applied, and a JPEG of more than MAX_PIXELS comes out at half its width and height. The accurate DCT
    is used, as Pillow does by default; TensorFlow's own default differs from Pillow by up to 5 levels on real
    photographs, the accurate DCT by none.
    Some files come out differently, and `known_difference` names them: all other formats; CMYK JPEG; a JPEG without its
    end mark; a GIF that is transparent or whose first frame is smaller than the whole; BMP with a palette, with
    transparent pixels, or in an unusual form; an orientation stored as text or in XMP; a damaged file of which Pillow
    shows what is left, while TensorFlow shows nothing or something else. A damaged BMP, GIF, JPEG or animated PNG that
    kfg refuses may come out as a picture here.

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
            (is_jpeg, lambda: upright(_decode_jpeg(encoded), jpeg_orientation(encoded))),
        ],
        default=lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )


def _decode_jpeg(encoded):
    def read(ratio):
        return lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE", ratio=ratio)

    height, width, _ = tf.unstack(tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64))
    return tf.cond(height * width > MAX_PIXELS, read(2), read(1))


def _decode_png(encoded):
    # TensorFlow 2.21 gives an image of b < 8 bits without alpha the alpha value 2 ** b - 1 instead of 255
    at = tf.minimum(24, tf.strings.length(encoded) - 1)  # byte 24 holds the bits; decode_png refuses a shorter file
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, at, 1), tf.uint8), tf.int32)[0]

    def eight():
        rgba = tf.cast(tf.io.decode_png(encoded, channels=4), tf.int32)
        colour, alpha = rgba[..., :3], rgba[..., 3:]
        return colour, tf.where(tf.reduce_all(alpha == tf.bitwise.left_shift(1, bits) - 1), 255, alpha)

    def sixteen():
        rgba = tf.cast(tf.io.decode_png(encoded, channels=4, dtype=tf.uint16), tf.int32)
        colour, alpha = rgba[..., :3], rgba[..., 3:]
        return tf.bitwise.right_shift(colour, _depth(colour, encoded) - 8), tf.bitwise.right_shift(alpha, 8)

    colour, alpha = tf.cond(bits == 16, sixteen, eight)
    return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _depth(colour, encoded):
    """Return how many bits 16-bit colours use, as `kfg.data.sixteen.depth_of` does."""
    said = tf.cast(tf.io.decode_raw(png_chunk(encoded, b"sBIT"), tf.uint8), tf.int32)[:3]
    least = tf.minimum(tf.reduce_max(tf.concat([said, [0]], axis=0)), 16)
    depths = tf.constant(DEPTHS)
    holds = (tf.bitwise.left_shift(1, depths) > tf.reduce_max(colour)) & (depths >= least)
    return tf.reduce_min(tf.where(holds, depths, DEPTHS[-1]))


def resize(images, image_size):
    """Resize images with TensorFlow ops; the pixels are the same as from `kfg.data.resizing.resize`.

    Args:
        images: uint8 tensor, one image (H, W, 3) or a batch (B, H, W, 3).
        image_size: (height, width) in pixels.
    Returns:
        uint8 tensor (height, width, 3) or (B, height, width, 3).
    """
    resized = tf.image.resize(images, image_size, method="bilinear", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def known_difference(encoded: bytes) -> str:
    """Return why a file is decoded differently here than by kfg.data.decode; "" if there is no known difference.

    `decode` in this module lists the reasons.

    Raises:
        BadImage: kfg.data.decode cannot read the file.
    Example:
        >>> known_difference(b"RIFF????WEBP")
        'WEBP'
    """
    format = sniff(encoded[:SNIFF_BYTES])
    if format and format not in FORMATS:
        return format
    image = load(encoded, "image bytes")
    why = DIFFERENCES.get(format, lambda *_: "")
    return why(image, encoded) or _turn_difference(image, encoded, format)


def _traced(read):
    """Return `read`, a function of a file's bytes, as a traced graph: run eagerly, its loop over the header is slow."""
    return tf.function(read, input_signature=(tf.TensorSpec((), tf.string),), autograph=False)


TURNS = {"JPEG": _traced(jpeg_orientation), "PNG": _traced(png_orientation)}


def _turn_difference(image, encoded, format) -> str:
    turn = TURNS[format](tf.constant(encoded)) if format in TURNS else 1
    return "" if int(turn) == orientation(image) else "orientation in text"  # only Pillow reads it from text and XMP


def _png_difference(_, encoded) -> str:
    return "damaged PNG" if png.damage(encoded) else ""


def _jpeg_difference(image, encoded) -> str:
    if not jpeg.has_end(encoded):
        return "JPEG without its end mark"
    if jpeg.damage(encoded) or jpeg.lacks_scans(encoded):
        return "damaged JPEG"
    return "CMYK" if image.mode == "CMYK" else ""


def _gif_difference(image, encoded) -> str:
    if not gif.whole(encoded):
        return "damaged GIF"
    first = opened(encoded, "GIF")
    small = first.tile[0][1] != (0, 0, *image.size)
    first.load()
    if first.mode == "P" and first.getextrema()[1] >= len(first.palette.palette) // 3:
        return "damaged GIF"  # a pixel's colour number is not in the colour table
    if small:
        return "GIF with a small first frame"
    return "transparent GIF" if _shows_through(image) else ""


def _bmp_difference(image, encoded) -> str:
    if image.mode == "P":
        return "BMP with a palette"
    short_header = int.from_bytes(encoded[14:18], "little") < 40
    order = opened(encoded, "BMP").tile[0][3][0]
    if short_header or order not in PLAIN_BMP.get(int.from_bytes(encoded[28:30], "little"), ()):
        return "BMP in an unusual form"
    bits, begin = (int.from_bytes(encoded[at : at + size], "little") for at, size in ((28, 2), (10, 4)))
    if len(encoded) != begin + (image.width * bits + 31) // 32 * 4 * image.height:
        return "damaged BMP"  # TensorFlow needs exactly the file size that the header gives
    return "BMP with transparent pixels" if _shows_through(image) else ""


def _shows_through(image) -> bool:
    return has_alpha(image) and image.convert("RGBA").getchannel("A").getextrema()[0] < 255


DIFFERENCES = {
    "JPEG": _jpeg_difference,
    "PNG": _png_difference,
    "GIF": _gif_difference,
    "BMP": _bmp_difference,
}
