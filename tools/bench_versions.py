"""The case of tools/bench.py for versions of kfg: the same command with this checkout and with another, in turns."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from _measure import interleaved, report

from kfg.kernels import ONEDNN

HERE = pathlib.Path(__file__).parents[1]
LEAST = 0.95  # least share of the other version's speed; a smaller difference is noise of a shared machine
IMAGENET20 = ["--set", "width=0.25", "--set", "batch_size=32", "--set", "min_support=3", "--precision", "float32"]
COMMANDS = {  # name -> words of the command, without --data and --out
    "arms": ["kfg.recipes.imagenet20", "--rows", "arm-none,arm-targeted", "--epochs", "1", *IMAGENET20],
    "search": [
        "kfg.search", "imagenet20", "--space", "convnet", "--max-trials", "2", "--set", "width=0.25",
        "--set", "epochs=1", "--precision", "float32",
    ],
}  # fmt: skip


def versions(args) -> bool:
    """Measure runs per hour of one command, with this checkout and with the one given."""
    ours, theirs = "this checkout", f"the checkout {args.beside}"
    with tempfile.TemporaryDirectory() as scratch:
        numbers = iter(range(10**6))
        env = {name: value for name, value in os.environ.items() if name != ONEDNN}  # each version chooses by itself

        def case(checkout):
            def run():
                out = pathlib.Path(scratch, str(next(numbers)))
                words = ["-m", *COMMANDS[args.command_of], "--data", args.data.resolve(), "--out", out]
                start = time.perf_counter()
                subprocess.run(
                    [sys.executable, *map(str, words)],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    cwd=checkout,
                    env=env | {"PYTHONPATH": str(checkout)},
                )
                return 3600 / (time.perf_counter() - start)

            return run

        cases = {ours: case(HERE), theirs: case(args.beside.resolve())}
        figures = interleaved(cases, repeats=args.repeats, warm_up=False)
    return report(f"{args.command_of} on {args.data}", figures, unit="runs/hour", bars=[(ours, theirs, LEAST)])


def add_commands(commands, common) -> None:
    """Add `versions` to the command line of tools/bench.py."""
    command = commands.add_parser("versions", parents=[common], help="a command by this checkout and by another one")
    command.add_argument("command_of", choices=COMMANDS, metavar="|".join(COMMANDS))
    command.add_argument("--data", type=pathlib.Path, required=True, help="folder of class folders")
    command.add_argument("--beside", type=pathlib.Path, required=True, help="folder of another checkout of kfg")
    command.set_defaults(run=versions)
