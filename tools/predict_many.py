"""Let `kfg predict` answer very many photographs, kill it half-way, go on, and watch its memory.

    python tools/predict_many.py RUN DIR [--photographs 100000]

The photographs are links to those of DIR, under new names, in a temporary folder. The command is killed (kill -9) once
half of the answers are written, and then given again. Printed are photographs/s, the memory that the process holds when
so many of the answers are written, and whether each photograph has exactly one answer. Runs on Linux.
"""

import argparse
import csv
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from remedies import processor

from kfg.data import image_files
from kfg.progress import duration

SHARES = (0.1, 0.25, 0.5, 0.75, 0.95)  # of the answers, at which the memory is printed
EVERY = 0.5  # seconds between two looks at the process
PER_FOLDER = 10_000  # links in one folder


def linked(root, folder, count: int) -> None:
    """Fill a folder with links to the photographs of another."""
    names = itertools.cycle(sorted(map(str, image_files.files([root]))))
    for number, source in zip(range(count), names, strict=False):
        home = folder / f"{number // PER_FOLDER:04d}"
        home.mkdir(exist_ok=True)
        os.symlink(os.path.abspath(source), home / f"{number:08d}{pathlib.Path(source).suffix}")


def written_to(path) -> int:
    """Return how many answers a command has written so far: to pieces in a folder, and in the end to the file."""
    if path.is_file():
        return max(0, _lines(path) - 1)  # without its header
    return sum(map(_lines, path.with_name(f"{path.name}.partial").glob("*.csv")))


def _lines(path) -> int:
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def resident(pid) -> float:
    """Return the memory that a process holds, in MB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def watched(words, answers, *, until: int) -> tuple[list[tuple[int, float]], float]:
    """Run a command until it ends, or kill it once so many answers are written.

    Returns:
        (answers written, MB) at each look, and the seconds that it ran.
    """
    began, seen = time.monotonic(), []
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            written = written_to(answers)
            seen.append((written, resident(process.pid)))
            if written >= until:
                process.kill()
            time.sleep(EVERY)
    return seen, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--photographs", type=int, default=100_000, metavar="N")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        photographs, answers = pathlib.Path(work) / "photographs", pathlib.Path(work) / "answers.csv"
        photographs.mkdir()
        linked(args.folder, photographs, args.photographs)
        words = [sys.executable, "-m", "kfg", "predict", str(args.run), str(photographs), "--out", str(answers)]
        before, first = watched(words, answers, until=args.photographs // 2)
        killed = written_to(answers)
        after, second = watched([*words, "--resume"], answers, until=args.photographs * 2)
        with open(answers, newline="", encoding="utf-8") as file:
            paths = [row["path"] for row in csv.DictReader(file)]
    print(f"{args.photographs:,} photographs on {processor()}: {duration(first + second)}, "
          f"{args.photographs / (first + second):.0f} photographs/s")  # fmt: skip
    print(
        f"killed when {killed:,} answers were written; in the end {len(paths):,} answers, {len(set(paths)):,} different"
    )
    for share in SHARES:
        held = [memory for written, memory in [*before, *after] if written >= 0.98 * share * args.photographs]
        print(f"  {share:>4.0%} of the answers written: {held[0] if held else float('nan'):,.0f} MB")
    print(f"most: {max(memory for _, memory in [*before, *after]):,.0f} MB")
    if killed >= args.photographs:
        print("the command ended before it was killed: nothing was tested; give more photographs")
        return 1
    return 0 if len(paths) == len(set(paths)) == args.photographs else 1


if __name__ == "__main__":
    raise SystemExit(main())
