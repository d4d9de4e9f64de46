"""Kill `kfg repair` at random moments and resume it: it must give equal findings and an equal net, every row once."""

import itertools
import pathlib
import shutil
import time

import numpy as np

from chaos import kills, running, workload
from chaos.tally import Tally

ALIKE = {"brick": (160, 70, 40), "rust": (170, 60, 30), "sky": (40, 90, 220)}  # brick and rust are easily confused
PER_CLASS = 24
MOMENTS = (
    "*.partial", "*.int32", "*.float32", "suspects.csv", "repair.json", "repair.html", "last.npz", "report.json",
    "saved_model.pb", "results.jsonl", "model.keras", "repair_of.json",
)  # fmt: skip


def campaign(tally: Tally, scratch, *, count: int = 20, minutes: float | None = None) -> None:
    """Kill repairs of copies of one finished run, `count` times in all.

    Args:
        tally: the Tally that counts the results.
        scratch: working folder.
        count: number of kills.
        minutes: after this time no further repair is begun; None: no limit.
    """
    scratch, rng = pathlib.Path(scratch), np.random.default_rng(tally.seed)
    data = workload.write_photos(scratch / "photos", per_class=PER_CLASS, classes=ALIKE)
    runner = running.Runner(scratch / "commands", fork=False)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    trained, known = prepared(runner, data, scratch, tally)
    tally.figures["kills"] = 0
    for number in itertools.count(1) if known else ():
        left = count - tally.figures["kills"]
        if left <= 0 or number > 2 * count or (end is not None and time.monotonic() > end):
            return
        tally.figures["kills"] += repaired(runner, data, trained, scratch / f"cut-{number}", known, rng, tally, left)
        print(f"repair {number}: {tally.figures['kills']} of {count} kills", flush=True)


def prepared(runner, data, scratch, tally) -> tuple[pathlib.Path, kills.Reference | None]:
    """Train a run and repair a copy of it without a kill; return the folder of the run and the reference repair."""
    trained, whole, work = scratch / "trained", scratch / "whole", workload.repair()
    ended = runner.run(*workload.train().command(data, trained))
    tally.note("kfg train", running.judged(ended), keep=[trained])
    shutil.copytree(trained, whole)
    return trained, kills.reference(runner, work, data, whole, tally, moments=MOMENTS)


def repaired(runner, data, trained, out, known, rng, tally, left) -> int:
    """Kill the repair of one copy of the run again and again until it ends; return the number of kills."""
    shutil.copytree(trained, out)
    at_most = min(left, kills.AT_MOST)
    return kills.kill_and_go_on(runner, workload.repair(), data, out, known, rng, tally, at_most=at_most)
