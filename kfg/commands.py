"""What the sub-commands of `kfg` do: each a library call, its words from the command line, its answer to the screen.

TensorFlow is imported only by those that need it.
"""

import json
import pathlib
import re
import sys

from kfg import program, quiet
from kfg.errors import InputError
from kfg.names import printable
from kfg.runs import run_files

RUNS = pathlib.Path(run_files.RUNS)
EVALUATED = pathlib.Path("evaluated")
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
    print(auditing.table(result))
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
    splits.check(index)
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


def models(args) -> int:
    """List the models kfg can build, with random weights and at their own image size: parameters, cost of one image."""
    with quiet.tensorflow_notes():
        from kfg.models import catalogue

    rows = [catalogue.describe(name, num_classes=args.classes) for name in args.names or catalogue.MODELS]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    print(f"{'name':<19} {'input':>14} {'parameters':>12} {'trainable':>12} {'gmacs':>7}")
    for row in rows:
        size = " x ".join(map(str, row["input"]))
        print(f"{row['name']:<19} {size:>14} {row['parameters']:>12,} {row['trainable']:>12,} {row['gmacs']:>7.3f}")
    return 0


def predict(args) -> int:
    """Print a table of path, class and probability, a line for each image; exit 1 if one could not be read."""
    if args.top < 1:
        raise InputError(f"--top: at least 1, got {args.top}")
    with quiet.tensorflow_notes():
        from kfg.data import image_files
        from kfg.exporting import answer_table, classifiers
        from kfg.names import utf8
        from kfg.runs import found

    classifier = classifiers.load(found.only(args.model))
    files = image_files.files(args.images, classes=classifier.classes)
    if args.csv:
        answer_table.check_table(args.csv, args.top)
    if args.sort_into:
        answer_table.check_folder(args.sort_into, classifier.classes)
    _say(image_files.remarks(args.images))
    answers = []
    if not args.json:
        print(answer_table.line(answer_table.columns(args.top)[:-1]))
    for answer in classifier.predict(files):
        answers.append(answer)
        if answer.error:
            program.say(f"error: {answer.error}")
        elif not args.json:
            print(answer_table.line(answer_table.cells(answer, args.top)[:-1]))
    read = [answer for answer in answers if not answer.error]
    if args.json:
        tops = [[{"class": name, "probability": round(p, 6)} for name, p in one.top(args.top)] for one in read]
        print(json.dumps([{"path": utf8(one.path), "top": top} for one, top in zip(read, tops, strict=True)], indent=1))
    if args.csv:
        answer_table.write_table((answer_table.cells(one, args.top) for one in answers), args.csv, args.top)
    if args.sort_into:
        count = answer_table.sort_into(read, args.sort_into)
        program.say(f"{args.sort_into}: {count:,} photographs copied into class folders")
    return 1 if len(read) < len(answers) else 0


def answer(args) -> int:
    """Answer a contest's test images by class id, as JSON; exit 1 if one could not be read, it is left out."""
    with quiet.tensorflow_notes():
        from kfg.exporting import classifiers
        from kfg.runs import answers, found

    files = answers.images(args.images)
    _say(answers.remarks(args.images) + answers.same_ids(files))
    answers.check_targets(args.out, args.csv, group=args.group)
    given = answers.answer(classifiers.load(found.only(args.model)), files)
    answers.write(given, args.out, group=args.group, table=args.csv)
    for line in given.unread:
        program.say(f"error: {line}")
    print(f"{printable(str(args.out))}: {len(given.images):,} of {len(files):,} images answered")
    return 1 if given.unread else 0


def explain(args) -> int:
    """Draw where in each image the model sees its class; print class and PNG; exit 1 if one could not be read."""
    with quiet.tensorflow_notes():
        from kfg import explain as explaining
        from kfg.data import image_files
        from kfg.exporting import classifiers
        from kfg.runs import found

    model, classes = classifiers.load_keras(found.only(args.model))
    files = image_files.files(args.images)
    _say(image_files.remarks(args.images))
    return explaining.draw(model, classes, files, out=args.out, class_name=args.classname)


