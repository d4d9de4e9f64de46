"""The image formats that kfg reads, and how to recognise them by a file's first bytes."""

import importlib.util
import pathlib
import re

FORMATS = {  # Pillow's name of the format -> its usual suffixes
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # many phones write it: a JPEG followed by more pictures
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "PCX": (".pcx",),
    "QOI": (".qoi",),
}
# Formats of which kfg reads only some kinds; a file of these counts as an image by its content, not by its suffix
BY_CONTENT = {
    "ICO": (".ico",),
    "CUR": (".cur",),
    "ICNS": (".icns",),
    "PSD": (".psd",),
    "DDS": (".dds",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
}
READS_AVIF = importlib.util.find_spec("PIL._avif") is not None  # in Pillow from 11.3 on
READS_HEIC = importlib.util.find_spec("pillow_heif") is not None  # installed with the extra `heic`
AVIF_SUFFIXES, HEIC_SUFFIXES = (".avif", ".avifs"), (".heic", ".heif", ".heics", ".heifs", ".hif")
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
if READS_AVIF:
    FORMATS["AVIF"] = AVIF_SUFFIXES
if READS_HEIC:
    FORMATS["HEIF"] = HEIC_SUFFIXES

RAW = (  # suffixes of cameras' raw formats
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef",
    ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51\0": "JPEG2000",
    b"8BPS\0\1": "PSD",
    b"icns": "ICNS",
    b"DDS |\0\0\0": "DDS",
    b"\x59\xa6\x6a\x95": "SUN",
    b"qoif": "QOI",
    b"/* XPM */": "XPM",
}
SHAPES = {  # formats whose first bytes are not unmistakable -> pattern that their header must match
    "PPM": re.compile(rb"P[1-6](\s*#[^\n]*\n|\s)+\d+(\s*#[^\n]*\n|\s)+\d+\s"),
    "ICO": re.compile(rb"\0\0\x01\0[^\0]\0...\0", re.DOTALL),
    "CUR": re.compile(rb"\0\0\x02\0[^\0]\0...\0", re.DOTALL),
    "SGI": re.compile(rb"\x01\xda[\x00\x01][\x01\x02]\x00[\x01-\x03]"),
    "PCX": re.compile(rb"\n[\x00\x02-\x05]\x01[\x01\x02\x04\x08]", re.DOTALL),
    "XBM": re.compile(rb"\s*#define[ \t]+\S*_width[ \t]+\d+"),
}
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes of the second header: they tell a BMP from a text with "BM"
SNIFF_BYTES = 512


def sniff(first_bytes: bytes, suffix: str = "") -> str:
    """Return the format of a file, recognised by its first SNIFF_BYTES; "" if kfg does not read it.

    Most raw photographs of cameras are TIFFs of which only a small preview could be read, so a TIFF with the suffix of
    a raw format counts as not read.

    Example:
        >>> sniff(b"GIF89a and so on"), sniff(b"P5 640 480 255 "), sniff(b"From: somebody")
        ('GIF', 'PPM', '')
    """
    if first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP":
        return "WEBP"
    if first_bytes[8:12] == b"CR\2\0":  # a raw photograph of Canon, which would pass for a TIFF
        return ""
    for magic, format in MAGIC.items():
        if first_bytes.startswith(magic):
            return "" if format == "TIFF" and suffix.lower() in RAW else format
    for format, shape in SHAPES.items():
        if shape.match(first_bytes):
            return format
    if first_bytes[:2] == b"BM" and int.from_bytes(first_bytes[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if found := brands(first_bytes):
        return _of_brands(found)
    return "TGA" if _like_tga(first_bytes) else ""


def _of_brands(found: set[bytes]) -> str:
    if found & AVIF_BRANDS:  # checked first, because an AVIF file also has a brand of the HEIC family
        return "AVIF" if READS_AVIF else ""
    return "HEIF" if READS_HEIC and found & HEIC_BRANDS else ""


def brands(first_bytes) -> set[bytes]:
    """Return the brands (type codes) in the header of an ISO media file (HEIC, AVIF, MP4, ...); none for others."""
    if first_bytes[4:8] != b"ftyp":
        return set()
    box = first_bytes[8 : int.from_bytes(first_bytes[:4], "big")]
    return {box[i : i + 4] for i in range(0, len(box), 4) if i != 4}  # the second entry is a version, not a brand


def _like_tga(first_bytes) -> bool:
    """Return whether the first 18 bytes can be the header of a TGA; that format has no magic bytes."""
    if len(first_bytes) < 18:
        return False
    _, map_kind, kind = first_bytes[:3]
    width, height = int.from_bytes(first_bytes[12:14], "little"), int.from_bytes(first_bytes[14:16], "little")
    bits, form = first_bytes[16:18]
    of_kind = {1: (8,), 9: (8,), 2: (15, 16, 24, 32), 10: (15, 16, 24, 32), 3: (1, 8, 16), 11: (8, 16)}.get(kind, ())
    mapped = map_kind == 1 and first_bytes[7] in (15, 16, 24, 32)
    unmapped = map_kind == 0 and kind not in (1, 9) and first_bytes[3:8] == bytes(5)
    return (mapped or unmapped) and width > 0 and height > 0 and bits in of_kind and form & 0xC0 == 0


def suffix_of(name) -> str:
    """Return the suffix of a path; "" for a name without one, such as "image bytes".

    Example:
        >>> suffix_of("a/b.JPG"), suffix_of("image bytes")
        ('.JPG', '')
    """
    return pathlib.PurePath(name).suffix
