"""Small images in every format and mode that Pillow writes and kfg reads, from which the mutations are made."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

SIZE = (23, 17)  # pixels; odd, so that half blocks and padded rows occur
JPEG_OPTIONS = (
    {"quality": 90},
    {"quality": 30, "progressive": True},
    {"quality": 75, "subsampling": 0},
    {"restart_marker_blocks": 1},
)
ANY_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
TIFF_COMPRESSION = {  # mode -> compressions with which libtiff writes it
    **dict.fromkeys(("LA", "P", "RGBA", "I;16", "I", "F", "LAB"), ANY_TIFF),
    **dict.fromkeys(("L", "RGB", "CMYK", "YCbCr"), (*ANY_TIFF, "jpeg")),
    "1": (*ANY_TIFF, "group3", "group4"),
}


def picture(mode: str, seed: int = 0) -> Image.Image:
    """Return a picture with smooth and noisy parts, in the Pillow mode `mode`."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    pixels = np.asarray(small).copy()
    pixels[::3, ::4] = rng.integers(0, 256, pixels[::3, ::4].shape)
    image = Image.fromarray(pixels)
    if mode.startswith("I;16") or mode == "I":
        values = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(values) if mode != "I" else Image.fromarray(values.astype(np.int32))
    if mode == "F":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.float32) / 255)
    if mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        image.putalpha(Image.fromarray(rng.integers(0, 256, SIZE[::-1], dtype=np.uint8)))
        return image.convert(mode) if mode != "PA" else image.convert("P")
    return image.convert(mode)


@functools.cache
def seeds() -> dict[str, bytes]:
    """Return a dict name -> bytes of undamaged images."""
    found = {}

    def add(name, image, format, **options):
        file = io.BytesIO()
        try:
            image.save(file, format, **options)
        except OSError:  # not all versions of Pillow write all modes; a test counts the images that are left
            return
        found[name] = file.getvalue()

    for mode in ("L", "RGB", "CMYK"):
        for number, options in enumerate(JPEG_OPTIONS):
            add(f"jpeg-{mode}-{number}", picture(mode), "JPEG", **options)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for format in ("JPEG", "PNG", "WEBP", "TIFF"):
            add(f"{format.lower()}-turned-{orientation}", picture("RGB", orientation), format, exif=exif)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"):
        add(f"png-{mode}", picture(mode), "PNG")
        add(f"png-{mode}-small", picture(mode, 1), "PNG", optimize=True, compress_level=9)
    for mode in ("L", "P", "RGB"):
        for transparency in (0, 3):
            add(f"png-{mode}-key-{transparency}", picture(mode), "PNG", transparency=_key(mode, transparency))
    for mode in ("1", "L", "P", "RGB"):
        add(f"gif-{mode}", picture(mode), "GIF")
        add(f"bmp-{mode}", picture(mode), "BMP")
    add("bmp-RGBA", picture("RGBA"), "BMP")
    add("gif-transparent", picture("P"), "GIF", transparency=1)
    more = [picture("P", i) for i in range(1, 4)]
    add("gif-animated", picture("P"), "GIF", save_all=True, append_images=more, duration=50, loop=0)
    add("gif-interlaced", picture("P"), "GIF", interlace=1)
    add("webp-lossless", picture("RGBA"), "WEBP", lossless=True)
    add("webp-lossy", picture("RGB"), "WEBP", quality=60)
    add("webp-animated", picture("RGB"), "WEBP", save_all=True, append_images=[picture("RGB", 2)])
    add("png-animated", picture("RGB"), "PNG", save_all=True, append_images=[picture("RGB", 2)])
    add("mpo", picture("RGB"), "MPO", save_all=True, append_images=[picture("RGB", 2)])
    for mode, compressions in TIFF_COMPRESSION.items():
        for compression in compressions:
            add(f"tiff-{mode}-{compression}", picture(mode), "TIFF", compression=compression)
    add("tiff-pages", picture("RGB"), "TIFF", save_all=True, append_images=[picture("RGB", 2)])
    found |= {f"png-16bit-{channels}": png16(channels) for channels in (1, 2, 3, 4)}
    return found


def _key(mode, value):
    return (value, value, value) if mode == "RGB" else value


def png16(channels: int) -> bytes:
    """Return a PNG with 16 bits per channel; Pillow can write this only for one channel."""
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rng = np.random.default_rng(channels)
    values = rng.integers(0, 65536, (SIZE[1], SIZE[0] * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", *SIZE, 16, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(one) -> bytes:
    kind, data = one
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
