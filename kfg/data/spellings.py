"""Find class names that may be two spellings of one name, such as "Fox Sparrow" and "fox_sparow"."""

import collections
import itertools
import re
from collections.abc import Iterator, Sequence

from kfg.names import appearance

SEPARATORS = re.compile(r"[\s_\-]+")
LONG, LONGER = 5, 8  # least letters of a word in which one letter may be wrong, and of one in which two may
LONGEST = 30  # a longer word is hardly one of a language, and has too many ways to be misspelt to try them all
DIGITS = re.compile(r"\d+")


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that are equal but for case, spaces, hyphens and underscores, or for a misspelt word.

    A misspelt word has one other letter, in a word of LONGER letters and more also two: a letter is missing, added,
    another one, or has changed places with the next. The first letter and all digits are the same: "healthy" and
    "unhealthy", "stage 1" and "stage 2" are different names. Names that look alike (see `kfg.names.appearance`) are
    left out; other checks report them.

    Example:
        >>> pairs(["Fox Sparrow", "Fox  Sparow", "fox-sparrow", "House Sparrow"])
        [('Fox Sparrow', 'Fox  Sparow'), ('Fox Sparrow', 'fox-sparrow'), ('Fox  Sparow', 'fox-sparrow')]
        >>> pairs(["healthy", "unhealthy", "stage 1", "stage 2", "cat", "bat"])
        []
    """
    alike = collections.defaultdict(list)
    seen = [appearance(name) for name in names]
    for at, name in enumerate(seen):
        for key in _keys(name):
            alike[key].append(at)
    near = {pair for some in alike.values() for pair in itertools.combinations(dict.fromkeys(some), 2)}
    return [(names[one], names[other]) for one, other in sorted(near) if _may_be_one(seen[one], seen[other])]


def _keys(name) -> Iterator[tuple]:
    """Yield keys of which two names that may be one share at least one."""
    words, digits = SEPARATORS.split(name), tuple(DIGITS.findall(name))
    yield "".join(words), "", "", digits
    for at, word in enumerate(words):
        # words with so many wrong letters are equal without these letters
        for left_out in range(_most_wrong(word) + 1):
            for kept in itertools.combinations(word, len(word) - left_out):
                yield " ".join(words[:at]), "".join(kept), " ".join(words[at + 1 :]), digits


def _most_wrong(word) -> int:
    return (LONG <= len(word) <= LONGEST) + (LONGER <= len(word) <= LONGEST)


def _may_be_one(name, other) -> bool:
    if name == other or DIGITS.findall(name) != DIGITS.findall(other):
        return False
    words, others = SEPARATORS.split(name), SEPARATORS.split(other)
    if "".join(words) == "".join(others):
        return any(words)
    unlike = [(one, two) for one, two in itertools.zip_longest(words, others, fillvalue="") if one != two]
    (word, wrong), more = unlike[0], unlike[1:]
    allowed = min(_most_wrong(word), _most_wrong(wrong))
    return not more and word[:1] == wrong[:1] and 0 < _wrong(word, wrong) <= allowed


def _wrong(word, other) -> int:
    """Return how many letters are missing, added, other ones, or have changed places (optimal string alignment)."""
    before, last = [], list(range(len(other) + 1))
    for i, letter in enumerate(word, start=1):
        row = [i]
        for j, two in enumerate(other, start=1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != two)))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == two:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
