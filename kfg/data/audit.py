"""Audit a data folder: find what would spoil training, and find groups of duplicates.

The findings can be shown as a table or written as JSON, and they set an exit code. The audit also works on folders
that `folder.scan` refuses (one class, a broken file, no image): it reports the reason as a finding.
"""

import collections
import dataclasses
import itertools
import pathlib

import numpy as np

from kfg.data import (
    checks,
    contest,
    corrected,
    fingerprints,
    folder,
    layouts,
    picture_checks,
    shortcuts,
    splitcsv,
    splits,
)
from kfg.data.audit_table import LEVELS
from kfg.data.bad_image import BadImage
from kfg.data.checks import SEVERITY, Entry, Finding
from kfg.data.class_names import not_utf8
from kfg.data.contest import list_folder
from kfg.data.corrected import Corrected
from kfg.data.fingerprints import Fingerprint
from kfg.data.folder import BOTH_PARTS
from kfg.data.index import Index, make_index
from kfg.data.labels import Labels
from kfg.data.listing import checked_root, list_images
from kfg.data.told import parts_read, passed_over
from kfg.errors import InputError
from kfg.names import is_utf8
from kfg.runs import run_files

HINTS = 20  # number of missing files for which a file with a similar name is looked for


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """The result of an audit.

    Args:
        root: the folder.
        images: number of image files looked at, broken ones included.
        classes: class name -> number of images, sorted by name.
        findings: errors first, then warnings, then notes; within these by kind and path.
        fingerprints: one Fingerprint per image.
        pairs: int64 (P, 3), the near-duplicates among the images, as `fingerprints.near_pairs` returns them.
        passed_over: (path, reason) of every file and folder that was skipped; for the reasons see
            kfg.data.listing.Listing.
        corrected: the changes that a corrections.csv has made to the classes; None: there is no corrections.csv.
        told: how a table of labels was read, for the user; "" if there is nothing to say.
    """

    root: pathlib.Path
    images: int
    classes: dict[str, int]
    findings: list[Finding]
    fingerprints: list[Fingerprint]
    pairs: np.ndarray
    passed_over: list[tuple[str, str]]
    corrected: Corrected | None = None
    told: str = ""


def audit(
    root,
    *,
    expect_size: tuple[int, int] | None = None,
    corrections=True,
    labels: Labels | None = None,
    progress=None,
) -> Audit:
    """Open every image below `root` and report what is wrong or worth knowing.

    The parts (train, val, test) are taken from the folder's split.csv, from the lists of a published data set, or from
    its train, val and test folders.

    Args:
        root: the folder, in one of the layouts of `folder.scan`.
        expect_size: (width, height) in pixels that every image should have; default the most common size, if it
            clearly leads; see `checks.sizes`.
        corrections: as for `folder.scan`; photographs that the corrections leave out are not looked at.
        labels: a table that lists the photographs and their classes.
        progress: function (files done, files in all), called after each file.
    Raises:
        InputError: `root` is missing, not a folder, or may not be read; the corrections cannot be used (see
            `kfg.data.corrected.find`); the table of labels cannot be used. All other problems are findings.
    """
    root = checked_root(root)
    index = folder.scan(root, corrections=False, labels=labels) if labels else None
    listing = list_images(root) if index else list_folder(root)
    listed, below, digests, folders, findings = _of(index) if index else _meant(root, listing)
    understood = not findings
    listed, changed = corrected.of_listing(root, listed, folders, wanted=understood and corrections)
    prints = fingerprints.read(root, [path for path, _, _ in listed], progress=progress)
    used = [*(path for path, _, _ in listed), *(changed.left_out if changed else ())]
    if index:
        skipped = passed_over(dataclasses.replace(index, corrected=changed))
    else:
        skipped = listing.passed_over(used, below=below)
    if digests is not None:  # a list names the images, so a link that leads nowhere is not a missing class
        missing = itertools.count()  # each hint lists a folder, which would take hours for a long list of missing files
        prints = [
            _with_hint(root, one) if one.problem == "missing" and next(missing) < HINTS else one for one in prints
        ]
        skipped = [(path, "dead-link" if why == "dead-class" else why) for path, why in skipped]
    digests = digests or {}
    findings += [
        Finding("changed", one.path, _changed(digests[one.path]))
        for one in prints
        if not one.problem and digests.get(one.path, one.sha256) != one.sha256
    ]
    entries = [Entry(*image, one) for image, one in zip(listed, prints, strict=True)]
    classes = dict.fromkeys(folders, 0)
    classes.update(collections.Counter(entry.name for entry in entries if understood))
    for error in listing.refused:
        findings.append(Finding("unreadable", _relative(root, error.filename), error.strerror))
    findings.extend(checks.passed_over(skipped))
    findings.extend(_names(root, entries, classes))
    pairs = fingerprints.near_pairs(prints)
    findings.extend(checks.all_checks(entries, classes, pairs, expect_size=expect_size, counted=understood))
    findings.extend(picture_checks.all_checks(entries))
    if understood:
        findings.extend(_unusable(root, entries, classes, pairs))
        findings.extend(_shortcuts(entries))
    kinds = list(SEVERITY)
    findings.sort(key=lambda one: (LEVELS.index(one.severity), kinds.index(one.kind), one.path))
    told, classes = parts_read(index) if index else "", dict(sorted(classes.items()))
    return Audit(root, len(entries), classes, findings, prints, pairs, skipped, changed, told)


