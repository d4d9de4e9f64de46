"""The audit's checks of each picture: its form, whether it is blank or partly lost, and whether the file has more."""

import collections
import pathlib
from collections.abc import Iterator, Sequence

from kfg.data.checks import Entry, Finding
from kfg.data.foreign import with_article
from kfg.data.formats import BY_CONTENT, FORMATS

TURNED = {
    2: "mirrored",
    3: "turned by 180",
    4: "upside down",
    5: "transposed",
    6: "turned by 90",
    7: "transversed",
    8: "turned by 270",
}


def all_checks(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Run every check of this module on the images that could be decoded."""
    good = [entry for entry in entries if not entry.print.problem]
    for check in (forms, blank, damaged, frames, depths):
        yield from check(good)


def forms(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find files that are not plain: another format than the suffix says, rotated, grey, transparent, 16 bits, CMYK."""
    for path, one in ((entry.path, entry.print) for entry in entries):
        suffix = pathlib.PurePosixPath(path).suffix
        if suffix.lower() not in (FORMATS | BY_CONTENT)[one.format]:
            yield Finding(
                "wrong-suffix",
                path,
                f"holds {with_article(one.format)}, but {f'is named {suffix}' if suffix else 'its name has no suffix'}",
            )
        if one.signs.depth:
            yield Finding(
                "16-bit",
                path,
                f"16 bits per channel, of which its values use {one.signs.depth}; kfg reads it as 8 bits",
            )
        if one.alpha:
            yield Finding("alpha", path, f"transparent (mode {one.mode}); kfg puts it on white")
        if one.mode == "CMYK":
            yield Finding("cmyk", path, "has printing colours (CMYK); kfg reads it as RGB")
        if one.mode in ("1", "L", "LA", "La") or one.mode.startswith("I"):
            yield Finding("greyscale", path, f"one channel (mode {one.mode}); kfg reads it as three equal channels")
        elif one.grey:
            yield Finding("grey-in-colour", path, f"mode {one.mode}, but all channels are equal")
        if one.orientation != 1:
            yield Finding(
                "exif-rotation",
                path,
                f"EXIF orientation {one.orientation} ({TURNED[one.orientation]}); kfg turns it upright",
            )


def blank(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find pictures of a single colour; those of the same colour count as duplicates, even if their bytes differ."""
    alike = collections.defaultdict(list)
    for entry in entries:
        signs = entry.print.signs
        if signs.blank is not None:
            alike[signs.blank].append(entry)
            why = "; on white, its transparency hides everything it shows" if signs.hidden else ""
            yield Finding("blank", entry.path, f"has only one colour, RGB {signs.blank}{why}")
    for colour, (first, *extras) in alike.items():
        for extra in extras:
            if extra.print.sha256 == first.print.sha256:  # reported as files with equal bytes
                continue
            same = f"the same picture as {first.path}: both are blank, RGB {colour}"
            if (extra.name, extra.part) == (first.name, first.part):
                yield Finding("duplicate", extra.path, same)
            if extra.name != first.name:
                detail = f"in {extra.name}; {same} and in {first.name}"
                yield Finding("duplicate-across-classes", extra.path, detail)
            if extra.part != first.part:  # a warning only: a split does not keep blank pictures together
                detail = f"in {extra.part}; {same} and in {first.part}"
                yield Finding("duplicate-across-parts", extra.path, detail, "warning")


def damaged(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find files that decode without an error although part of the picture is lost, and files that were repaired."""
    for entry in entries:
        signs = entry.print.signs
        if signs.filled is not None:
            part = f"the lower {signs.filled:.0%} of the image" if signs.filled >= 0.01 else "the end of the image"
            yield Finding("damaged", entry.path, f"{part} is missing in the file and is read as plain grey")
        elif signs.zeros:
            detail = f"{signs.zeros:,} zero bytes replace part of the image, which is read as garbage"
            yield Finding("damaged", entry.path, detail)
        elif signs.damage:
            yield Finding("damaged", entry.path, f"{signs.damage}; check whether the image is complete")
        if signs.mended:
            yield Finding("mended", entry.path, signs.mended)
        if signs.opaque:
            yield Finding(
                "alpha", entry.path, "its alpha is zero everywhere, which would hide everything; kfg reads it as opaque"
            )


def frames(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find files with several frames or pages, of which only the first is read."""
    for entry in entries:
        signs, (width, height) = entry.print.signs, entry.print.size
        if signs.larger:
            detail = f"the first of {signs.frames} pages, {width}x{height} pixels, is read; another has"
            yield Finding("small-first-page", entry.path, f"{detail} {signs.larger[0]}x{signs.larger[1]}")
        elif signs.frames > 1:
            word, severity = ("pages", "warning") if entry.print.format == "TIFF" else ("frames", "")
            yield Finding("frames", entry.path, f"{signs.frames} {word}, of which kfg reads only the first", severity)


def depths(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find whether 16-bit files use different numbers of bits, so that they are brightened differently."""
    of_depth = collections.defaultdict(list)
    for entry in entries:
        if entry.print.signs.depth:
            of_depth[entry.print.signs.depth].append(entry.path)
    if len(of_depth) > 1:
        said = ", ".join(f"{depth} bits in {len(paths):,} ({paths[0]})" for depth, paths in sorted(of_depth.items()))
        yield Finding(
            "mixed-depths",
            ".",
            f"16-bit files whose values use {said}: each is scaled by its own bits, so their "
            "brightness cannot be compared; save all files with the same range of values",
        )
