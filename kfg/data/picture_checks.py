"""The audit's checks of each picture: of what form it is, whether it is blank or partly lost, one frame of many."""

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
    """What the file is, where that is not a plain upright 8-bit colour image of its suffix."""
    for path, one in ((entry.path, entry.print) for entry in entries):
        suffix = pathlib.PurePosixPath(path).suffix
        if suffix.lower() not in (FORMATS | BY_CONTENT)[one.format]:
            yield Finding(
                "wrong-suffix", path, f"holds {with_article(one.format)}, is named {suffix or 'without suffix'}"
            )
        if one.signs.depth:
            yield Finding("16-bit", path, f"16 bits per channel, of which its values use {one.signs.depth}, read as 8")
        if one.alpha:
            yield Finding("alpha", path, f"transparent (mode {one.mode}), laid on white")
        if one.mode == "CMYK":
            yield Finding("cmyk", path, "printing colours, read as RGB")
        if one.mode in ("1", "L", "LA", "La") or one.mode.startswith("I"):
            yield Finding("greyscale", path, f"one channel (mode {one.mode}), read as three equal ones")
        elif one.grey:
            yield Finding("grey-in-colour", path, f"mode {one.mode}, but all channels are equal")
        if one.orientation != 1:
            yield Finding(
                "exif-rotation", path, f"EXIF orientation {one.orientation} ({TURNED[one.orientation]}), turned upright"
            )


def blank(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Pictures of one colour; those of equal colour are duplicates of each other, whatever their bytes."""
    alike = collections.defaultdict(list)
    for entry in entries:
        signs = entry.print.signs
        if signs.blank is not None:
            alike[signs.blank].append(entry)
            why = "; its transparency hides what it shows, laid on white" if signs.hidden else ""
            yield Finding("blank", entry.path, f"all of one colour, RGB {signs.blank}{why}")
    for colour, (first, *extras) in alike.items():
        for extra in extras:
            if extra.print.sha256 == first.print.sha256:  # said by their bytes already
                continue
            same = f"the same picture as {first.path}: both are blank, RGB {colour}"
            yield Finding("duplicate", extra.path, same)
            if extra.name != first.name:
                detail = f"in {extra.name}; {same} and in {first.name}"
                yield Finding("duplicate-across-classes", extra.path, detail)
            if extra.part != first.part:  # no error: a split does not keep blank pictures together
                detail = f"in {extra.part}; {same} and in {first.part}"
                yield Finding("duplicate-across-parts", extra.path, detail, "warning")


def damaged(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Files that decode without an error though part of the picture is lost, or that had to be mended."""
    for entry in entries:
        signs = entry.print.signs
        if signs.filled is not None:
            part = f"the lower {signs.filled:.0%} of the picture" if signs.filled >= 0.01 else "the end of the picture"
            yield Finding("damaged", entry.path, f"{part} is missing in the file and comes out as plain grey")
        elif signs.zeros:
            detail = f"{signs.zeros:,} zero bytes stand where part of the picture should be, which comes out as garbage"
            yield Finding("damaged", entry.path, detail)
        elif signs.damage:
            yield Finding("damaged", entry.path, f"{signs.damage}; look whether the picture is whole")
        if signs.mended:
            yield Finding("mended", entry.path, signs.mended)
        if signs.opaque:
            yield Finding("alpha", entry.path, "its alpha is zero everywhere, which would hide all: taken for opaque")


def frames(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Files of more than one frame or page, of which only the first is read."""
    for entry in entries:
        signs, (width, height) = entry.print.signs, entry.print.size
        if signs.larger:
            detail = f"the first of {signs.frames} pages, {width}x{height} pixels, is read; another has"
            yield Finding("small-first-page", entry.path, f"{detail} {signs.larger[0]}x{signs.larger[1]}")
        elif signs.frames > 1:
            word, severity = ("pages", "warning") if entry.print.format == "TIFF" else ("frames", "")
            yield Finding("frames", entry.path, f"{signs.frames} {word}, only the first is read", severity)


def depths(entries: Sequence[Entry]) -> Iterator[Finding]:
    """16-bit files whose values use different numbers of bits, so that they are brightened differently."""
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
            "brightness cannot be compared; save all with one range",
        )
