"""`kfg audit`, `split`, `data` and `demo`: what is done with a folder of photographs before a training."""

import re
import sys

from kfg.errors import InputError
from kfg.names import printable
from kfg.runs import run_files

SPLIT_OPTIONS = ("val", "test", "seed", "min_per_class")


def audit(args) -> int:
    """Look for what spoils training. Exit 0: no error found; 1: errors found, an empty folder is one; 2: wrong use.

    Odd sizes are told against the commonest size, if more than half of the images have it, or a fifth of them and
    five times as many as have the next size; else a note says that sizes are mixed.
    """
    from kfg import overwrite
    from kfg.data import audit as auditing
    from kfg.files import write_json

    if args.json:
        kept = ("images", "classes", "findings")
        overwrite.check_file(args.json, lambda path: overwrite.is_json(path, kept), what="an audit's")
    result = auditing.audit(args.folder, expect_size=_size(args.expect_size))
    print(auditing.findings_table(result))
    if args.json:
        write_json(args.json, auditing.as_json(result))
    return auditing.exit_code(result)


def split(args) -> int:
    """Write a stratified, leak-safe split.csv. Parts that DIR has already, by a split.csv or part folders, stay."""
    from kfg import overwrite
    from kfg.data import audit as auditing
    from kfg.data import folder, listing, splits

    out = args.out or args.folder / run_files.SPLIT
    listing.checked_root(args.folder)
    overwrite.check_file(out, lambda path: overwrite.is_csv(path, splits.COLUMNS), what="a split.csv of kfg's")
    chosen = {name: getattr(args, name) for name in SPLIT_OPTIONS if getattr(args, name) is not None}
    index = folder.scan(args.folder)
    if parts := folder.parts_read(index):
        print(f"{printable(str(args.folder))}: {parts}")
    _say_decided(index, chosen)
    index = auditing.duplicate_groups(index)
    if remark := listing.remark(folder.passed_over(index)):
        print(f"{printable(str(args.folder))}: {remark}")
    if alike := folder.look_alikes(index.classes):
        print(f"{printable(str(args.folder))}: {alike}")
    index = splits.split(index, **{**splits.FRACTIONS, **chosen})
    splits.check_apart(index)
    _check_filled(index, chosen)
    splits.write_csv(index, out)
    counts = ", ".join(f"{part} {len(index.where(part))}" for part in folder.PARTS)
    print(f"{printable(str(out))}: {counts}; {len(set(index.groups.tolist()))} groups")
    return 0


def _check_filled(index, chosen):
    """Refuse a split that leaves a part empty which was asked for; say which classes a part lacks."""
    from kfg.data import folder, splits
    from kfg.names import shortened

    for part in folder.PARTS:
        counts = index.take(index.where(part)).counts()
        if not counts.any() and chosen.get(part, 1):
            leave = "" if part == "train" else f"; or leave it empty with --{part} 0"
            raise InputError(f"{index.root}: no image is left for {part}: {splits.WANTED}{leave}")
        lacking = [printable(name) for name, count in zip(index.classes, counts, strict=True) if not count]
        if counts.any() and lacking:
            print(f"no image in {part} of {len(lacking)} of {len(index.classes)} classes: {shortened(lacking)}")


def _say_decided(index, chosen):
    """Say which parts the data has of its own; refuse options that have nothing left to decide."""
    from kfg.data import folder

    own = [part for part in folder.PARTS if part in index.parts]
    if not own:
        return
    missing = [part for part in ("val", "test") if part not in own]
    decided = f"{', '.join(own)} decided already by {folder.decided_by(index.root)}"
    for name in chosen:
        if not missing or name in own:
            raise InputError(f"--{name.replace('_', '-')}: without effect, {decided}; leave it out")
    rest = f"; {' and '.join(missing)} cut out of {'the rest' if '' in index.parts else 'train'}" if missing else ""
    print(f"{index.root}: {decided}, no fraction was used there{rest}")


def data(args) -> int:
    """Download, check and unpack a published data set; the same command goes on with an interrupted download."""
    from kfg.data import download, folder, published

    where = download.get(args.name, args.folder, urls=args.url, progress=_progress)
    index = folder.scan(where)
    parts = ", ".join(f"{part} {len(index.where(part)):,}" for part in folder.PARTS if len(index.where(part)))
    print(f"{where}: {len(index):,} images in {len(index.classes)} classes" + (f" ({parts})" if parts else ""))
    print(f"terms of use: {published.find(args.name).page}")
    return 0


def _progress(file, done, total):
    if sys.stderr.isatty():
        print(
            f"\r{file}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", end="\n" if done == total else "", file=sys.stderr
        )


def demo(args) -> int:
    """Draw the demo images."""
    from kfg.data import demo as drawing

    planted = drawing.write(args.folder)
    print(f"{args.folder}: 20 classes drawn")
    print("planted for the audit to find: " + ", ".join(f"{kind} {len(paths)}" for kind, paths in planted.items()))
    return 0


def _size(text):
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if not match:
        raise InputError(f"--expect-size: expected WIDTHxHEIGHT like 300x300, got {text!r}")
    return int(match[1]), int(match[2])
