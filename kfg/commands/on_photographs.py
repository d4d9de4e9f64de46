"""`kfg audit`, `split`, `data` and `demo`: the commands for a folder of photographs before a training."""

import collections
import pathlib
import re

from kfg.commands import choosing, fetching
from kfg.errors import InputError
from kfg.names import printable
from kfg.progress import Progress
from kfg.runs import run_files

SPLIT_OPTIONS = ("val", "test", "seed", "min_per_class")


def audit_options(p):
    """Add the options of `kfg audit`."""
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the findings to FILE")
    choosing.photograph_options(p)
    p.add_argument(
        "--expect-size",
        metavar="WxH",
        help="size that the images should have (default: the most common size, see above)",
    )


def audit(args) -> int:
    """Look for what spoils training. Exit 0: no error found; 1: errors found, or an empty folder; 2: wrong use.

    An image counts as oddly sized if it differs from the commonest size. That size needs more than half of the images,
    or at least a fifth of them and five times as many as the next size; without it, a note says that sizes are mixed.
    """
    from kfg import overwrite
    from kfg.data import audit as auditing
    from kfg.data import audit_table
    from kfg.files import write_json

    if args.json:
        kept = ("images", "classes", "findings")
        overwrite.check_file(args.json, lambda path: overwrite.is_json(path, kept), what="an audit written by kfg")
    labels = choosing.labels(args)
    result = auditing.audit(
        args.folder,
        expect_size=_size(args.expect_size),
        corrections=choosing.corrections(args),
        labels=labels,
        progress=Progress("photographs"),
    )
    if result.told:
        print(f"{printable(str(args.folder))}: {result.told}")
    print(audit_table.findings_table(result, labels=labels))
    if args.json:
        write_json(args.json, audit_table.as_json(result))
    return auditing.exit_code(result)


def split_options(p):
    """Add the options of `kfg split`."""
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument(
        "--out", type=pathlib.Path, metavar="FILE", help="default: DIR/split.csv, which kfg train and the recipes use"
    )
    p.add_argument("--val", type=float, help="fraction of the images for validation (default: 0.05, as in kfg train)")
    p.add_argument("--test", type=float, help="fraction of the images for the test (default: 0.2, as in kfg train)")
    p.add_argument("--seed", type=int, help="random seed (default: 0)")
    choosing.photograph_options(p)
    p.add_argument(
        "--min-per-class",
        type=int,
        metavar="N",
        help="do not divide a class by fractions if it has fewer groups than this; an image and its duplicates are one "
        "group (default: 4)",
    )


def split(args) -> int:
    """Write a stratified, leak-safe split.csv. Parts that DIR already has, from a split.csv or part folders, stay."""
    from kfg import overwrite
    from kfg.data import audit as auditing
    from kfg.data import class_names, corrected, folder, listing, remarks, splits, told
    from kfg.data.part_folders import PARTS

    out = args.out or args.folder / run_files.SPLIT
    listing.checked_root(args.folder)
    overwrite.check_file(out, lambda path: overwrite.is_csv(path, splits.COLUMNS), what="a split.csv written by kfg")
    chosen = {name: getattr(args, name) for name in SPLIT_OPTIONS if getattr(args, name) is not None}
    index = folder.scan(args.folder, corrections=choosing.corrections(args), labels=choosing.labels(args))
    if said := corrected.said(index.corrected):
        print(said)
    if parts := told.parts_read(index):
        print(f"{printable(str(args.folder))}: {parts}")
    _say_decided(index, chosen)
    index = auditing.duplicate_groups(index, progress=Progress("photographs read"))
    if remark := remarks.remark(told.passed_over(index)):
        print(f"{printable(str(args.folder))}: {remark}")
    if alike := class_names.look_alikes(index.classes):
        print(f"{printable(str(args.folder))}: {alike}")
    index = splits.split(index, **{**splits.FRACTIONS, **chosen})
    splits.check_apart(index)
    _check_filled(index, chosen)
    splits.write_csv(index, out)
    counts = ", ".join(f"{part} {len(index.where(part))}" for part in PARTS)
    print(f"{printable(str(out))}: {counts}; {len(set(index.groups.tolist()))} groups")
    return 0


def _check_filled(index, chosen):
    """Refuse a split in which a part that was asked for is empty; print which classes a part has no image of."""
    from kfg.data import splits
    from kfg.data.part_folders import PARTS
    from kfg.names import shortened

    for part in PARTS:
        counts = index.take(index.where(part)).counts()
        if not counts.any() and chosen.get(part, 1):
            leave = "" if part == "train" else f"; or leave this part empty with --{part} 0"
            raise InputError(f"{index.root}: no image is left for {part}; {splits.WANTED}{leave}")
        lacking = [printable(name) for name, count in zip(index.classes, counts, strict=True) if not count]
        if counts.any() and lacking:
            print(f"{part} has no image of {len(lacking)} of the {len(index.classes)} classes: {shortened(lacking)}")


def _say_decided(index, chosen):
    """Print which parts the data set already defines; refuse options that would then decide nothing."""
    from kfg.data import told
    from kfg.data.part_folders import PARTS

    own = [part for part in PARTS if part in index.parts]
    if not own:
        return
    missing = [part for part in ("val", "test") if part not in own]
    decided = f"{', '.join(own)} already decided by {told.decided_by(index)}"
    for name in chosen:
        if not missing or name in own:
            raise InputError(f"--{name.replace('_', '-')}: has no effect, because {decided}; leave the option out")
    rest = f"; {' and '.join(missing)} cut out of {'the rest' if '' in index.parts else 'train'}" if missing else ""
    print(f"{index.root}: {decided}, no fraction was used there{rest}")


def data_options(p):
    """Add the options of `kfg data`."""
    p.add_argument("name", metavar="NAME", help="cub-200-2011, imagenet20, ...; an unknown name lists all")
    p.add_argument(
        "folder", type=pathlib.Path, metavar="DIR", help="folder in which NAME is made and the archive is kept"
    )
    p.add_argument(
        "--url",
        action="append",
        default=[],
        help="download the archive from this address instead; for several archives repeat the option, in their order",
    )
    fetching.imagenet20_options(p)


def data(args) -> int:
    """Download, check and unpack a published data set. The same command resumes an interrupted download."""
    from kfg.data import download, folder, published
    from kfg.data.part_folders import PARTS

    if args.name == published.OF_SYNSETS:
        return fetching.imagenet20(args)
    fetching.refuse_options_of_imagenet20(args)
    where = download.get(args.name, args.folder, urls=args.url, progress=_megabytes())
    index = folder.scan(where)
    parts = ", ".join(f"{part} {len(index.where(part)):,}" for part in PARTS if len(index.where(part)))
    print(f"{where}: {len(index):,} images in {len(index.classes)} classes" + (f" ({parts})" if parts else ""))
    print(f"terms of use: {published.find(args.name).page}")
    return 0


def _megabytes():
    """Return a function (file, bytes done, bytes in all) that shows how much of each file has been downloaded."""
    bars = collections.defaultdict(lambda: Progress("megabytes"))
    return lambda file, done, total: bars[file](done // 1_000_000, max(1, total // 1_000_000), file)


def demo_options(p):
    """Add the options of `kfg demo`."""
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")


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
