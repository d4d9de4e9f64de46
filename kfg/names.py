"""Names of files and classes: how they are shown, and when two of them look the same to a reader."""

import difflib
import hashlib
import pathlib
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}
# Marks that turn the direction of what follows on a line: a name with one can show another suffix than it has.
DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Letters of other scripts that are drawn as Latin ones, small letters only: names are case-folded first.
DRAWN_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u03bf\u03bd\u03b9\u03c1\u03b1"
    "\u0131\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u02bc\u00b4",
    "aeopcyxijsdhqwovipai------''''",
)


def printable(text: str) -> str:
    r"""Return text that no terminal and no table is garbled by.

    Control characters (line breaks, tabs, escape sequences, C1) and marks that turn the direction of writing are
    shown as escapes, and so are bytes of a name that are not UTF-8.

    Example:
        >>> printable("caf\udce9.jpg"), printable("a\x1b[31mb\tc")
        ('caf\\xe9.jpg', 'a\\x1b[31mb\\tc')
    """
    return "".join(_shown(letter) for letter in utf8(text)) if not text.isprintable() else text


def _shown(letter):
    if letter in SHORT:
        return SHORT[letter]
    if unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in DIRECTION:
        return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
    return letter


def utf8(text: str) -> str:
    r"""Return text as it is, but for bytes that are not UTF-8, which become \xNN: JSON can carry it.

    Example:
        >>> utf8("caf\udce9\n.jpg")
        'caf\\xe9\n.jpg'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_utf8(text: str) -> bool:
    r"""Return whether reports, tables and exports, which are UTF-8, can repeat a name.

    Example:
        >>> is_utf8("caf\u00e9"), is_utf8("caf\udce9")
        (True, False)
    """
    return utf8(text) == text


def quoted(path) -> str:
    """Return a path as a shell takes it, for a command that is suggested.

    Example:
        >>> quoted("photos"), quoted("my photos")
        ('photos', "'my photos'")
    """
    return printable(shlex.quote(str(path)))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a question that names what is spelled most like a name, or what there is.

    Example:
        >>> suggestion("lerning_rate", ["epochs", "learning_rate"]), suggestion("x", ["epochs", "seed"])
        ('did you mean learning_rate?', 'there are epochs, seed')
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {printable(near[0])}?" if near else f"there are {printable(shortened(known))}"


def shortened(names: Sequence[str], *, count: int = 8) -> str:
    """Return the first names, and how many more there are.

    Example:
        >>> shortened(["cat", "dog", "ox"]), shortened(["cat", "dog", "ox"], count=2)
        ('cat, dog, ox', 'cat, dog and 1 more')
    """
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def cut(name: str, size: int) -> str:
    """Return a name of at most `size` bytes: a longer one keeps its beginning, and ends with a digest of the whole.

    Example:
        >>> cut("cat.jpg", 20), cut("a very long name of a cat.jpg", 20)
        ('cat.jpg', 'a very long-e86cb4d4')
    """
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= size:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return data[: size - 9].decode("utf-8", "ignore") + f"-{digest}"


def composed(name: str) -> str:
    """Return a name in the one Unicode form in which accents are part of their letters (NFC)."""
    return unicodedata.normalize("NFC", name)


def appearance(name: str) -> str:
    r"""Return what a reader sees of a name: names of one appearance cannot be told apart on a screen or on some disks.

    Case, Unicode form, invisible characters, kinds of spaces, and spaces at the ends make no difference.

    Example:
        >>> appearance("Cat ") == appearance("c\u200bat") == appearance("\u0441at") == "cat"
        True
    """
    seen = unicodedata.normalize("NFKC", name).casefold().translate(DRAWN_ALIKE)
    seen = "".join(letter for letter in seen if not _invisible(letter))
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def look_alikes(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of names of one appearance, each with the first such name.

    Example:
        >>> look_alikes(["dog", "cat ", "Cat"])
        [('Cat', 'cat ')]
    """
    first, pairs = {}, []
    for name in sorted(names):
        other = first.setdefault(appearance(name), name)
        if other != name:
            pairs.append((other, name))
    return pairs


def _invisible(letter) -> bool:
    category = unicodedata.category(letter)
    return category == "Cf" or letter in "\u034f\u115f\u1160\u3164" or "\ufe00" <= letter <= "\ufe0f"


def difference(one: str, other: str) -> str:
    r"""Say in what two names of one appearance differ.

    Example:
        >>> difference("cat", "Cat"), difference("cat", "cat ")
        ('in case only', 'only by U+0020 SPACE at the end')
        >>> difference("caf\u00e9", "cafe\u0301")
        'in Unicode form only (U+00E9 in one, U+0065 U+0301 in the other)'
    """
    if composed(one) == composed(other):
        here, there = _unlike(one, other)
        return f"in Unicode form only ({_points(here)} in one, {_points(there)} in the other)"
    if composed(one).casefold() == composed(other).casefold():
        return "in case only"
    here, there = _unlike(one, other)
    longer, own = (other, there) if len(there) >= len(here) else (one, here)
    if not (here and there):
        where = "at the end" if longer.endswith(own) else "at the start" if longer.startswith(own) else "inside"
        return f"only by {_named(own)} {where}"
    return f"only by {_named(here)} in one and {_named(there)} in the other"


def _unlike(one, other) -> tuple[str, str]:
    """Return the middle of each name, what they begin and end with alike cut off."""
    start = len(_common(one, other))
    end = len(_common(one[start:][::-1], other[start:][::-1]))
    return one[start : len(one) - end], other[start : len(other) - end]


def _common(one, other) -> str:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:at]
    return min(one, other, key=len)


def _points(text) -> str:
    return " ".join(f"U+{ord(letter):04X}" for letter in text) or "nothing"


def _named(text) -> str:
    return ", ".join(f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}" for letter in text)


def by_form(folder) -> dict[str, list[str]]:
    """Return the names in a folder by their NFC form; none for a folder that cannot be read."""
    found = {}
    folder = pathlib.Path(folder)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found.setdefault(composed(path.name), []).append(path.name)
    return found
