"""`kfg train`: from a folder of photographs to a model that is tested, reported on and exported."""

import pathlib
import re

from kfg import program, quiet, time_budgets
from kfg.commands import choosing
from kfg.errors import InputError
from kfg.names import quoted


def train_options(p):
    """Add the options of `kfg train`."""
    _add_choices(p)
    choosing.photograph_options(p)
    _add_what_else(p)


def _add_choices(p):
    """Add the options that decide how good the model gets, and how long that takes."""
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
        default=time_budgets.TRAINING,
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


def _add_what_else(p):
    """Add the options on how the command runs, and on what it does besides training."""
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
        "--repair",
        action="store_true",
        help=f"then run kfg repair on the first run, which takes up to {time_budgets.REPAIR[:-1]} more minutes",
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
    if typed := next((word for word in args.set if word.startswith("time_budget=")), None):  # a search's @FILE may
        raise InputError(f"--set {typed}: write --time-budget instead, for example --time-budget 12m")
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
        budget = duration(time_budgets.seconds_of(args.time_budget))
        print(f"A number without a unit means minutes: the time budget is {budget}.")
    order = own_photographs.prepared(
        args.folder,
        out=args.out,
        seeds=args.seeds,
        time_budget=args.time_budget,
        weights=args.weights,
        max_params=args.max_params,
        resume=args.resume,
        settings=settings,
        track=args.track,
        corrections=choosing.corrections(args),
        labels=choosing.labels(args),
        devices=args.devices,
    )
    with quiet.tensorflow_notes():
        from kfg.recipes import folder

    code = folder.command(order)
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
    else:
        print(_next(order.out, folder.run_folder(order)))
    return 2 if refused else 0


def _next(out, run) -> str:
    """Return a line with the command that uses a run; it names the folder of runs if that holds no other."""
    from kfg.runs import found

    model = quoted(out if found.below(out) == [run] else run)
    return f"Use the model with `kfg predict {model} new-photographs`. Its report ends with what to do next."


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
