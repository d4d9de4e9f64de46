"""The audit's checks, one function each: they take entries (image files) and yield findings."""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from kfg import names
from kfg.data import spellings
from kfg.data.fingerprints import Fingerprint
from kfg.data.listing import untrained
from kfg.names import composed, difference, printable

SEVERITY = {  # error: training refuses, or its figures would be wrong; warning: look at it; note: good to know
    "bad-split": "error",  # this and the next two come first: they concern the folder as a whole, not single files
    "misnamed-parts": "error",
    "layout": "error",  # no classes can be seen
    "undecodable": "error",
    "truncated": "error",
    "not-an-image": "error",  # only a note if the file has no image suffix either: then it is skipped
    "bomb": "error",
    "unreadable": "error",
    "missing": "error",
    "bad-name": "error",
    "dead-link": "error",  # a link among the class folders; inside a class folder: warning
    "changed": "error",
    "no-images": "error",
    "one-class": "error",
    "empty-class": "error",
    "one-image-class": "error",  # one image cannot be divided into parts
    "too-few-images": "error",  # a part would be empty
    "untrained-class": "error",  # its images all lie in val and test
    "duplicate-across-classes": "error",
    "duplicate-across-parts": "error",
    "name-collision": "warning",  # of two files; of two classes: error
    "like-names": "warning",  # of two classes
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
    "frames": "note",  # for a file with several pages: warning
    "hidden": "note",
    "litter": "note",
    "outside": "note",
    "unlisted": "note",
    "to-answer": "note",
}
IMBALANCE = 10  # from this ratio of the largest class to the smallest on, the imbalance is reported
# Kinds of errors of single photographs, against which `kfg review` helps; and other kinds that do not hinder it.
ONE_PHOTOGRAPH = {"undecodable", "truncated", "not-an-image", "bomb", "duplicate-across-classes"}
NO_HINDRANCE = {"name-collision", "one-image-class", "too-few-images", "untrained-class", "duplicate-across-parts"}
UNITE = "put the photographs of both into one folder (with --csv, give both one name in the table)"
LEAD = 5  # a size leads if at least a fifth of the images have it, and five times as many as have any other size


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding of an audit. `path` is relative to the audited folder, "." for the folder itself."""

    kind: str
    path: str
    detail: str
    severity: str = ""

    def __post_init__(self):
        object.__setattr__(self, "severity", self.severity or SEVERITY[self.kind])


def reviewable(findings: Iterable[Finding]) -> bool:
    """Return whether `kfg review` helps against errors: it can open the folder, and some are of single photographs.

    Example:
        >>> reviewable([Finding("truncated", "a.jpg", "")]), reviewable([Finding("layout", ".", "")])
        (True, False)
    """
    kinds = {finding.kind for finding in findings if finding.severity == "error"}
    return bool(kinds & ONE_PHOTOGRAPH) and kinds <= ONE_PHOTOGRAPH | NO_HINDRANCE


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """One image file: its path, its class (`name`), its part, and its fingerprint (`print`)."""

    path: str
    name: str
    part: str
    print: Fingerprint


def broken(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find files that training would refuse."""
    for entry in entries:
        if entry.print.problem:
            yield Finding(entry.print.problem, entry.path, entry.print.reason)


def sizes(entries: Sequence[Entry], expect_size: tuple[int, int] | None) -> Iterator[Finding]:
    """Find images of another size than the expected one, or than the most common one if that clearly leads.

    A size clearly leads if more than half of the images have it, or if at least one image in LEAD has it and LEAD
    times as many as have the next size. If no size leads, one finding says that the sizes are mixed.
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
    """Find files with equal bytes: one finding per extra file, or one for each of class and part that differ."""
    same = collections.defaultdict(list)
    for entry in entries:
        if not entry.print.problem:
            same[entry.print.sha256].append(entry)
    for first, *extras in same.values():
        for extra in extras:
            if (extra.name, extra.part) == (first.name, first.part):
                yield Finding("duplicate", extra.path, f"same bytes as {first.path}")
        for what, word in (("classes", "name"), ("parts", "part")):
            for extra in extras:
                if getattr(extra, word) != getattr(first, word):
                    here, there = getattr(extra, word), getattr(first, word)
                    yield Finding(
                        f"duplicate-across-{what}",
                        extra.path,
                        f"in {here}, but has the same bytes as {first.path} in {there}",
                    )


def near_duplicates(entries: Sequence[Entry], pairs: np.ndarray) -> Iterator[Finding]:
    """Find pictures that are almost the same.

    For each image the nearest earlier image of another class is reported, the nearest of another part, and the nearest
    of all if it is neither.

    Args:
        entries: the images.
        pairs: the result of `fingerprints.near_pairs` for these images.
    """
    pairs, told = pairs.tolist(), set()
    for kind, differs in (
        ("near-duplicate-across-classes", lambda a, b: a.name != b.name),
        ("near-duplicate-across-parts", lambda a, b: a.part != b.part),
        ("near-duplicate", lambda a, b: True),
    ):
        said = set()
        for i, j, bits in pairs:
            if j not in said and differs(entries[i], entries[j]):
                said.add(j)
                if kind != "near-duplicate" or (i, j) not in told:
                    told.add((i, j))
                    yield Finding(kind, entries[j].path, f"like {entries[i].path} ({bits} of 64 hash bits differ)")


def counts(classes: dict[str, int]) -> Iterator[Finding]:
    """Find classes with too few images, and a data set that is empty, has one class or is imbalanced."""
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
                "only one photograph, which can be used for training or for the test, not for both; add photographs "
                "(three or more in all), or remove the class",
            )
    ratio = imbalance(classes)
    if ratio >= IMBALANCE:
        yield Finding("imbalance", ".", f"the largest class has {ratio:.1f} times the images of the smallest")


def untrained_classes(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find classes without a training image in the parts that the folder itself gives."""
    for name, where in untrained((entry.name, entry.part) for entry in entries).items():
        yield Finding("untrained-class", name, f"{where}, none in train")


