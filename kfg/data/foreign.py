"""What the files are called that kfg does not read, so that a message can say what lies under a photograph's name."""

from kfg.data.formats import BY_CONTENT, FORMATS, RAW, READS_AVIF, brands

UNREAD = {  # suffix -> what such a picture is called; a folder full of them must not be passed over in silence
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), "HEIC photograph"),
    **({} if READS_AVIF else dict.fromkeys((".avif", ".avifs"), "AVIF photograph")),
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
OTHERS = (  # (where, bytes that stand there, what the file is); after everything that kfg reads, and in this order
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
PICTURES = {*UNREAD.values(), "AVIF photograph", "video"}  # what has pixels, and can be converted
VOWEL_NAMES = "AEFHILMNORSX"  # letters whose names begin with a vowel, in abbreviations


def name_of(first_bytes: bytes, suffix: str = "") -> str:
    """Return what a file is that kfg does not read, "" where neither its first SNIFF_BYTES nor its suffix tell.

    Example:
        >>> name_of(b"%PDF-1.7 ..."), name_of(b"?", ".NEF"), name_of(b"?")
        ('PDF document', 'raw photograph of a camera', '')
    """
    found = brands(first_bytes)
    if found & {b"avif", b"avis"}:
        return "AVIF photograph"
    if found & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return "HEIC photograph"
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
    """Say in words why a file is not read.

    Example:
        >>> refusal(b"<html>429 Too Many Requests", ".jpg")
        'not an image but a web page (HTML) named .jpg'
        >>> refusal(b"", ".heic")
        'an HEIC photograph, which kfg does not read; convert it to JPEG'
    """
    name = name_of(first_bytes, suffix)
    if not name:
        at = first_bytes.find(b"\xff\xd8\xff")
        return f"not an image: a JPEG seems to begin {at} bytes late" if 0 < at < 64 else "not an image"
    thing = with_article(name)
    known = {one for suffixes in FORMATS.values() for one in suffixes}
    named = f" named {suffix}" if suffix.lower() in known else ""
    if name not in PICTURES:
        return f"not an image but {thing}{named}"
    if name == "video":
        return f"{thing}{named}, which kfg does not read; save its frames as JPEG"
    return f"{thing}{named}, which kfg does not read; convert it to {'PNG' if 'drawing' in name else 'JPEG'}"


def with_article(name: str) -> str:
    """Return a name with the article that its first sound wants.

    Example:
        >>> with_article("HEIC photograph"), with_article("video"), with_article("AVIF"), with_article("ZIP archive")
        ('an HEIC photograph', 'a video', 'an AVIF', 'a ZIP archive')
    """
    word = name.split()[0]
    vowel = word[0] in "aeiouAEIO" or (word[:2].isupper() and word[0] in VOWEL_NAMES)
    return f"{'an' if vowel else 'a'} {name}"
