"""The line that a command prints about the files and folders that it skips."""

import collections
import pathlib
from collections.abc import Sequence

from kfg.data.foreign import AVIF, HEIC, UNREAD, WITH_EXTRA
from kfg.names import printable

TO_ANSWER = "to-answer"  # the reason why an image of a contest's test is not trained on, see kfg.data.contest
BY_KIND = ("unsupported", "not-an-image")  # files skipped for these reasons are counted by suffix
PASSED_OVER = {  # reason -> words for the terminal; hidden files and files of reason "outside" are not mentioned
    "linked": "as linked folders",
    "dead-class": "among the class folders as links that lead nowhere",
    "dead-link": "as links that lead nowhere",
    "litter": "as folders that an operating system or a device made",
    "stray": "outside of the class folders",
    "unlisted": "not listed",
}
KINDS = 8  # most suffixes named in a line


def remark(passed_over: Sequence[tuple[str, str]]) -> str:
    """Return a line about files that are skipped or to be answered in a contest: numbers by kind, with an example.

    It is "" if there is nothing to mention.

    Args:
        passed_over: (path, reason) of the files, as in `Listing.skipped`, or with the reason "unlisted".
    Example:
        >>> remark([("a/1.jxl", "unsupported"), ("a/2.svg", "unsupported"), (".git", "hidden")])
        'not used: 1 .jxl and 1 .svg files, which kfg does not read (a/1.jxl)'
        >>> remark([("c.jpg", "stray")])
        'not used: 1 outside of the class folders (c.jpg)'
        >>> remark([("test/1.jpg", "to-answer")])
        'left for kfg answer: 1 (test/1.jpg)'
    """
    unread = [path for path, reason in passed_over if reason in BY_KIND]
    said = [f"{by_kind(unread)}, which kfg does not read ({printable(unread[0])}{_extra(unread)})"] if unread else []
    for why, words in PASSED_OVER.items():
        paths = [path for path, reason in passed_over if reason == why]
        if paths:
            said.append(f"{len(paths):,} {words} ({printable(paths[0])})")
    told = [f"not used: {', '.join(said)}"] if said else []
    waiting = [path for path, reason in passed_over if reason == TO_ANSWER]
    if waiting:
        told.append(f"left for kfg answer: {len(waiting):,} ({printable(waiting[0])})")
    return "; ".join(told)


def _extra(unread) -> str:
    """Return a hint at the extra with which kfg reads some of the files; "" if none does."""
    kinds = {UNREAD.get(pathlib.PurePosixPath(path).suffix.lower()) for path in unread}
    return f"; {WITH_EXTRA}" if kinds & {HEIC, AVIF} else ""


def by_kind(paths: Sequence[str]) -> str:
    """Return text that counts files by their suffixes, the most common first.

    Example:
        >>> by_kind(["a/1.svg", "a/2.SVG", "b/x.dcm", "b/noname"]), by_kind(["a/notes.txt"])
        ('2 .svg and 1 .dcm files and 1 without a suffix', '1 .txt file')
    """
    counts = collections.Counter(pathlib.PurePosixPath(path).suffix.lower() for path in paths)
    bare = counts.pop("", 0)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count:,} {printable(suffix)}" for suffix, count in ordered[:KINDS]]
    if rest := sum(count for _, count in ordered[KINDS:]):
        words.append(f"{rest:,} other")
    listed = " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
    if not bare:
        return f"{listed} file{'' if len(paths) == 1 else 's'}"
    return f"{listed} files and {bare:,} without a suffix" if listed else f"{bare:,} without a suffix"