def imbalance(classes: dict[str, int]) -> float:
    """Return the image count of the largest class over that of the smallest class that has any; 1.0 without images."""
    filled = [count for count in classes.values() if count]
    return max(filled) / min(filled) if filled else 1.0


def collisions(paths: Sequence[str], classes: Sequence[str]) -> Iterator[Finding]:
    """Find names that differ only in case or Unicode form: on some other systems they are one file or class."""
    for group, severity, word in ((classes, "error", "class"), (paths, "warning", "file")):
        same = collections.defaultdict(list)
        for name in group:
            folder, _, last = name.rpartition("/") if word == "file" else ("", "", name)
            same[folder, composed(last).casefold()].append(name)
        for first, *others in (sorted(some) for some in same.values()):
            for other in others:
                said = difference(first.rpartition("/")[2], other.rpartition("/")[2])
                said = f"differs from the {word} {first!a} {said}; {UNITE if word == 'class' else 'rename one of them'}"
                yield Finding("name-collision", other, said, severity)


def look_alikes(classes: Sequence[str]) -> Iterator[Finding]:
    """Find class names that look alike to a reader, although they differ in more than case and Unicode form."""
    for first, other in names.look_alikes(classes):
        if composed(first).casefold() != composed(other).casefold():  # `collisions` finds the others
            said = f"looks like the class {first!a}, and differs {difference(first, other)}"
            yield Finding("name-collision", other, f"{said}; if they are one class, {UNITE}", "warning")


def like_names(classes: dict[str, int]) -> Iterator[Finding]:
    """Find class names that may be two spellings of one; the finding is about the class with fewer images."""
    for pair in spellings.pairs(list(classes)):
        other, first = sorted(pair, key=lambda name: (classes[name], name))
        yield Finding("like-names", other, f"may be the same class as {printable(first)!r}: if so, {UNITE}")


def passed_over(skipped: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Yield a finding for each file and folder that the scan skips, with the reason."""
    texts = {
        "hidden": ("hidden", "hidden, so it is skipped"),
        "litter": ("litter", "a folder that an operating system or a device made, so it is skipped"),
        "dead-class": ("dead-link", "a link among the class folders that leads nowhere; repair or remove it"),
        "dead-link": ("dead-link", "a link that leads nowhere, so it is skipped"),
        "outside": ("outside", "not in a class folder, so it is skipped"),
        "stray": ("outside", "not in a class folder, so it is skipped"),
        "unlisted": ("unlisted", "not listed in the split, so it is not used"),
        "unsupported": ("unsupported", "an image in a format that kfg does not read, so it is skipped"),
        "linked": ("linked", "a link to a folder, which kfg does not follow"),
        "to-answer": ("to-answer", "a test image of the contest, which is for kfg answer; it is not checked"),
        "not-an-image": ("not-an-image", "not an image, neither by its name nor by its content, so it is skipped"),
    }
    severities = {"not-an-image": "note", "dead-link": "warning"}
    for path, why in skipped:
        kind, detail = texts[why]
        yield Finding(kind, path, detail, severities.get(why, ""))


def all_checks(
    entries: Sequence[Entry], classes: dict[str, int], pairs: np.ndarray, *, expect_size=None, counted: bool = True
) -> Iterator[Finding]:
    """Run every check of the images; the checks of classes and their sizes only if the classes are known (`counted`).

    `pairs` are the near-duplicates among the entries, as `near_duplicates` takes them.
    """
    return itertools.chain(
        broken(entries),
        itertools.chain(counts(classes), untrained_classes(entries), look_alikes(list(classes)), like_names(classes))
        if counted
        else (),
        collisions([entry.path for entry in entries], list(classes)),
        duplicates(entries),
        near_duplicates(entries, pairs),
        sizes(entries, expect_size),
    )
