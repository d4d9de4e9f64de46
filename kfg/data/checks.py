"""The audit's checks, one function each: entries in, findings out."""

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from kfg import names
from kfg.data.fingerprints import Fingerprint
from kfg.data.listing import untrained
from kfg.names import composed, difference, printable

SEVERITY = {  # error: training refuses, or its figures would be wrong; warning: look at it; note: good to know
    "bad-split": "error",  # this and the next two first: what the folder means comes before what is in its files
    "misnamed-parts": "error",
    "layout": "error",  # no classes can be seen
    "undecodable": "error",
    "truncated": "error",
    "not-an-image": "error",  # a note where the file is not named like an image either: it is skipped
    "bomb": "error",
    "unreadable": "error",
    "missing": "error",
    "bad-name": "error",
    "dead-link": "error",  # of a class folder; inside one: warning
    "changed": "error",
    "no-images": "error",
    "one-class": "error",
    "empty-class": "error",
    "one-image-class": "error",  # it cannot be divided
    "too-few-images": "error",  # a part would be empty
    "untrained-class": "error",  # its images all lie in val and test
    "duplicate-across-classes": "error",
    "duplicate-across-parts": "error",
    "name-collision": "warning",  # of classes: error
    "blank": "warning",
    "damaged": "warning",  # it decodes, but part of the picture is lost
    "mended": "warning",
    "small-first-page": "warning",
    "mixed-depths": "warning",
    "wrong-suffix": "warning",
    "odd-size": "warning",
    "duplicate": "warning",
    "near-duplicate": "warning",
    "near-duplicate-across-classes": "warning",
    "near-duplicate-across-parts": "warning",
    "shortcut": "warning",  # something besides the object tells the class
    "unsupported": "warning",
    "linked": "warning",
    "imbalance": "note",
    "mixed-sizes": "note",
    "greyscale": "note",
    "grey-in-colour": "note",
    "cmyk": "note",
    "alpha": "note",
    "16-bit": "note",
    "exif-rotation": "note",
    "frames": "note",  # of pages: warning
    "hidden": "note",
    "litter": "note",
    "outside": "note",
    "unlisted": "note",
    "to-answer": "note",
}
IMBALANCE = 10  # largest class over smallest, from which on it is said
LEAD = 5  # a size leads that a fifth of the images have, and five times as many as have any other


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing found. `path` is relative to the audited folder, "." for the folder itself."""

    kind: str
    path: str
    detail: str
    severity: str = ""

    def __post_init__(self):
        object.__setattr__(self, "severity", self.severity or SEVERITY[self.kind])


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """One image file: where it lies, what it is meant to be, what it is."""

    path: str
    name: str
    part: str
    print: Fingerprint


def broken(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Files that training would refuse."""
    for entry in entries:
        if entry.print.problem:
            yield Finding(entry.print.problem, entry.path, entry.print.reason)


def sizes(entries: Sequence[Entry], expect_size: tuple[int, int] | None) -> Iterator[Finding]:
    """Sizes other than the expected one, or than the most common one where that clearly leads.

    It does if more than half of the images have it, or at least one in LEAD and LEAD times as many as the next size.
    """
    good = [entry for entry in entries if not entry.print.problem]
    if not good:
        return
    counts = collections.Counter(entry.print.size for entry in good)
    (modal, count), (_, second), *_ = [*sorted(counts.items(), key=lambda item: (-item[1], item[0])), (None, 0)]
    most = 2 * count > len(good)
    if expect_size is None and not most and count < max(len(good) / LEAD, LEAD * second):
        share = f"the most common, {_by(modal)}, has {count} of {len(good)} images"
        yield Finding("mixed-sizes", ".", f"{len(counts)} sizes; {share}")
        return
    wanted, word = modal, "most are" if most else f"{count} of {len(good)} are"
    if expect_size is not None:
        wanted, word = tuple(expect_size), "expected"
    for entry in good:
        if entry.print.size != wanted:
            yield Finding("odd-size", entry.path, f"{_by(entry.print.size)}, {word} {_by(wanted)}")


def _by(size) -> str:
    return f"{size[0]}x{size[1]}"


