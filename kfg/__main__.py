"""The `kfg` command. Each sub-command is one library call; it imports TensorFlow only if it needs it."""

import argparse
import pathlib
import sys

from kfg import __version__, program, quiet
from kfg.commands import on_photographs, on_runs, predicting, shipping, with_models, with_pages, with_queue

ABOUT_FILES = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError)
LONGEST = 200  # characters of a path that a message shows; it may be the names of a whole folder in one word


def parser() -> argparse.ArgumentParser:
    """Make the parser of the `kfg` command."""
    top = program.Parser(prog="kfg", description="Train, examine, repair and ship image classifiers.")
    top.add_argument("--version", action="version", version=f"kfg {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run, help_text):
        p = subparsers.add_parser(run.__name__, help=help_text, description=run.__doc__)
        p.set_defaults(run=run)
        return p

    add_data_commands(command)
    add_training_commands(command)
    add_answer_commands(command)
    add_shipping_commands(command)
    add_run_commands(command)
    return top


def add_data_commands(command):
    """Add the commands that check a data folder or make one."""
    p = command(on_photographs.audit, "check a data folder")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the findings to FILE")
    add_photographs(p)
    p.add_argument(
        "--expect-size",
        metavar="WxH",
        help="size that the images should have (default: the most common size, see above)",
    )

    p = command(on_photographs.split, "write a train/val/test split")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument(
        "--out", type=pathlib.Path, metavar="FILE", help="default: DIR/split.csv, which kfg train and the recipes use"
    )
    p.add_argument("--val", type=float, help="fraction of the images for validation (default: 0.05, as in kfg train)")
    p.add_argument("--test", type=float, help="fraction of the images for the test (default: 0.2, as in kfg train)")
    p.add_argument("--seed", type=int, help="random seed (default: 0)")
    add_photographs(p)
    p.add_argument(
        "--min-per-class",
        type=int,
        metavar="N",
        help="do not divide a class by fractions if it has fewer groups than this; an image and its duplicates are one "
        "group (default: 4)",
    )

    p = command(with_queue.review, "look through suspicious photographs and keep, relabel or leave out each")
    p.add_argument(
        "folder", type=pathlib.Path, metavar="DIR", help="class folders, or another layout that kfg audit reads"
    )
    p.add_argument(
        "--run",
        dest="run_folder",
        type=pathlib.Path,
        metavar="RUN",
        help="a finished run on these photographs; its trunk and the labels that it learned are used to find what is "
        "suspicious",
    )
    p.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="also show all other photographs of this class (with --run, not its test photographs); may be given more "
        "than once",
    )
    p.add_argument("--port", type=int, default=8001, metavar="N", help="default: %(default)s; 0 takes any free port")
    p.add_argument(
        "--static", type=pathlib.Path, metavar="OUT", help="write the page into a folder instead of serving it"
    )
    p.add_argument(
        "--corrections",
        type=pathlib.Path,
        metavar="FILE",
        help="file for the decisions (default: DIR/corrections.csv); give another if DIR cannot be written",
    )

    p = command(on_photographs.data, "download a published data set")
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
    add_synsets(p)

    p = command(on_photographs.demo, "draw the demo images")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")


def add_synsets(p):
    """Add the options of `kfg data imagenet20`, whose classes are chosen from an archive each."""
    group = p.add_argument_group("only for imagenet20", "20 classes of ImageNet, as in the study of this name")
    group.add_argument("--accept-terms", action="store_true", help="agree to ImageNet's terms, which are shown first")
    group.add_argument(
        "--per-class", type=int, metavar="N", help="maximum number of photographs of each class (default: 800)"
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="random seed that decides which photographs are taken (default: 0)"
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="number of archives downloaded at the same time (default: 4)"
    )
    group.add_argument(
        "--from", dest="base", metavar="URL", help="download the archives SYNSET.tar from below this address instead"
    )


def add_photographs(p):
    """Add the options that say which photographs of a folder to use, and with which labels."""
    add_labels(p)
    p.add_argument(
        "--corrections",
        type=pathlib.Path,
        metavar="FILE",
        help="the decisions of kfg review to apply (default: DIR/corrections.csv)",
    )
    p.add_argument("--no-corrections", action="store_true", help="ignore the decisions of kfg review")


def add_labels(p):
    """Add the options that describe a table of labels."""
    group = p.add_argument_group("labels from a table", "columns with common names are found without these options")
    group.add_argument(
        "--csv", type=pathlib.Path, metavar="FILE", help="a table of the photographs in DIR and their classes"
    )
    group.add_argument("--path-column", metavar="NAME", help="column with the paths, relative to FILE")
    group.add_argument("--label-column", metavar="NAME", help="column with the classes")
    group.add_argument("--part-column", metavar="NAME", help="column with the parts train, val and test, if any")


def add_training_commands(command):
    """Add the commands that list models and train one."""
    p = command(with_models.models, "list the models")
    p.add_argument("names", nargs="*", metavar="NAME", help="list only these models (default: all)")
    p.add_argument("--classes", type=int, default=20, metavar="N", help="number of classes (default: %(default)s)")
    p.add_argument("--json", action="store_true", help="print JSON instead of the table")

    p = command(with_models.train, "train on your own photographs")
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
    add_photographs(p)
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


