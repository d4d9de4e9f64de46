"""Names of files and classes, and numbers with their nouns: how to show them, and which names look alike."""

import collections
import difflib
import hashlib
import pathlib
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}
# Marks that change the writing direction of the text after them: with one, a name can seem to have another suffix.
DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Letters of other scripts that look like Latin ones; small letters only, because names are case-folded first.
DRAWN_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u03bf\u03bd\u03b9\u03c1\u03b1"
    "\u0131\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u02bc\u00b4",
    "aeopcyxijsdhqwovipai------''''",
)


def printable(text: str) -> str:
    r"""Return text that is safe to show: it garbles no terminal and no table.

    Control characters (line breaks, tabs, escape sequences, C1) and marks that change the direction of writing are
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
    r"""Return text that JSON can hold: bytes that are not UTF-8 become \xNN, and all else stays as it is.

    Example:
        >>> utf8("caf\udce9\n.jpg")
        'caf\\xe9\n.jpg'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_utf8(text: str) -> bool:
    r"""Return whether a name is valid UTF-8, so that reports, tables and exports can repeat it.

    Example:
        >>> is_utf8("caf\u00e9"), is_utf8("caf\udce9")
        (True, False)
    """
    return utf8(text) == text


def quoted(path) -> str:
    """Return a path quoted for a shell, for commands that messages suggest.

    Example:
        >>> quoted("photos"), quoted("my photos")
        ('photos', "'my photos'")
    """
    return printable(shlex.quote(str(path)))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the known name with the most similar spelling, else the known names.

    Example:
        >>> suggestion("lerning_rate", ["epochs", "learning_rate"]), suggestion("x", ["epochs", "seed"])
        ('did you mean learning_rate?', 'choose from epochs, seed')
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {printable(near[0])}?" if near else f"choose from {printable(shortened(known))}"


def shortened(names: Sequence[str], *, count: int = 8) -> str:
    """Return the first `count` names as text, and how many more there are.

    Example:
        >>> shortened(["cat", "dog", "ox"]), shortened(["cat", "dog", "ox"], count=2)
        ('cat, dog, ox', 'cat, dog and 1 more')
    """
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def counted(number: int, thing: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "photograph"), counted(1200, "photograph")
        ('1 photograph', '1,200 photographs')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share as text for the screen.

    Example:
        >>> percent(0.4856), percent(1)
        ('48.6%', '100.0%')
    """
    return f"{100 * share:.1f}%"


def told_apart(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names made unique: a name that was there before gets a number.

    Example:
        >>> told_apart(["a.jpg", "b.jpg", "a.jpg"])
        ('a.jpg', 'b.jpg', 'a.jpg (2)')
    """
    given = list(names)
    taken, count, found = set(given), collections.Counter(), []
    for name in given:
        count[name] += 1
        if count[name] == 1:
            found.append(name)
            continue
        while f"{name} ({count[name]})" in taken:  # a name that was given, or made already
            count[name] += 1
        found.append(f"{name} ({count[name]})")
        taken.add(found[-1])
    return tuple(found)


def cut(name: str, size: int) -> str:
    """Return a name of at most `size` bytes: of a longer one the beginning, and a digest of the whole name.

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
    """Return a name in Unicode form NFC, in which a letter with an accent is one character."""
    return unicodedata.normalize("NFC", name)


def appearance(name: str) -> str:
    r"""Return a simplified name, the same for all names that look alike on a screen or are one name on some disks.

    Case, Unicode form, invisible characters, kinds of spaces, and spaces at the ends make no difference.

    Example:
        >>> appearance("Cat ") == appearance("c\u200bat") == appearance("\u0441at") == "cat"
        True
    """
    seen = unicodedata.normalize("NFKC", name).casefold().translate(DRAWN_ALIKE)
    seen = "".join(letter for letter in seen if not _invisible(letter))
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def look_alikes(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of names that look alike (see `appearance`): each later name with the first that looks the same.

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
    r"""Return a phrase that says in what two names that look alike differ.

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
    """Return the middle of each name, without the beginning and the end that both share."""
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
    """Return, for each NFC form, the names in a folder that have it; nothing if the folder does not exist.

    Raises:
        OSError: the folder cannot be listed.
    """
    found = {}
    folder = pathlib.Path(folder)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found.setdefault(composed(path.name), []).append(path.name)
    return found
