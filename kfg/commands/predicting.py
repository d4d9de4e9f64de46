"""`kfg predict`: a model's answers on the screen, in a file of any size, and as copies in class folders."""

import json
import pathlib

from kfg import program, quiet
from kfg.errors import InputError
from kfg.names import counted, printable, quoted, utf8
from kfg.progress import Progress

NO_THRESHOLDS = "This model has no thresholds for doubt, so no answer is marked as unsure or as none of these."
MOST_NAMED = 1_000  # classes of each photograph in the table
SHARES = (("precision_of_answers", "--precision-of-answers"), ("sets", "--sets"))  # argument, option


def predict_options(p):
    """Add the options of `kfg predict`."""
    p.add_argument(
        "model", type=pathlib.Path, metavar="RUN|EXPORT", help="a run folder, its export, or its model.keras"
    )
    p.add_argument("images", type=pathlib.Path, nargs="+", metavar="IMAGE|DIR")
    p.add_argument("--top", type=int, default=1, metavar="K", help="number of classes shown per image (default: 1)")
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE",
        help="write the table to FILE (.csv or .parquet) instead of the screen, piece by piece, for any number of "
        "images",
    )
    p.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="write the table to FILE and show it on the screen")
    p.add_argument(
        "--resume",
        action="store_true",
        help="continue a FILE that was interrupted; otherwise an existing FILE is refused",
    )
    p.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="divide the work among the machines of a Ray cluster (default: the cluster running on this machine)",
    )
    p.add_argument(
        "--sort-into",
        type=pathlib.Path,
        metavar="DIR",
        help="copy each photograph into DIR/<its class>, or DIR/none of these",
    )
    p.add_argument(
        "--precision-of-answers",
        metavar="P",
        help="mark answers as unsure so that this share of the other answers is right (default: 95%%)",
    )
    p.add_argument(
        "--sets",
        metavar="P",
        help="show the set of classes that holds the true one with this probability, for example 90%%",
    )
    p.add_argument("--json", action="store_true", help="print JSON instead of the table")


def predict(args) -> int:
    """Print path, class, probability and verdict of each image; exit 1 if one could not be read.

    The verdict is "unsure" if the probability is so low that too many of such answers are wrong (about 95% of the
    others are right, unless you ask for another share), and "none of these" if the photograph is too unlike all
    photographs that the model has learned from.
    """
    form = _checked(args)
    asked = _asked(args)
    with quiet.tensorflow_notes():
        from kfg.data import image_files
        from kfg.exporting import answer_file, answer_table, classifiers, confidence
        from kfg.runs import found

    model = found.only(args.model)
    _check_order(model, args.images)
    classifier = classifiers.load(model)
    confidence.adjust(classifier, model, **asked)
    sets = bool(args.sets)
    # the same photograph may be named twice, by itself and by its folder: it is answered once
    paths = [str(path) for path in dict.fromkeys(image_files.files(args.images, classes=classifier.classes))]
    if args.sort_into:
        answer_table.check_folder(args.sort_into, classifier.classes)
    target = args.out or args.csv
    if args.ray is None:
        classifiers.hasten(classifier, model, paths)
    doubted = classifier.confidence.told() if classifier.confidence else NO_THRESHOLDS
    notes = [*image_files.remarks(args.images), *filter(None, [classifier.speed]), doubted]
    if not target:
        program.say(*notes)
        rows = (answer_table.values(one, args.top, sets=sets) for one in classifier.predict(paths))
        return 1 if _told(rows, len(paths), args) else 0
    digest = answer_file.model_digest(model)
    doubt = list(asked.values())
    table = answer_file.AnswerFile(target, form, paths, top=args.top, model=digest, sets=sets, doubt=doubt)
    program.say(*notes)
    unread = _written(table, classifier, model, args)
    if args.out:
        told = f": {answer_table.tally(form.verdicts(target))}" if classifier.confidence else ""
        failed = f", {unread:,} of them could not be read" if unread else ""
        print(f"{printable(str(target))}: answers for {counted(len(paths), 'photograph')}{failed}{told}")
    return 1 if unread else 0


