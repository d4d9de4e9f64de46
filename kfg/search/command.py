"""The command line of a search."""

import argparse
import logging
import os
import pathlib
import sys

from kfg import program, quiet
from kfg.engine.runner import MACHINE_ERRORS
from kfg.errors import InputError

LOCAL = "local"  # the name of the one worker of a search on one machine


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m kfg.search",
        description="Search over a recipe's settings with KerasTuner.",
        epilog="The same command goes on with a search that was cut off. best.json is for --set @best.json.",
    )
    p.add_argument("recipe", help="a recipe that has spaces: imagenet20, folder")
    p.add_argument("--data", help="folder of class folders, or 'demo' for drawn images")
    p.add_argument("--out", type=pathlib.Path, help="folder of this search")
    p.add_argument("--space", help="which settings may change (default: the recipe's first)")
    p.add_argument("--algorithm", default="random", help="random, bayesian or hyperband (default: random)")
    p.add_argument("--max-trials", type=int, default=20, metavar="N", help="trials in all (default: 20)")
    p.add_argument("--objective", default="val_macro_recall", help="val_macro_recall, val_accuracy or val_loss")
    p.add_argument("--seed", type=int, default=0, help="of the search and of the trainings (default: 0)")
    p.add_argument("--executions", type=int, default=1, metavar="N", help="trainings per trial, their mean counts")
    p.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of all trials, not searched over"
    )
    p.add_argument("--max-params", metavar="N", help="a trial of more parameters fails; 10M is ten million")
    p.add_argument("--trial-time", type=float, metavar="SECONDS", help="a trial that trains longer fails")
    p.add_argument("--precision", default="float32", help="of the trainings: float32 (default), bfloat16, float16")
    p.add_argument("--cache", type=pathlib.Path, help="folder for decoded images and features (default: OUT/cache)")
    p.add_argument("--chief", metavar="HOST:PORT", help="lead a search here for workers on other machines")
    p.add_argument(
        "--worker", metavar="ID", help="run trials for the chief at --chief HOST:PORT; an ID for each worker"
    )
    p.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long chief and worker wait for a word of the other (default: 60)",
    )
    p.add_argument(
        "--finish",
        type=int,
        nargs="?",
        const=1,
        default=0,
        metavar="N",
        help="then train the best settings in full, N times (default: once), and test them on the test images",
    )
    p.add_argument("--show", type=pathlib.Path, metavar="DIR", help="print the search in DIR, running or not, and end")
    return p


def main(argv=None, *, spaces=None) -> int:
    """Search from the command line; return the exit code.

    0 all trials ended and one completed, 2 wrong input or no trial completed (one line on stderr), 130 Ctrl-C.

    Args:
        argv: words; default the program's own.
        spaces: recipe -> space's name -> Space; default kfg.search.spaces.SPACES.
    """
    return program.run(lambda: _answered(sys.argv[1:] if argv is None else argv, spaces))


def _answered(words, spaces) -> int:
    program.refuse_addresses(words, but=("--chief",))
    args = parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if args.show is not None:
            return show(args.show)
        return search(args, spaces)
    except OSError as error:
        if error.errno not in MACHINE_ERRORS or program.stdout_failed():
            raise
        program.say(f"error: {error.filename or args.out}: {error.strerror}; the same command goes on")
        return 2
    except KeyboardInterrupt:
        program.say("")  # ends a line of progress
        program.say("interrupted; the same command goes on")
        return 130


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
    from kfg.search import page  # after the table: pictures take seconds

    print(f"page: {page.write(folder)}")
    return 0


def search(args, spaces) -> int:
    """Run a search on this machine, or lead one, or work for one."""
    # a lost connection is told in one line of ours; read when the first channel is opened
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
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
        shown = display.Live(args.out, oracle, plan, settings)
        if args.chief is not None:
            distributed.serve(oracle, args.chief, ended=shown.ended)
        elif not oracle.done():
            run_trials(oracle, plan, args, worker=LOCAL, ended=lambda *_: shown.ended())
        shown.finish()
        if args.finish:
            from kfg.search import finish

            finish.finish(plan, args.out, args.cache or args.out / "cache", runs=args.finish)
    return 0


class Told:
    """Prints the trials that a worker has run, and ends a worker that fails them all.

    Raises:
        InputError: PATIENCE trials failed, one after another: another machine may be better off.
    """

    PATIENCE = 10

    def __init__(self, worker):
        self.worker, self.failed = worker, 0

    def __call__(self, trial, record) -> None:
        print(f"trial {trial}: {record['reason'] or record['scores']}, {record['seconds']:.1f} s", flush=True)
        self.failed = self.failed + 1 if record["reason"] else 0
        if self.failed == self.PATIENCE:
            raise InputError(
                f"--worker {self.worker}: {self.failed} trials failed in a row, the last: {record['reason']}"
            )


def run_trials(oracle, plan, args, *, worker, ended) -> None:
    from kfg.search import process, work

    work.work(
        oracle,
        plan,
        worker=worker,
        folder=args.out / "trials",
        cache_dir=args.cache or args.out / "cache",
        made=process.context(plan.space.module),
        every=args.patience / 4,
        ended=ended,
    )
