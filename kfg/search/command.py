"""The command line of a search."""

import argparse
import logging
import os
import pathlib
import shlex
import sys

from kfg import program, progress, quiet
from kfg.errors import InputError
from kfg.runs import run_files

DEMO = (
    "folder", "--space", "head", "--data", "demo", "--out", "runs/demo/search", "--max-trials", "4", "--set",
    "image_size=(96, 96)", "--set", "backbone=efficientnet-lite0", "--set", "views=0", "--set", "head_epochs=10",
)  # fmt: skip
CONTINUES = "the same command continues the search"
LOCAL = "local"  # name of the only worker of a search on one machine


def parser() -> argparse.ArgumentParser:
    p = program.Parser(
        prog="python -m kfg.search",
        description="Search over a recipe's settings with KerasTuner.",
        epilog="The same command continues a search that was interrupted. Use its best.json with --set @best.json.",
    )
    p.add_argument("recipe", nargs="?", help="a recipe with search spaces: imagenet20 or folder")
    p.add_argument("--data", help="folder of class folders, or 'demo' for drawn images")
    p.add_argument("--out", type=pathlib.Path, help="folder of this search")
    p.add_argument("--space", help="search space, which says what settings may change (default: the recipe's first)")
    p.add_argument("--algorithm", default="random", help="random, bayesian or hyperband (default: random)")
    p.add_argument("--max-trials", type=int, default=20, metavar="N", help="number of trials (default: 20)")
    p.add_argument(
        "--objective",
        default="val_macro_recall",
        help="what to optimise: val_macro_recall (default), val_accuracy or val_loss",
    )
    p.add_argument("--seed", type=int, default=0, help="random seed of the search and of the trainings (default: 0)")
    p.add_argument(
        "--executions",
        type=int,
        default=1,
        metavar="N",
        help="number of trainings per trial, of which the mean is taken (default: 1)",
    )
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a fixed setting of all trials")
    p.add_argument(
        "--max-params", metavar="N", help="let trials with more parameters than this fail (10M means ten million)"
    )
    p.add_argument("--trial-time", type=float, metavar="SECONDS", help="let trials that train longer than this fail")
    p.add_argument(
        "--precision", default="float32", help="precision of the trainings: float32 (default), bfloat16 or float16"
    )
    p.add_argument("--cache", type=pathlib.Path, help="folder for decoded images and features (default: OUT/cache)")
    p.add_argument("--chief", metavar="HOST:PORT", help="lead a search at this address for workers on other machines")
    p.add_argument(
        "--worker", metavar="ID", help="run trials for the chief at --chief HOST:PORT; give each worker its own ID"
    )
    p.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long the chief and a worker wait for an answer from each other (default: 60). Give the chief and all "
        "workers the same value: a worker with a longer one reports less often, and the chief would give its trial to "
        "another",
    )
    p.add_argument(
        "--finish",
        type=int,
        nargs="?",
        const=1,
        default=0,
        metavar="N",
        help="then do a full training with the best settings, N times (default: once), and test it on the test images",
    )
    p.add_argument(
        "--show",
        type=pathlib.Path,
        metavar="DIR",
        help="print the search in DIR, whether it is running or not, and exit",
    )
    return p


def main(argv=None, *, spaces=None) -> int:
    """Search from the command line and return the exit code.

    It is 0 if all trials ended and one completed; 2 for wrong input, or if no trial completed (one line on stderr); 130
    after Ctrl-C.

    Args:
        argv: words of the command line; default those of this process.
        spaces: recipe -> name of a space -> Space; default kfg.search.spaces.SPACES.
    """
    return program.run(lambda: _answered(sys.argv[1:] if argv is None else argv, spaces))


def _answered(words, spaces) -> int:
    program.refuse_addresses(words, but=("--chief",))
    if not words:
        words = _demonstrated()
    args = parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return program.continuable(
        lambda: search(args, spaces) if args.show is None else show(args.show),
        out=args.out,
        again=CONTINUES,
        interrupted=lambda: (f"interrupted; {CONTINUES}",),
    )


