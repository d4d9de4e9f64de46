"""`kfg models`, `train`, `answer` and `explain`: the commands that make a model, or ask one."""

import json
import pathlib
import re

from kfg import program, quiet
from kfg.commands import of_photographs
from kfg.errors import InputError
from kfg.names import printable


def models_options(p):
    """Add the options of `kfg models`."""
    p.add_argument("names", nargs="*", metavar="NAME", help="list only these models (default: all)")
    p.add_argument("--classes", type=int, default=20, metavar="N", help="number of classes (default: %(default)s)")
    p.add_argument("--json", action="store_true", help="print JSON instead of the table")


def models(args) -> int:
    """List the models that kfg can build: image size, parameters, and multiply-accumulates for one image."""
    from kfg import tables
    from kfg.models import sizes

    rows = [sizes.describe(name, num_classes=args.classes) for name in args.names or sizes.table()]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    cells = [
        (row["name"], " x ".join(map(str, row["input"])), f"{row['parameters']:,}", f"{row['trainable']:,}",
         f"{row['gmacs']:.3f}")
        for row in rows
    ]  # fmt: skip
    tables.show(("name", ">input", ">parameters", ">trainable", ">gmacs"), cells)
    return 0


def answer_options(p):
    """Add the options of `kfg answer`."""
    p.add_argument(
        "model", type=pathlib.Path, metavar="RUN|EXPORT", help="a run folder, its export, or its model.keras"
    )
    p.add_argument(
        "images",
        type=pathlib.Path,
        nargs="+",
        metavar="DIR|IMAGE",
        help="images to classify; of a contest's folder only test is used",
    )
    p.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("answer.json"), metavar="FILE", help="default: answer.json"
    )
    p.add_argument("--group", default="", metavar="NAME", help="the groupname to write into the file (default: empty)")
    p.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="also write a table with the probabilities")


def answer(args) -> int:
    """Answer a contest's test images by class id, as JSON. An image that cannot be read is left out: then exit 1."""
    with quiet.tensorflow_notes():
        from kfg.exporting import classifiers
        from kfg.runs import answers, found

    files = answers.images(args.images)
    program.say(*answers.remarks(args.images), *answers.same_ids(files))
    answers.check_targets(args.out, args.csv, group=args.group)
    run = found.only(args.model)
    classifier = classifiers.load(run)
    classifiers.hasten(classifier, run, files)
    program.say(classifier.engine)
    given = answers.answer(classifier, files)
    answers.write(given, args.out, group=args.group, table=args.csv)
    for line in given.unread:
        program.say(f"error: {line}")
    print(f"{printable(str(args.out))}: {len(given.images):,} of {len(files):,} images answered")
    return 1 if given.unread else 0


def explain_options(p):
    """Add the options of `kfg explain`."""
    p.add_argument("model", type=pathlib.Path, metavar="RUN|MODEL.keras", help="a run folder or its model.keras")
    p.add_argument("images", type=pathlib.Path, nargs="+", metavar="IMAGE|DIR")
    p.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("explained"), metavar="DIR", help="default: explained"
    )
    p.add_argument("--classname", metavar="NAME", help="also show the heat map of this class")


def explain(args) -> int:
    """Draw where in each image the model sees the class; print class and PNG path; exit 1 if an image is unreadable."""
    with quiet.tensorflow_notes():
        from kfg import explain as explaining
        from kfg.data import image_files
        from kfg.exporting import classifiers
        from kfg.runs import found

    model, classes = classifiers.load_keras(found.only(args.model))
    files = image_files.files(args.images)
    program.say(*image_files.remarks(args.images))
    return explaining.draw(model, classes, files, out=args.out, class_name=args.classname)