def _of(index):
    """Return the same five values as `_meant`, for the photographs that a table of labels lists."""
    images = zip(index.paths, (index.classes[label] for label in index.labels), index.parts, strict=True)
    return list(images), "", {path: one for path, one in zip(index.paths, index.sha256, strict=True) if one}, [], []


def _meant(root, listing):
    """Return the images of a data folder with their classes and parts, and findings about its layout.

    If the classes cannot be recognised, the image files are returned with class and part "".

    Returns:
        Five values: (path, class, part) of the images; the folder that all of them lie in, "" if they may lie anywhere
        below `root`; path -> digest if a list names the images, else None; the class folders, empty ones included; the
        findings.
    """
    official, findings = _official(root)
    if official is not None:
        return *official, [], findings
    if not findings:
        findings = [Finding("misnamed-parts", ".", message) for message in listing.misnamed]
        findings += [Finding("layout", ".", message) for message in listing.unclear]
    if findings:
        return [(path, "", "") for path, _, _ in listing.images], "", None, [], findings
    return listing.images, "", None, listing.folders, findings


def _with_hint(root, missing: Fingerprint) -> Fingerprint:
    """Add to the fingerprint of a missing file which existing file has a similar name."""
    return dataclasses.replace(missing, reason=missing.reason + splitcsv.nearly(root / missing.path))


def _names(root, entries, classes):
    """Find names that are not UTF-8, which no report and no export could repeat."""
    told = dict.fromkeys(name for name in classes if not is_utf8(name))
    told.update(dict.fromkeys(entry.path for entry in entries if not is_utf8(entry.path) and entry.name not in told))
    if not is_utf8(str(root.resolve())):
        yield Finding("bad-name", ".", "the name of this folder, or of one above it, is not UTF-8; rename it")
    for name in told:
        yield Finding("bad-name", name, not_utf8(root))


def _unusable(root, entries, classes, pairs):
    """Find errors that would stop a training on these images before its first step: equal class ids, an empty part."""
    try:
        if contest.keeps_ids(root, classes):
            contest.check_ids(classes)
    except InputError as error:
        yield Finding("misnamed-parts", ".", str(error))
    if len({entry.name for entry in entries}) < 2 or any(entry.print.problem for entry in entries):
        return  # other checks report this
    prints, names = [entry.print for entry in entries], list(classes)
    ids = {name: label for label, name in enumerate(names)}
    index = make_index(
        root,
        [entry.path for entry in entries],
        [ids[entry.name] for entry in entries],
        names,
        parts=[entry.part for entry in entries],
        groups=fingerprints.group(prints, range(len(prints)), pairs=pairs),
    )
    for part in splits.empty_parts(index):
        yield Finding("too-few-images", ".", f"no image would be left for {part}; {splits.WANTED}")