def train(args) -> int:
    """Train on your own photographs: audit, leak-safe split, pretrained trunk, report and export."""
    from kfg.engine import own_photographs
    from kfg.engine.options import assigned
    from kfg.progress import duration
    from kfg.recipes import folder_settings

    settings = {"image_size": _sides(args.image_size), "epochs": args.epochs, "learning_rate": args.learning_rate}
    settings = {name: value for name, value in settings.items() if value is not None}
    settings |= assigned(args.set, folder_settings.names())
    if args.time_budget.strip()[-1:].isdigit():
        budget = duration(own_photographs.seconds_of(args.time_budget))
        print(f"A number without a unit is minutes: the time budget is {budget}.")
    order, known = own_photographs.prepared(
        args.folder, out=args.out, seeds=args.seeds, time_budget=args.time_budget, weights=args.weights,
        max_params=args.max_params, resume=args.resume, settings=settings, track=args.track,
    )  # fmt: skip
    with quiet.tensorflow_notes():
        from kfg.recipes import folder

    return folder.command(order, known)


def evaluate(args) -> int:
    """Print a finished run's test figures; with --posthoc what corrections for rare classes would change.

    With --on the model is tested on labelled photographs that are new to it, class folders of its classes; what its
    run has in its split.csv is left out. Exit 1 if one could not be read.
    """
    if not args.posthoc and (args.tau is not None or args.data is not None):
        raise InputError("--tau, --data: are for --posthoc")
    if args.on is None and args.out is not None:
        raise InputError("--out: is for --on")
    if args.on is not None and args.posthoc:
        raise InputError("--on: not with --posthoc, which corrects a run on its own test images")
    from kfg.runs import found

    run = found.only(args.folder)
    if args.on is not None:
        with quiet.tensorflow_notes():
            from kfg.runs import new_photographs

        out = args.out or EVALUATED
        failed = new_photographs.score(run, args.on, out=out)
        print(found.summary(out))
        print(f"report: {out / 'report.html'}")
        return 1 if failed else 0
    print(found.summary(run))
    if args.posthoc:
        with quiet.tensorflow_notes():
            from kfg.runs import corrections

        print(corrections.table(corrections.posthoc_corrections(run, data_dir=args.data, tau=args.tau)))
        print(f"written: {run / run_files.POSTHOC}")
    return 0


def runs(args) -> int:
    """List the finished runs, the newest first, and write a page with links to their reports."""
    from kfg.runs import found, page

    if not args.folder.is_dir():
        raise InputError(f"{args.folder}: no such folder; `kfg train` makes it")
    listed = [found.read(run) for run in found.below(args.folder)]
    if not listed:
        print(f"{args.folder}: no finished run")
        return 0
    print(found.table(listed))
    print(f"page: {page.write(args.folder, listed)}")
    return 0


def compare(args) -> int:
    """Print a study's figures beside ours."""
    from kfg import recipes
    from kfg.runs import comparison

    no_runs_yet = args.out is None and not RUNS.exists()
    with quiet.tensorflow_notes():  # the study's module imports it
        table = comparison.table(recipes.named(args.recipe), None if no_runs_yet else args.out or RUNS)
    print(table)
    return 0


def _say(lines):
    for line in lines:
        program.say(line)


def _sides(text) -> tuple[int, int] | None:
    """Return (height, width) of "256" or "192x256"."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)(?:[xX]([1-9]\d*))?", text)
    if not match:
        raise InputError(f"--image-size: expected pixels like 256, or HEIGHTxWIDTH, got {text!r}")
    return int(match[1]), int(match[2] or match[1])


def _size(text):
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if not match:
        raise InputError(f"--expect-size: expected WIDTHxHEIGHT like 300x300, got {text!r}")
    return int(match[1]), int(match[2])
