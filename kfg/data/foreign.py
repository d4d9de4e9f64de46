"""Recognise files that kfg does not read, so that a message can say what a file with a photograph's name really is."""

from kfg.data.formats import (
    AVIF_BRANDS,
    AVIF_SUFFIXES,
    BY_CONTENT,
    FORMATS,
    HEIC_BRANDS,
    HEIC_SUFFIXES,
    RAW,
    READS_AVIF,
    READS_HEIC,
    brands,
)

HEIC, AVIF = "HEIC photograph", "AVIF photograph"
WITH_EXTRA = "kfg reads HEIC and AVIF photographs with its extra heic (pip install pillow-heif 'pillow>=11.3')"

UNREAD = {  # suffix -> name of the kind of picture; a folder full of them must not be skipped without a message
    **({} if READS_HEIC else dict.fromkeys(HEIC_SUFFIXES, HEIC)),
    **({} if READS_AVIF else dict.fromkeys(AVIF_SUFFIXES, AVIF)),
    ".jxl": "JPEG XL picture",
    **dict.fromkeys((".jxr", ".wdp", ".hdp"), "JPEG XR picture"),
    **dict.fromkeys(RAW, "raw photograph of a camera"),
    **dict.fromkeys((".svg", ".svgz"), "SVG drawing"),
    **dict.fromkeys((".eps", ".ps", ".ai"), "PostScript drawing"),
    **dict.fromkeys((".wmf", ".emf"), "Windows metafile"),
    **dict.fromkeys((".dcm", ".dicom"), "DICOM picture"),
    **dict.fromkeys((".npy", ".npz"), "NumPy array"),
    **dict.fromkeys((".fits", ".fit", ".fts"), "FITS picture"),
    **dict.fromkeys((".exr", ".hdr", ".pfm"), "floating-point picture"),
    **dict.fromkeys(BY_CONTENT["PSD"], "Photoshop document"),
    **dict.fromkeys((*BY_CONTENT["ICO"], *BY_CONTENT["CUR"], *BY_CONTENT["ICNS"]), "icon"),
    **dict.fromkeys((*BY_CONTENT["DDS"], *BY_CONTENT["SGI"], *BY_CONTENT["SUN"]), "picture of an unusual kind"),
    **dict.fromkeys((*BY_CONTENT["XBM"], *BY_CONTENT["XPM"]), "picture of an unusual kind"),
    ".pam": "PAM picture",
    ".pcd": "Photo CD picture",
    ".jls": "JPEG-LS picture",
    ".djvu": "DjVu document",
    **dict.fromkeys((".nii", ".mha", ".mhd", ".nrrd"), "medical volume"),
    **dict.fromkeys((".czi", ".lif", ".nd2", ".vsi", ".svs", ".ndpi"), "microscope picture"),
    ".psb": "large Photoshop document",
    **dict.fromkeys((".xcf", ".kra", ".ora"), "layered picture of a paint program"),
}
OTHERS = (  # (offset, bytes at this offset, kind of file); tried in this order, after all formats that kfg reads
    (8, b"CR\2\0", "raw photograph of a camera"),
    (0, b"IIU\0", "raw photograph of a camera"),
    (0, b"IIRO", "raw photograph of a camera"),
    (0, b"IIRS", "raw photograph of a camera"),
    (0, b"FUJIFILMCCD-RAW", "raw photograph of a camera"),
    (4, b"ftypcrx ", "raw photograph of a camera"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL picture"),
    (0, b"\xff\x0a", "JPEG XL picture"),
    (0, b"II\xbc\1", "JPEG XR picture"),
    (128, b"DICM", "DICOM picture"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"SIMPLE  =", "FITS picture"),
    (0, b"v/1\1", "floating-point picture"),
    (0, b"#?R", "floating-point picture"),
    (0, b"Pf\n", "floating-point picture"),
    (0, b"PF\n", "floating-point picture"),
    (0, b"P7\n", "PAM picture"),
    (0, b"8BPS\0\2", "large Photoshop document"),
    (0, b"8BPS", "Photoshop document"),
    (0, b"gimp xcf", "layered picture of a paint program"),
    (0, b"%!PS", "PostScript drawing"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (0, b"%PDF", "PDF document"),
    (0, b"{\\rtf", "text document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office document"),
    (0, b"PK\3\4", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"BZh", "bzip2 archive"),
    (0, b"\xfd7zXZ", "xz archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"Rar!", "RAR archive"),
    (257, b"ustar", "tar archive"),
    (0, b"\x89HDF\r\n", "HDF5 file"),
    (0, b"\1\0\0\0Bud1", "folder note of macOS (.DS_Store)"),
    (0, b"\0\5\x16\7", "resource file of macOS"),
    (0, b"version https://git-lfs", "Git LFS pointer; fetch the picture with `git lfs pull`"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"\0\0\1\xba", "video"),
    (0, b"FLV\1", "video"),
    (8, b"AVI ", "video"),
    (8, b"WAVE", "sound file"),
    (0, b"ID3", "sound file"),
)
PICTURES = {*UNREAD.values(), HEIC, AVIF, "video"}  # kinds of files that have pixels and can be converted
VOWEL_NAMES = "AEFHILMNORSX"  # in abbreviations, the names of these letters begin with a vowel sound


def name_of(first_bytes: bytes, suffix: str = "") -> str:
    """Return the kind of a file that kfg does not read, "" if neither its first SNIFF_BYTES nor its suffix show it.

    Example:
        >>> name_of(b"%PDF-1.7 ..."), name_of(b"?", ".NEF"), name_of(b"?")
        ('PDF document', 'raw photograph of a camera', '')
    """
    found = brands(first_bytes)
    if found & AVIF_BRANDS:
        return AVIF
    if found & HEIC_BRANDS:
        return HEIC
    for at, magic, name in OTHERS:
        if first_bytes[at : at + len(magic)] == magic:
            return name
    text = first_bytes.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        return "SVG drawing"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title")):
        return "web page (HTML)"
    if text.startswith(b"<?xml"):
        return "XML file"
    if suffix.lower() in UNREAD:
        return UNREAD[suffix.lower()]
    if text.startswith((b"{", b"[")) and text.rstrip()[-1:] in b"}],":
        return "JSON file"
    return ""


def refusal(first_bytes: bytes, suffix: str = "") -> str:
    """Return a message that says why a file is not read.

    Example:
        >>> refusal(b"<html>429 Too Many Requests", ".jpg")
        'not an image but a web page (HTML) named .jpg'
        >>> refusal(b"", ".nef")
        'a raw photograph of a camera, which kfg does not read; convert it to JPEG'
    """
    name = name_of(first_bytes, suffix)
    if not name:
        at = first_bytes.find(b"\xff\xd8\xff")
        return f"not an image, although a JPEG seems to start at byte {at}" if 0 < at < 64 else "not an image"
    thing = with_article(name)
    known = {one for suffixes in FORMATS.values() for one in suffixes}
    named = f" named {suffix}" if suffix.lower() in known else ""
    if name not in PICTURES:
        return f"not an image but {thing}{named}"
    if name in (HEIC, AVIF):
        return f"{thing}{named}; {WITH_EXTRA}, or convert it to JPEG"
    if name == "video":
        return f"{thing}{named}, which kfg does not read; save its frames as JPEG"
    return f"{thing}{named}, which kfg does not read; convert it to {'PNG' if 'drawing' in name else 'JPEG'}"


def with_article(name: str) -> str:
    """Return a name with "a" or "an" before it, whichever its first sound needs.

    Example:
        >>> with_article("HEIC photograph"), with_article("video"), with_article("AVIF"), with_article("ZIP archive")
        ('an HEIC photograph', 'a video', 'an AVIF', 'a ZIP archive')
    """
    word = name.split()[0]
    vowel = word[0] in "aeiouAEIO" or (word[:2].isupper() and word[0] in VOWEL_NAMES)
    return f"{'an' if vowel else 'a'} {name}"
