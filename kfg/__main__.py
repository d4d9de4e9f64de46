"""The `kfg` command. Each sub-command is one library call; it imports TensorFlow only if it needs it."""

import argparse
import sys

from kfg import __version__, program, quiet
from kfg.commands import on_photographs, on_runs, predicting, shipping, training, with_models, with_pages, with_queue

ABOUT_FILES = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError)
LONGEST = 200  # characters of a path that a message shows; it may be the names of a whole folder in one word

# Function, function that adds its options to a parser, and what `kfg --help` says of it, in the order of `kfg --help`.
COMMANDS = (
    (on_photographs.audit, on_photographs.audit_options, "check a data folder"),
    (on_photographs.split, on_photographs.split_options, "write a train/val/test split"),
    (
        with_queue.review,
        with_queue.review_options,
        "look through suspicious photographs and keep, relabel or leave out each",
    ),
    (on_photographs.data, on_photographs.data_options, "download a published data set"),
    (on_photographs.demo, on_photographs.demo_options, "draw the demo images"),
    (with_models.models, with_models.models_options, "list the models"),
    (training.train, training.train_options, "train on your own photographs"),
    (predicting.predict, predicting.predict_options, "classify images"),
    (with_models.answer, with_models.answer_options, "write a contest's answer file"),
    (with_models.explain, with_models.explain_options, "show what a model looks at"),
    (shipping.export, shipping.export_options, "write a model in other formats"),
    (with_pages.serve, with_pages.serve_options, "try a model in the browser or through a JSON API"),
    (
        on_runs.evaluate,
        on_runs.evaluate_options,
        "show a run's test figures, test it on new photographs, or correct for rare classes",
    ),
    (
        on_runs.repair,
        on_runs.repair_options,
        "find out why classes are weak and what helps, and make a new run with it",
    ),
    (on_runs.needs, on_runs.needs_options, "show which classes would gain most from more photographs"),
    (on_runs.runs, on_runs.runs_options, "list the finished runs"),
    (on_runs.compare, on_runs.compare_options, "compare two runs, or a study's figures with ours"),
)


def parser() -> argparse.ArgumentParser:
    """Make the parser of the `kfg` command."""
    top = program.Parser(prog="kfg", description="Train, examine, repair and ship image classifiers.")
    top.add_argument("--version", action="version", version=f"kfg {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for run, add_options, told in COMMANDS:
        p = subparsers.add_parser(run.__name__, help=told, description=run.__doc__)
        p.set_defaults(run=run)
        add_options(p)
    return top


def main(argv=None) -> int:
    """Run one sub-command and return its exit code; it is 2 for wrong input."""
    return program.run(lambda: _answered(sys.argv[1:] if argv is None else argv))


def _answered(words) -> int:
    program.refuse_addresses(words, but=("--url", "--from", "--ray"))
    if not words:
        parser().print_help()
        return 0
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
