"""`kfg models`, `train`, `predict`, `answer` and `explain`: what makes a model, or asks one."""

import json
import re

from kfg import program, quiet
from kfg.errors import InputError
from kfg.names import printable


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
    program.say(*image_files.remarks(args.images))
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
    program.say(*answers.remarks(args.images), *answers.same_ids(files))
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
    program.say(*image_files.remarks(args.images))
    return explaining.draw(model, classes, files, out=args.out, class_name=args.classname)


def train(args) -> int:
    """Train on your own photographs: audit, leak-safe split, pretrained trunk, report and export."""
    from kfg.engine import own_photographs
    from kfg.engine.options import assigned
    from kfg.progress import duration
    from kfg.recipes import folder_settings

    settings = {"image_size": _sides(args.image_size), "epochs": args.epochs, "learning_rate": args.learning_rate}
    settings = {name: value for name, value in settings.items() if value is not None}
    settings = folder_settings.checked(settings | assigned(args.set, folder_settings.names()))
    if args.time_budget.strip()[-1:].isdigit():
        budget = duration(own_photographs.seconds_of(args.time_budget))
        print(f"A number without a unit is minutes: the time budget is {budget}.")
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
    )
    with quiet.tensorflow_notes():
        from kfg.recipes import folder

    code = folder.command(order, index)
    if code or not args.repair:
        return code
    with quiet.tensorflow_notes():
        from kfg.repairing import repair

    made = repair.repair(folder.run_folder(order), max_params=args.max_params, resume=args.resume)
    print(*repair.told(made), sep="\n")
    return 0


def _sides(text) -> tuple[int, int] | None:
    """Return (height, width) of "256" or "192x256"."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)(?:[xX]([1-9]\d*))?", text)
    if not match:
        raise InputError(f"--image-size: expected pixels like 256, or HEIGHTxWIDTH, got {text!r}")
    return int(match[1]), int(match[2] or match[1])