def duplicates(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Equal bytes: one finding per extra file, and one more where the class or the part differs."""
    same = collections.defaultdict(list)
    for entry in entries:
        if not entry.print.problem:
            same[entry.print.sha256].append(entry)
    for first, *extras in same.values():
        for extra in extras:
            yield Finding("duplicate", extra.path, f"same bytes as {first.path}")
        for what, word in (("classes", "name"), ("parts", "part")):
            for extra in extras:
                if getattr(extra, word) != getattr(first, word):
                    here, there = getattr(extra, word), getattr(first, word)
                    yield Finding(
                        f"duplicate-across-{what}", extra.path, f"in {here}; same bytes as {first.path} in {there}"
                    )


def near_duplicates(entries: Sequence[Entry], pairs: np.ndarray) -> Iterator[Finding]:
    """Almost the same picture: per image its nearest earlier one, and its nearest of another class or part.

    Args:
        entries: the images.
        pairs: `fingerprints.near_pairs` of them.
    """
    pairs = pairs.tolist()
    for kind, differs in (
        ("near-duplicate", lambda a, b: True),
        ("near-duplicate-across-classes", lambda a, b: a.name != b.name),
        ("near-duplicate-across-parts", lambda a, b: a.part != b.part),
    ):
        said = set()
        for i, j, bits in pairs:
            if j not in said and differs(entries[i], entries[j]):
                said.add(j)
                yield Finding(kind, entries[j].path, f"like {entries[i].path} ({bits} of 64 hash bits differ)")


def counts(classes: dict[str, int]) -> Iterator[Finding]:
    """Classes with too little in them."""
    if not any(classes.values()):
        yield Finding("no-images", ".", "no images found")
    elif sum(count > 0 for count in classes.values()) < 2:
        only = next(name for name, count in classes.items() if count)
        text = f"one class only ({printable(only)!r}); a classifier needs at least two: give the folder that holds "
        yield Finding("one-class", ".", f"{text}the class folders")
    for name, count in classes.items():
        if count == 0:
            yield Finding("empty-class", name, "no images")
        elif count == 1:
            yield Finding(
                "one-image-class",
                name,
                "one photograph, which could be trained on or tested, not both; add some (three or more), or remove it",
            )
    ratio = imbalance(classes)
    if ratio >= IMBALANCE:
        yield Finding("imbalance", ".", f"the largest class has {ratio:.1f} times the images of the smallest")


def untrained_classes(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Classes that the folder's own parts leave nothing to train on."""
    for name, where in untrained((entry.name, entry.part) for entry in entries).items():
        yield Finding("untrained-class", name, f"{where}, none to train on")


def imbalance(classes: dict[str, int]) -> float:
    """Return images of the largest class over those of the smallest that has any; 1.0 without images."""
    filled = [count for count in classes.values() if count]
    return max(filled) / min(filled) if filled else 1.0


def collisions(paths: Sequence[str], classes: Sequence[str]) -> Iterator[Finding]:
    """Names that differ in case or unicode form only: one file or class on some other system."""
    for group, severity, word in ((classes, "error", "class"), (paths, "warning", "file")):
        same = collections.defaultdict(list)
        for name in group:
            folder, _, last = name.rpartition("/") if word == "file" else ("", "", name)
            same[folder, composed(last).casefold()].append(name)
        for first, *others in (sorted(some) for some in same.values()):
            for other in others:
                said = difference(first.rpartition("/")[2], other.rpartition("/")[2])
                yield Finding("name-collision", other, f"differs from the {word} {first!a} {said}", severity)


def look_alikes(classes: Sequence[str]) -> Iterator[Finding]:
    """Classes that a reader takes for one, though they differ in more than case and unicode form."""
    for first, other in names.look_alikes(classes):
        if composed(first).casefold() != composed(other).casefold():  # found by `collisions`
            said = f"looks like the class {first!a}, and differs {difference(first, other)}"
            yield Finding("name-collision", other, said, "warning")


def passed_over(skipped: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """What the scan skips, and why."""
    texts = {
        "hidden": ("hidden", "hidden, skipped"),
        "litter": ("litter", "a folder of a system or a storage device, skipped"),
        "dead-class": ("dead-link", "a link among the class folders that leads nowhere; mend or remove it"),
        "dead-link": ("dead-link", "a link that leads nowhere, skipped"),
        "outside": ("outside", "not in a class folder, skipped"),
        "stray": ("outside", "not in a class folder, skipped"),
        "unlisted": ("unlisted", "not in the lists of the split, not used"),
        "unsupported": ("unsupported", "a picture in a format kfg does not read, skipped"),
        "linked": ("linked", "a linked folder, not followed"),
        "to-answer": ("to-answer", "an image of the contest's test, for kfg answer; not opened here"),
        "not-an-image": ("not-an-image", "neither named like an image nor one, skipped"),
    }
    severities = {"not-an-image": "note", "dead-link": "warning"}
    for path, why in skipped:
        kind, detail = texts[why]
        yield Finding(kind, path, detail, severities.get(why, ""))


def all_checks(
    entries: Sequence[Entry], classes: dict[str, int], pairs: np.ndarray, *, expect_size=None, counted: bool = True
) -> Iterator[Finding]:
    """Run every check that needs only the images; of their classes and parts only if these are known (`counted`).

    `pairs` are the near-duplicates among the entries, as `near_duplicates` takes them.
    """
    return itertools.chain(
        broken(entries),
        itertools.chain(counts(classes), untrained_classes(entries), look_alikes(list(classes))) if counted else (),
        collisions([entry.path for entry in entries], list(classes)),
        duplicates(entries),
        near_duplicates(entries, pairs),
        sizes(entries, expect_size),
    )