def _check_order(model, images) -> None:
    """Refuse a folder of photographs in the place of the model if the model stands where photographs belong."""
    from kfg.runs import found, run_files

    if not model.is_dir() or any((model / name).exists() for name in (*found.MADE_BY_ONE, run_files.EXPORT)):
        return
    for path in map(pathlib.Path, images):
        if path.is_dir() and found.below(path):
            raise InputError(
                f"{model}: there is no model here, but there is one in {path}; the model comes first: kfg predict "
                f"{quoted(path)} {quoted(model)}"
            )


def _checked(args):
    """Return the form of the file to write, None without one; refuse what cannot work before anything is loaded."""
    target = args.out or args.csv
    if not 1 <= args.top <= MOST_NAMED:
        raise InputError(f"--top: must be from 1 to {MOST_NAMED:,}, got {args.top}")
    if args.out and args.csv:
        raise InputError("--csv: cannot be combined with --out, which also writes the table")
    for option in ("resume", "ray"):
        if getattr(args, option) not in (None, False) and not target:
            raise InputError(f"--{option}: only works when the table goes to a file; name the file with --out")
    if args.resume and (args.json or args.sort_into):
        raise InputError("--resume: cannot be combined with --json or --sort-into, which need all answers at once")
    if args.out and args.json:
        raise InputError("--json: cannot be combined with --out, which writes to a file instead of the screen")
    form = _form(args) if target else None
    from kfg.data import image_files

    image_files.check_there(args.images)
    return form


def _form(args):
    """Return the form of the file to write; refuse a file that is there, unless its table is to be completed."""
    from kfg.exporting import answer_file, answer_forms

    form = answer_forms.of(args.out) if args.out else answer_forms.csv_of(args.csv)
    target = args.out or args.csv
    answer_file.check(target, form, top=args.top, sets=bool(args.sets))
    if not args.resume:
        answer_file.check_new(target, "--out" if args.out else "--csv")
    return form


def _asked(args) -> dict:
    """Return option -> the share that it asks for, None if it was not given; refuse values that are not shares."""
    from kfg.exporting import confidence

    asked = {name: getattr(args, name) and confidence.share(getattr(args, name), option) for name, option in SHARES}
    if args.ray is not None and any(asked.values()):
        raise InputError(
            "--ray: cannot be combined with --precision-of-answers or --sets; workers use the thresholds stored with "
            "the model"
        )
    return asked


def _written(table, classifier, model, args) -> int:
    """Write the rows that the file still lacks; return how many photographs could not be read."""
    from kfg.exporting import answer_file, on_ray

    if args.resume and (unread := table.finished()) is not None:
        program.say(f"{table.path}: is already complete, so nothing was answered; remove it to answer again")
        return unread
    with table.begun(resume=args.resume):
        pieces = {number: table.stretch(number) for number in table.missing()}
        if args.ray is None:
            given = answer_file.answers(classifier, pieces, top=args.top, sets=bool(args.sets))
        else:
            given = on_ray.answers(model, pieces, top=args.top, address=args.ray)
        _told(table.kept(given), sum(map(len, pieces.values())), args)
        return table.close()


def _told(rows, count, args) -> int:
    """Print the rows as they come and copy their photographs if asked; return how many could not be read."""
    from kfg.exporting import answer_table

    on_screen, tops, unread = not (args.json or args.out), [], 0
    progress = Progress("photographs classified")
    if on_screen:
        print(answer_table.line(answer_table.columns(args.top, sets=bool(args.sets))[:-1]))
    for number, row in enumerate(rows, start=1):
        if row["error"]:
            unread += 1
            program.say(f"error: {row['error']}")
        elif on_screen:
            print(answer_table.line(answer_table.shown(row)))
        elif args.json:
            tops.append({"path": utf8(row["path"]), "top": answer_table.top_of(row), **answer_table.doubt_of(row)})
        if args.out:
            progress(number, count)
        if args.sort_into and not row["error"]:
            answer_table.copy_into(row, args.sort_into)
    if args.json:
        print(json.dumps(tops, indent=1))
    if args.sort_into:
        unread_too = f"; {unread:,} could not be read and were not copied" if unread else ""
        program.say(f"{args.sort_into}: {count - unread:,} photographs copied{unread_too}")
    return unread
