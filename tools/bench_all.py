"""The case of tools/bench.py that measures the others on this machine, but not `modules`, `near` and `versions`."""

import pathlib
import subprocess
import sys

BENCH = pathlib.Path(__file__).parent / "bench.py"
# words after `bench.py`; {data} and {run} stand for what the user names
CASES = (
    "help-time", "precision", "kernels", "optimizer", "fine-tune", "attention", "train", "augment",
    "predict --images 400 --data {data}", "frozen --images 600 --data {data}", "serve --run {run}",
    "search head --epochs 10 --data {data}", "search convnet --trials 4 --epochs 4 --width 0.25 --data {data}",
    "memory", "demo", "recipes",
)  # fmt: skip
MISSED = 3  # exit code where a bar is missed; others mean that a case failed
ONCE = ("demo", "recipes", "search", "serve")  # cases that take minutes


def everything(args) -> bool:
    """Measure all cases that the named folder and run allow; at the end, list the bars that were missed."""
    given = {"data": args.data, "run": args.run_folder}
    missed, left_out = [], []
    for case in CASES:
        needed = next((name for name, value in given.items() if f"{{{name}}}" in case and value is None), None)
        if needed:
            left_out.append(f"{case.split(' --')[0]} (--{needed})")
            continue
        words = [str(given[word[1:-1]]) if word[0] == "{" else word for word in case.split()]
        repeats = 1 if words[0] in ONCE else args.repeats
        print(f"\n{' '.join(words)}", flush=True)
        ended = subprocess.run([sys.executable, BENCH, *words, "--repeats", str(repeats)]).returncode
        if ended:
            missed.append(words[0] if ended == MISSED else f"{words[0]} (ended with {ended})")
    print(f"\nCases with missed bars: {', '.join(missed) or 'none'}.")
    if left_out:
        print(f"Not measured, because what they need was not named: {', '.join(left_out)}.")
    return not missed


def add_commands(commands, common) -> None:
    """Add the sub-command `all`."""
    command = commands.add_parser(
        "all", parents=[common], help="every case but modules, near and versions, in about two hours"
    )
    command.add_argument("--data", type=pathlib.Path, metavar="DIR", help="folder of photographs")
    command.add_argument("--run", type=pathlib.Path, dest="run_folder", metavar="RUN", help="a finished run")
    command.set_defaults(run=everything)
