"""Look through a data folder for what spoils training: findings, a table, JSON, an exit code; and duplicate groups.

Works on folders that `folder.scan` refuses (one class, a broken file, no image): there, that is what is found.
"""

import collections
import dataclasses
import itertools
import pathlib

import numpy as np

from kfg.data import checks, contest, fingerprints, layouts, picture_checks, shortcuts, splitcsv, splits
from kfg.data.checks import SEVERITY, Entry, Finding
from kfg.data.contest import list_folder
from kfg.data.decode import BadImage
from kfg.data.fingerprints import Fingerprint
from kfg.data.folder import BOTH_PARTS, Index, make_index, not_utf8
from kfg.data.listing import checked_root
from kfg.data.remarks import remark
from kfg.errors import InputError
from kfg.names import is_utf8, printable, utf8
from kfg.runs import run_files

HINTS = 20  # missing files for which one of a similar name is looked for
LEVELS = ("error", "warning", "note")
EXAMPLES = 3  # findings of a kind shown in the table; the JSON has all
CLASS_LINES = 24  # with more classes the table shows the largest and the smallest


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """What an audit saw.

    Args:
        root: the folder.
        images: image files looked at, broken ones included.
        classes: class name -> images, by name.
        findings: errors first, then warnings, then notes; within these by kind and path.
        fingerprints: one per image.
        pairs: int64 (P, 3), the near-duplicates among them, as `fingerprints.near_pairs` gives them.
        passed_over: (path, why) of what is in the folder and no image of it; the why as in kfg.data.listing.Listing.
    """

    root: pathlib.Path
    images: int
    classes: dict[str, int]
    findings: list[Finding]
    fingerprints: list[Fingerprint]
    pairs: np.ndarray
    passed_over: list[tuple[str, str]]


def audit(root, *, expect_size: tuple[int, int] | None = None, progress=None) -> Audit:
    """Open every image below `root` and report what is wrong or worth knowing.

    The folder's parts are those of its split.csv, of a published set's lists, or of its train, val and test folders.

    Args:
        root: the folder, in one of the layouts of `folder.scan`.
        expect_size: (width, height) in pixels that every image should have; default the most common one, if it
            clearly leads; see `checks.sizes`.
        progress: function (files done, files in all), called after each.
    Raises:
        InputError: `root` is missing, not a folder, or may not be read. All else is a finding.
    """
    root = checked_root(root)
    listing = list_folder(root)
    listed, below, digests, folders, findings = _meant(root, listing)
    understood = not findings
    prints = fingerprints.read(root, [path for path, _, _ in listed], progress=progress)
    skipped = listing.passed_over((path for path, _, _ in listed), below=below)
    if digests is not None:  # a list says what there is: a folder that is gone is no class that is missing
        missing = itertools.count()  # each hint lists a folder: a whole list of them takes hours
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
    return Audit(root, len(entries), dict(sorted(classes.items())), findings, prints, pairs, skipped)


