"""The `kfg` command. Each sub-command is one library call; TensorFlow is imported only by those that need it."""

import argparse
import pathlib
import sys

from kfg import __version__, program, quiet
from kfg.commands import on_photographs, on_runs, with_models


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
    add_model_commands(command)
    add_run_commands(command)
    return top


def add_data_commands(command):
    """Add those that look at a data folder or make one."""
    p = command(on_photographs.audit, "check a data folder")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the findings to FILE as well")
    p.add_argument(
        "--expect-size", metavar="WxH", help="the size images should have (default: the commonest, see above)"
    )

    p = command(on_photographs.split, "write a train/val/test split")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")
    p.add_argument(
        "--out", type=pathlib.Path, metavar="FILE", help="default: DIR/split.csv, which kfg train and the recipes take"
    )
    p.add_argument("--val", type=float, help="fraction of the images (default: 0.05, as kfg train)")
    p.add_argument("--test", type=float, help="fraction of the images (default: 0.2, as kfg train)")
    p.add_argument("--seed", type=int, help="default: 0")
    p.add_argument(
        "--min-per-class",
        type=int,
        metavar="N",
        help="a class of fewer groups (an image and its duplicates are one) is not divided by fractions (default: 4)",
    )

    p = command(on_photographs.data, "fetch a published data set")
    p.add_argument("name", metavar="NAME", help="cub-200-2011, fgvc-aircraft-2013b, ...; a wrong name lists them")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR", help="NAME is made in it, and the archive kept there")
    p.add_argument(
        "--url", action="append", default=[], help="another address of the archive; once for each, in their order"
    )

    p = command(on_photographs.demo, "draw the demo images")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR")


def add_model_commands(command):
    """Add those that make a model or use one."""
    p = command(with_models.models, "list the models")
    p.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    p.add_argument("--classes", type=int, default=20, metavar="N")
    p.add_argument("--json", action="store_true")

    p = command(with_models.train, "train on your own photographs")
    p.add_argument("folder", type=pathlib.Path, metavar="DIR", help="class folders, or another layout kfg audit takes")
    p.add_argument(
        "--out", type=pathlib.Path, metavar="DIR", help="where run folders go (default: runs/NAME, as DIR is called)"
    )
    p.add_argument(
        "--time-budget",
        default="12m",
        metavar="T",
        help="how long one run may train: 90s, 10m or 2h; a number alone is minutes (default: %(default)s)",
    )
    p.add_argument("--seeds", type=int, default=1, metavar="N", help="runs, each from another seed (default: 1)")
    p.add_argument(
        "--weights", metavar="imagenet|none|PATH", help="what the trunk begins from (default: ImageNet's weights)"
    )
    p.add_argument("--max-params", metavar="N", help="refuse a model of more parameters; 10M is ten million")
    p.add_argument(
        "--image-size",
        metavar="N",
        help="pixels of the images' sides, or HEIGHTxWIDTH (default: 256); larger is slower",
    )
    p.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="of the whole net, at most (default: 8, as far as the time allows); 0 trains the head alone",
    )
    p.add_argument(
        "--learning-rate", type=float, metavar="X", help="of the whole net (default: 0.0002; try 0.00005 to 0.001)"
    )
    p.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    p.add_argument(
        "--repair", action="store_true", help="then do what kfg repair does with the first run: up to 20 minutes more"
    )
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace a setting, as backbone=...")
    p.add_argument("--track", action="append", default=[], metavar="LOG", help="log to tensorboard or wandb, or both")

    p = command(with_models.predict, "classify images")
    p.add_argument(
        "model", type=pathlib.Path, metavar="RUN|EXPORT", help="a run folder, its export, or its model.keras"
    )
    p.add_argument("images", type=pathlib.Path, nargs="+", metavar="IMAGE|DIR")
    p.add_argument("--top", type=int, default=1, metavar="K", help="classes per image (default: 1)")
    p.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="write the table to FILE as well, errors included")
    p.add_argument("--sort-into", type=pathlib.Path, metavar="DIR", help="copy each photograph into DIR/<its class>")
    p.add_argument("--json", action="store_true", help="print JSON instead of the table")

    p = command(with_models.answer, "write a contest's answer file")
    p.add_argument("model", type=pathlib.Path, metavar="RUN|EXPORT", help="as for predict")
    p.add_argument(
        "images", type=pathlib.Path, nargs="+", metavar="DIR|IMAGE", help="of a contest's folder, test is answered"
    )
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("answer.json"), metavar="FILE")
    p.add_argument("--group", default="", metavar="NAME", help="the groupname in it (default: empty)")
    p.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="a table with the probabilities as well")

    p = command(with_models.explain, "show what a model looks at")
    p.add_argument("model", type=pathlib.Path, metavar="RUN|MODEL.keras", help="a run folder or its model.keras")
    p.add_argument("images", type=pathlib.Path, nargs="+", metavar="IMAGE|DIR")
    p.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("explained"), metavar="DIR", help="default: explained"
    )
    p.add_argument("--classname", metavar="NAME", help="show the heat of this class as well")


def add_run_commands(command):
    """Add those that read finished runs."""
    p = command(on_runs.evaluate, "a run's test figures, figures on new photographs, corrections for rare classes")
    p.add_argument("folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run; for --on an export too")
    p.add_argument("--on", type=pathlib.Path, metavar="DIR", help="test the model on the labelled photographs in DIR")
    p.add_argument("--out", type=pathlib.Path, metavar="DIR", help="where the report on them goes (default: evaluated)")
    p.add_argument("--posthoc", action="store_true", help="logit adjustment and tau-normalisation, before and after")
    p.add_argument("--tau", type=float, metavar="T", help="their strength (default: chosen on the validation images)")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="the run's images: tau-normalisation needs them")

    p = command(on_runs.repair, "why classes are weak, what helps, and a net trained with it")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="its photographs (default: where they were)")
    p.add_argument("--target", type=float, metavar="R", help="recall below which a class is weak (default: the mean)")
    p.add_argument(
        "--time-budget", default="20m", metavar="T", help="how long all of it may take (default: %(default)s)"
    )
    p.add_argument("--out", type=pathlib.Path, metavar="DIR", help="where the findings go (default: RUN/repair)")
    p.add_argument("--resume", action="store_true", help="go on with an interrupted repair")

    p = command(on_runs.needs, "of which classes more photographs would bring most")
    p.add_argument("run_folder", type=pathlib.Path, metavar="RUN", help="folder of a finished run")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR", help="its photographs (default: where they were)")

    p = command(on_runs.runs, "list the finished runs")
    p.add_argument("folder", type=pathlib.Path, nargs="?", default=on_runs.RUNS, metavar="DIR", help="default: runs")

    p = command(on_runs.compare, "a study's figures beside ours")
    p.add_argument("recipe", metavar="RECIPE")
    p.add_argument("--out", type=pathlib.Path, help="folder of the runs (default: runs)")


def main(argv=None) -> int:
    """Run one sub-command; return its exit code, 2 for wrong input."""
    return program.run(lambda: _answered(sys.argv[1:] if argv is None else argv))


def _answered(words) -> int:
    program.refuse_addresses(words, but=("--url",))
    args = parser().parse_args(words)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        program.say(quiet.INTERRUPTED)
        return 130
    except (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        program.say(f"error: {error.filename}: {error.strerror}")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