def _demonstrated() -> list[str]:
    """List all spaces; return the words of a small search on drawn images, for a program called without words."""
    from kfg.search.spaces import SPACES

    print("These searches exist, each with the settings of a recipe that it changes:")
    for recipe, spaces in SPACES.items():
        for name, space in spaces.items():
            print(f"  {recipe} --space {name}: {space.suggest.__doc__.splitlines()[0].rstrip('.')}")
    print("With your own photographs, one folder for each class:")
    print("  python -m kfg.search folder --space head --data DIR --out search --max-trials 40 --finish")
    print(
        "Now a small search runs on the built-in demo images (20 classes of drawings); it takes less than five minutes:"
    )
    print(f"  python -m kfg.search {shlex.join(DEMO)}")
    print("Its figures only show how a search works; they are not results.\n", flush=True)
    return list(DEMO)


def show(folder) -> int:
    """Print the search in a folder, and write its page."""
    from kfg.search import table

    head, state = table.read(folder)
    found, settings = table.rows(state), head["settings"]
    print(f"{settings['recipe']} {settings['space']} on {head['data']}, {settings['algorithm']}")
    print(table.text(found, settings["objective"][1]))
    print(table.summary(found, settings))
    for warning in table.warnings(found, settings["objective"][1]):
        print(f"WARNING: {warning}")
    from kfg.search import page  # imported after the table is printed: pictures take seconds

    print(f"page: {page.write(folder)}")
    return 0


def search(args, spaces) -> int:
    """Run a search on this machine, lead one as chief, or work for one."""
    # kfg reports a lost connection in one line; gRPC reads this when the first channel is opened
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if args.worker is None:
        progress.step(1, 2 + bool(args.finish), "the images are read, and the settings are checked")
    with quiet.tensorflow_notes():
        import keras  # noqa: F401
    from kfg.search import algorithms, definition, display, distributed, options, table

    plan = options.from_words(args, spaces)
    settings = plan.settings()
    if args.worker is not None:
        name = distributed.worker_name(args.worker)
        with definition.held(args.out / "trials" / name, refusal=f"another worker {name} is running there"):
            client = distributed.Client(args.chief, name, patience=args.patience)
            client.check(definition.digest(settings))
            run_trials(client, plan, args, worker=name, ended=Told(name))
        return 0
    with definition.held(args.out):
        definition.claim(args.out, settings, plan.data_name)
        space = plan.hyperparameters()
        space.Fixed(definition.DIGEST, definition.digest(settings))
        oracle = algorithms.oracle(
            plan.algorithm,
            space,
            objective=plan.objective,
            direction=settings["objective"][1],
            seed=plan.seed,
            max_trials=args.max_trials,
            epochs=plan.epochs,
        )
        oracle.attach(args.out / table.STATE_FILE, lease=0.0 if args.chief is None else args.patience)
        progress.step(
            2,
            2 + bool(args.finish),
            f"up to {args.max_trials:,} trials are run; after the first you see how long the others may take",
        )
        shown = display.Live(args.out, oracle, plan, settings)
        if args.chief is not None:
            distributed.serve(oracle, args.chief, ended=shown.ended)
        elif not oracle.done():
            run_trials(oracle, plan, args, worker=LOCAL, ended=lambda *_: shown.ended())
        shown.finish()
        if args.finish:
            from kfg.search import finish

            progress.step(3, 3, "a full training with the best settings is run and tested")
            finish.finish(plan, args.out, args.cache or args.out / run_files.CACHE, runs=args.finish)
    return 0


class Told:
    """Prints the trials that a worker has run, and ends a worker whose trials all fail.

    Raises:
        InputError: PATIENCE trials failed one after another; another machine may do better.
    """

    PATIENCE = 10

    def __init__(self, worker):
        self.worker, self.failed = worker, 0

    def __call__(self, trial, record) -> None:
        print(f"trial {trial}: {record['reason'] or record['scores']}, {record['seconds']:.1f} s", flush=True)
        self.failed = self.failed + 1 if record["reason"] else 0
        if self.failed == self.PATIENCE:
            raise InputError(
                f"--worker {self.worker}: {self.failed} trials failed in a row; the last one: {record['reason']}"
            )


def run_trials(oracle, plan, args, *, worker, ended) -> None:
    from kfg.search import process, work

    work.work(
        oracle,
        plan,
        worker=worker,
        folder=args.out / "trials",
        cache_dir=args.cache or args.out / run_files.CACHE,
        made=process.context(plan.space.module),
        every=args.patience / 4,
        ended=ended,
    )
