"""What a command says, in a line, of the files and folders that it passes over."""

import collections
import pathlib
from collections.abc import Sequence

from kfg.names import printable

TO_ANSWER = "to-answer"  # why an image of a contest's test is not trained on: see kfg.data.contest
BY_KIND = ("unsupported", "not-an-image")  # counted by the suffixes of the files
PASSED_OVER = {  # why -> what the terminal calls it; hidden files and what lies beside the class folders are not said
    "linked": "as linked folders",
    "dead-class": "among the class folders as links that lead nowhere",
    "dead-link": "as links that lead nowhere",
    "litter": "as folders of a system or a storage device",
    "stray": "outside of the class folders",
    "unlisted": "not listed",
}
KINDS = 8  # suffixes named in a line


def remark(passed_over: Sequence[tuple[str, str]]) -> str:
    """Say in a line what is passed over or a contest's to answer, how much of each kind, with an example; "" for none.

    Args:
        passed_over: (path, why) as in `Listing.skipped`, or "unlisted".
    Example:
        >>> remark([("a/1.heic", "unsupported"), ("a/2.svg", "unsupported"), (".git", "hidden")])
        'passed over: 1 .heic and 1 .svg files, which kfg does not read (a/1.heic)'
        >>> remark([("c.jpg", "stray")])
        'passed over: 1 outside of the class folders (c.jpg)'
        >>> remark([("test/1.jpg", "to-answer")])
        'to be answered: 1 (test/1.jpg)'
    """
    unread = [path for path, reason in passed_over if reason in BY_KIND]
    said = [f"{by_kind(unread)}, which kfg does not read ({printable(unread[0])})"] if unread else []
    for why, words in PASSED_OVER.items():
        paths = [path for path, reason in passed_over if reason == why]
        if paths:
            said.append(f"{len(paths):,} {words} ({printable(paths[0])})")
    told = [f"passed over: {', '.join(said)}"] if said else []
    waiting = [path for path, reason in passed_over if reason == TO_ANSWER]
    if waiting:
        told.append(f"to be answered: {len(waiting):,} ({printable(waiting[0])})")
    return "; ".join(told)


def by_kind(paths: Sequence[str]) -> str:
    """Count files by their suffixes, the commonest first.

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