def _meant(root, listing):
    """Return what a data folder is taken to mean, and what is wrong with that.

    Where it cannot be told, the files are looked at, and nothing is said of classes and parts.

    Returns:
        (path, class, part) of the images; the folder that they all lie in, "" for any; path -> digest where a list
        says which images there are, else None; class folders, empty ones included; findings.
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
    """Say of a listed image that is not there what there is of nearly its name."""
    return dataclasses.replace(missing, reason=missing.reason + splitcsv.nearly(root / missing.path))


def _names(root, entries, classes):
    """Find names that no report and no export could repeat."""
    told = dict.fromkeys(name for name in classes if not is_utf8(name))
    told.update(dict.fromkeys(entry.path for entry in entries if not is_utf8(entry.path) and entry.name not in told))
    if not is_utf8(str(root.resolve())):
        yield Finding("bad-name", ".", "the name of this folder, or of one above it, is not UTF-8; rename it")
    for name in told:
        yield Finding("bad-name", name, not_utf8(root))


def _unusable(root, entries, classes, pairs):
    """Find what would end a training on these images before its first step: ids that are alike, an empty part."""
    try:
        if contest.keeps_ids(root, classes):
            contest.check_ids(classes)
    except InputError as error:
        yield Finding("misnamed-parts", ".", str(error))
    if len({entry.name for entry in entries}) < 2 or any(entry.print.problem for entry in entries):
        return  # found already
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
        yield Finding("too-few-images", ".", f"no image would be left for {part}: {splits.WANTED}")


def _shortcuts(entries):
    """Return what tells a class besides its object."""
    good = [entry for entry in entries if not entry.print.problem]
    names = sorted({entry.name for entry in good})
    numbers = {name: number for number, name in enumerate(names)}
    found = shortcuts.find([entry.print for entry in good], [numbers[entry.name] for entry in good])
    return [Finding("shortcut", names[one.label], f"{one.said}; {one.advice}") for one in found]


def _official(root):
    """Return (images that split.csv or a published set names, their folder, path -> digest), and what is wrong."""
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


def as_json(result: Audit) -> dict:
    """Return the audit as JSON values: images, classes, findings (dicts of kind, severity, path, detail), and more.

    `imbalance_ratio` is that of the largest class to the smallest.
    """
    return {
        "images": result.images,
        "classes": {utf8(name): count for name, count in result.classes.items()},
        "imbalance_ratio": checks.imbalance(result.classes),
        "findings": [
            {"kind": one.kind, "severity": one.severity, "path": utf8(one.path), "detail": utf8(one.detail)}
            for one in result.findings
        ],
    }


def findings_table(result: Audit) -> str:
    """Return the audit for the screen: classes, then each kind of finding with its count and examples."""
    where = f"in {len(result.classes)} classes" if result.classes else "and no classes to be seen"
    lines = [f"{printable(str(result.root))}: {result.images:,} images {where}", ""]
    lines += _class_lines(result.classes) if result.classes else []
    by_kind = collections.defaultdict(list)
    for finding in result.findings:
        by_kind[finding.severity, finding.kind].append(finding)
    if by_kind:
        lines += ["", f"{'finding':<31}{'severity':<10}{'count':>6}  examples"]
    for (severity, kind), found in by_kind.items():
        examples = [printable(f"{one.path}: {one.detail}") for one in found[:EXAMPLES]]
        if len(found) > EXAMPLES:
            examples.append(f"and {len(found) - EXAMPLES:,} more")
        lines.append(f"{kind:<31}{severity:<10}{len(found):>6,}  {examples[0]}")
        lines += [f"{'':<49}{example}" for example in examples[1:]]
    if counted := remark(result.passed_over):  # by kind: the examples above may all be of one
        lines += ["", counted]
    totals = collections.Counter(finding.severity for finding in result.findings)
    lines += ["", ", ".join(f"{totals[level]:,} {level}{'' if totals[level] == 1 else 's'}" for level in LEVELS)]
    return "\n".join(lines)


def _class_lines(classes):
    ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
    half = CLASS_LINES // 2
    rows = [(printable(name), f"{count:,}") for name, count in ordered]
    if len(rows) > CLASS_LINES:
        rows = [*rows[:half], (f"... {len(rows) - 2 * half} classes between", ""), *rows[-half:]]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{'class':<{width}}  images"] if rows else []
    lines += [f"{name:<{width}}{count:>8}" for name, count in rows]
    return [*lines, f"imbalance ratio {checks.imbalance(classes):.1f} (largest class to smallest)"]


def _changed(digest) -> str:
    return f"its bytes are not those that {run_files.SPLIT} lists (sha256 {digest[:12]}...)"


def duplicate_groups(index: Index, *, audited: Audit | None = None, progress=None) -> Index:
    """Read every image and fill `sha256` and `groups`: files of equal bytes and near-duplicates share a group.

    Groups that the index already has are kept together.

    Args:
        index: the images.
        audited: an audit of the same folder; what it has read and compared is not read and compared again.
        progress: function (files done, files in all), called after each that is read.
    Raises:
        InputError: an image that cannot be decoded, or whose bytes are not those that `index.sha256` gives.
    """
    seen = [] if audited is None else audited.fingerprints
    of_path = {one.path: one for one in seen}
    unread = [path for path in index.paths if path not in of_path]
    of_path.update({one.path: one for one in fingerprints.read(index.root, unread, progress=progress)})
    prints = [of_path[path] for path in index.paths]
    for one, given in zip(prints, index.sha256, strict=True):
        if one.problem:
            raise BadImage(index.root / one.path, one.problem, one.reason)
        if given and given != one.sha256:
            mend = f"remove {run_files.SPLIT} and write it anew with `kfg split`"
            raise InputError(f"{index.root / one.path}: {_changed(given)}; {mend}")
    pairs = audited.pairs if prints and prints == seen else None
    groups = fingerprints.group(prints, index.groups.tolist(), pairs=pairs)
    return dataclasses.replace(index, groups=groups, sha256=tuple(one.sha256 for one in prints))