def train_options(p):
    """Add the options of `kfg train`."""
    p.add_argument(
        "folder", type=pathlib.Path, metavar="DIR", help="class folders, or another layout that kfg audit reads"
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="folder for the run folders (default: runs/NAME, where NAME is the name of the folder of photographs)",
    )
    p.add_argument(
        "--time-budget",
        default="12m",
        metavar="T",
        help="how long one run may train: 90s, 10m or 2h; a number without a unit means minutes (default: %(default)s)",
    )
    p.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="number of runs, each with its own seed (default: 1)"
    )
    p.add_argument(
        "--weights",
        metavar="imagenet|none|PATH",
        help="weights from which the trunk starts (default: ImageNet weights)",
    )
    p.add_argument(
        "--max-params", metavar="N", help="refuse models with more parameters than this (10M means ten million)"
    )
    p.add_argument(
        "--image-size",
        metavar="N",
        help="side of the images in pixels, or HEIGHTxWIDTH (default: 256); larger images take longer",
    )
    p.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="maximum number of epochs of fine-tuning (default: 8, or as many as fit into the time budget; if not even "
        "two fit, only the last stage is trained); 0 trains only the head",
    )
    p.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="learning rate of fine-tuning (default: 0.0002; try 0.00005 to 0.001)",
    )
    p.add_argument(
        "--second-opinion",
        action="store_true",
        help="average the answers with those of a second pretrained network, which count as much as the validation "
        "photographs say; often more are right, and answering takes more than twice as long; it is left out if time is "
        "short, if the head hardly errs, or if it would count less than 15%%",
    )
    of_photographs.add(p)
    p.add_argument("--resume", action="store_true", help="continue a run that was interrupted")
    p.add_argument(
        "--devices", default="1", metavar="all|N", help="GPUs that share the fine-tuning of the network (default: 1)"
    )
    p.add_argument(
        "--formats",
        action="append",
        default=[],
        metavar="NAMES",
        help="also export the model in these formats, separated by commas (see kfg export)",
    )
    p.add_argument(
        "--repair", action="store_true", help="then run kfg repair on the first run, which takes up to 20 more minutes"
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting, for example freeze=none, "
        "which fine-tunes all stages; docs/tutorials/train.md lists the settings",
    )
    p.add_argument(
        "--track", action="append", default=[], metavar="LOG", help="log to tensorboard or wandb; repeat for both"
    )


def train(args) -> int:
    """Train a model on your own photographs: check and divide them, train, test, and write a report and the model.

    Copies of a photograph never lie in both the training and the test part. What comes out is in runs/NAME.
    """
    from kfg.engine import own_photographs
    from kfg.engine.options import assigned, second_for
    from kfg.exporting.formats import known
    from kfg.progress import duration
    from kfg.recipes import folder_settings

    formats = known.chosen(args.formats, option="--formats") if args.formats else []
    settings = {"image_size": _sides(args.image_size), "epochs": args.epochs, "learning_rate": args.learning_rate}
    settings = {name: value for name, value in settings.items() if value is not None}
    settings |= assigned(args.set, folder_settings.names())
    if args.second_opinion:
        if args.weights == "none":
            raise InputError("--second-opinion: needs pretrained weights, so it does not go with --weights none")
        first = settings.get("backbone", folder_settings.Config.backbone)
        settings.setdefault("second_opinion", second_for(first))
    settings = folder_settings.checked(settings)
    if args.devices != "1":  # before an audit that may take minutes; TensorFlow takes seconds
        with quiet.tensorflow_notes():
            from kfg.training import devices
        devices.chosen(args.devices)
    if args.time_budget.strip()[-1:].isdigit():
        budget = duration(own_photographs.seconds_of(args.time_budget))
        print(f"A number without a unit means minutes: the time budget is {budget}.")
    order, index = own_photographs.prepared(
        args.folder,
        out=args.out,
        seeds=args.seeds,
        time_budget=args.time_budget,
        weights=args.weights,
        max_params=args.max_params,
        resume=args.resume,
        settings=settings,
        track=args.track,
        corrections=of_photographs.corrections(args),
        labels=of_photographs.labels(args),
        devices=args.devices,
    )
    with quiet.tensorflow_notes():
        from kfg.recipes import folder

    code = folder.command(order, index)
    if code:
        return code
    refused = not _exported(folder.run_folders(order), formats)
    if args.repair:
        with quiet.tensorflow_notes():
            from kfg.repairing import repair

        made = repair.repair(folder.run_folder(order), max_params=args.max_params, resume=args.resume)
        print(*repair.told(made), sep="\n")
        if made.stands:  # other commands go on with this run
            refused |= not _exported([made.run.path], formats)
    return 2 if refused else 0


def _exported(runs, formats) -> bool:
    """Export runs in some formats, say which formats are refused, and return whether none was."""
    from kfg.exporting.formats import exporting

    done = True
    for run in runs if formats else ():
        try:
            exporting.export(run, formats)
        except InputError as error:
            program.say(f"error: {run}: {error}")
            done = False
    return done


def _sides(text) -> tuple[int, int] | None:
    """Return (height, width) for the text "256" or "192x256"; None for None."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)(?:[xX]([1-9]\d*))?", text)
    if not match:
        raise InputError(f"--image-size: expected a number of pixels like 256, or HEIGHTxWIDTH, got {text!r}")
    return int(match[1]), int(match[2] or match[1])
