"""`kfg models`, `answer` and `explain`: the commands that list models, or ask one."""

import json
import pathlib

from kfg import program, quiet
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
        from kfg.exporting import run_models
        from kfg.runs import found

    model, classes = run_models.load_keras(found.only(args.model))
    files = image_files.files(args.images)
    program.say(*image_files.remarks(args.images))
    return explaining.draw(model, classes, files, out=args.out, class_name=args.classname)