def add_answer_commands(command):
    """Add the commands that ask a model about photographs."""
    p = command(predicting.predict, "classify images")
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
    p.add_argument("--resume", action="store_true", help="continue a FILE that was interrupted")
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

    p = command(with_models.answer, "write a contest's answer file")
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

    p = command(with_models.explain, "show what a model looks at")
    p.add_argument("model", type=pathlib.Path, metavar="RUN|MODEL.keras", help="a run folder or its model.keras")
    p.add_argument("images", type=pathlib.Path, nargs="+", metavar="IMAGE|DIR")
    p.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("explained"), metavar="DIR", help="default: explained"
    )
    p.add_argument("--classname", metavar="NAME", help="also show the heat map of this class")


def add_shipping_commands(command):
    """Add the commands that take a model to other programs and to the browser."""
    p = command(shipping.export, "write a model in other formats")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAMES",
        help="savedmodel, litert, litert-int8, onnx, openvino or keras; separate several with commas",
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="folder in which each format gets its own folder (default: RUN/export-NAME)",
    )
    p.add_argument(
        "--serving", type=pathlib.Path, metavar="DIR", help="add the model to this model folder of TensorFlow Serving"
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")
    p.add_argument(
        "--force", action="store_true", help="keep a quantised model even if it loses more than 1 point of top-1"
    )
    p.add_argument(
        "--compare",
        type=int,
        default=500,
        metavar="N",
        help="the most test photographs on which each format is compared (default: %(default)s)",
    )

    p = command(with_pages.serve, "try a model in the browser or through a JSON API")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="a run folder, its export, or its model.keras")
    p.add_argument("--port", type=int, default=8000, metavar="N", help="default: %(default)s; 0 takes any free port")
    p.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, for this machine only); 0.0.0.0 lets other machines in",
    )
    p.add_argument(
        "--token", metavar="WORD", help="password that browsers must give; required if other machines are let in"
    )


def add_run_commands(command):
    """Add the commands that read finished runs."""
    p = command(on_runs.evaluate, "show a run's test figures, test it on new photographs, or correct for rare classes")
    p.add_argument(
        "folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run; with --on also an export"
    )
    p.add_argument("--on", type=pathlib.Path, metavar="DIR", help="test the model on the labelled photographs in DIR")
    p.add_argument("--out", type=pathlib.Path, metavar="DIR", help="folder for the report of --on (default: evaluated)")
    add_photographs(p)
    p.add_argument(
        "--posthoc",
        action="store_true",
        help="compare the figures before and after logit adjustment and tau-normalisation",
    )
    p.add_argument(
        "--tau",
        type=float,
        metavar="T",
        help="strength of these corrections (default: chosen on the validation images)",
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's images, which tau-normalisation needs")

    p = command(on_runs.repair, "find out why classes are weak and what helps, and make a new run with it")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")
    p.add_argument(
        "--target",
        type=float,
        metavar="R",
        help="recall to reach: a class is weak if the whole 95%% interval of its recall lies below it (default: the "
        "share of all photographs that is recognised)",
    )
    p.add_argument(
        "--time-budget", default="20m", metavar="T", help="how long the whole repair may take (default: %(default)s)"
    )
    p.add_argument("--out", type=pathlib.Path, metavar="DIR", help="folder for the findings (default: RUN/repair)")
    p.add_argument("--resume", action="store_true", help="continue a repair that was interrupted")

    p = command(on_runs.needs, "show which classes would gain most from more photographs")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's photographs (default: where they were)")

    p = command(on_runs.runs, "list the finished runs")
    p.add_argument("folder", type=pathlib.Path, nargs="?", default=on_runs.RUNS, metavar="DIR", help="default: runs")

    p = command(on_runs.compare, "compare two runs, or a study's figures with ours")
    p.add_argument("what", nargs="+", metavar="RUN RUN|RECIPE", help="two run folders, or the name of a study")
    p.add_argument(
        "--html",
        action="store_true",
        help="for two runs: also write a page with the photographs whose answers changed, see --out",
    )
    p.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE|DIR",
        help="for two runs: file of the page (default: compared.html); for a study: folder of the runs (default: runs)",
    )
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the runs' photographs (default: where they were)")


def main(argv=None) -> int:
    """Run one sub-command and return its exit code; it is 2 for wrong input."""
    return program.run(lambda: _answered(sys.argv[1:] if argv is None else argv))


def _answered(words) -> int:
    program.refuse_addresses(words, but=("--url", "--from", "--ray"))
    args = parser().parse_args(words)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        program.say(quiet.INTERRUPTED)
        return 130
    except OSError as error:
        if error.filename is None and not isinstance(error, ABOUT_FILES):
            raise
        named = "" if error.filename is None else f"{str(error.filename)[:LONGEST]}: "
        program.say(f"error: {named}{error.strerror or error}")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