def _shortcuts(entries):
    """Return findings about shortcuts: signs other than the object, such as the image size, that give away a class."""
    good = [entry for entry in entries if not entry.print.problem]
    names = sorted({entry.name for entry in good})
    numbers = {name: number for number, name in enumerate(names)}
    found = shortcuts.find([entry.print for entry in good], [numbers[entry.name] for entry in good])
    return [Finding("shortcut", names[one.label], f"{one.said}; {one.advice}") for one in found]


def _official(root):
    """Return the images that split.csv or a published set lists, and findings about these lists.

    The first value is (images, their folder, path -> digest), or None if there is no list or it cannot be used.
    """
    csv = root / run_files.SPLIT
    try:
        if csv.is_file():
            rows, _ = splitcsv.split_rows(csv, root)
            rows = splitcsv.on_disk(rows, root)
            if any(row["part"] == splitcsv.BOTH for row in rows):
                raise InputError(f"{csv}: {BOTH_PARTS}")
            digests = {row["path"]: row["sha256"] for row in rows if row.get("sha256")}
            return ([(row["path"], row["class"], row["part"]) for row in rows], "", digests), []
        layout = layouts.find(root)
        return ((layout.images, layout.folder, {}) if layout else None), []
    except InputError as error:
        return None, [Finding("bad-split", run_files.SPLIT if csv.is_file() else ".", str(error))]


def _relative(root, path) -> str:
    path = pathlib.Path(path)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def exit_code(result: Audit) -> int:
    """Return 1 if there is an error among the findings, else 0."""
    return int(any(finding.severity == "error" for finding in result.findings))


def _changed(digest) -> str:
    return f"the file is not the one that {run_files.SPLIT} lists (sha256 {digest[:12]}...)"


def duplicate_groups(index: Index, *, audited: Audit | None = None, progress=None) -> Index:
    """Read every image and return `index` with `sha256` and `groups` filled; duplicates and near-duplicates share one.

    Images that share a group in `index` already stay in one group. The images that corrections have left out are
    compared as well, as far as they can be decoded: `splits.split` needs to know how things were without corrections.

    Args:
        index: the images.
        audited: an audit of the same folder; files that it has read and compared are not read and compared again.
        progress: function (files done, files in all), called after each file that is read.
    Raises:
        InputError: an image cannot be decoded, or its bytes do not have the digest in `index.sha256`.
    """
    whole = index if index.uncorrected is None else index.uncorrected
    of_path = {} if audited is None else {one.path: one for one in audited.fingerprints}
    unread = [path for path in whole.paths if path not in of_path]
    of_path.update({one.path: one for one in fingerprints.read(index.root, unread, progress=progress)})
    for path, given in zip(index.paths, index.sha256, strict=True):
        one = of_path[path]
        if one.problem:
            raise BadImage(index.root / path, one.problem, one.reason)
        if given and given != one.sha256:
            mend = f"remove {run_files.SPLIT} and write it again with `kfg split`"
            raise InputError(f"{index.root / path}: {_changed(given)}; {mend}")
    whole = whole.take([at for at, path in enumerate(whole.paths) if not of_path[path].problem])
    prints = [of_path[path] for path in whole.paths]
    pairs = audited.pairs if audited and prints and prints == audited.fingerprints else None
    groups = fingerprints.group(prints, whole.groups.tolist(), pairs=pairs)
    whole = dataclasses.replace(whole, groups=groups, sha256=tuple(one.sha256 for one in prints))
    if index.uncorrected is None:
        return whole
    group_of = dict(zip(whole.paths, groups.tolist(), strict=True))
    return dataclasses.replace(
        index,
        groups=np.array([group_of[path] for path in index.paths], dtype=np.int64),
        sha256=tuple(of_path[path].sha256 for path in index.paths),
        uncorrected=whole,
    )
