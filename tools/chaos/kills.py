"""Kill -9 at random moments of a training, a recipe and a search, and go on: the same weights, every row once."""

import dataclasses
import fnmatch
import itertools
import os
import pathlib
import time

import numpy as np

from chaos import running, state, workload
from chaos.tally import Tally

# Files whose first sight is a moment worth a kill: what is written next may not be whole. "" is the clock alone.
MOMENTS = ("*.partial", "last.npz", "report.json", "saved_model.pb", "results.jsonl", "split.csv", "model.keras")
SHARES = (("kfg train", 0.4), ("recipe", 0.4), ("search", 0.2))  # of the kills
AT_MOST = 8  # kills of one and the same run, then it may end


@dataclasses.dataclass
class Reference:
    """The uninterrupted run: its weights by run folder, and its seconds."""

    weights: dict
    seconds: float


def campaign(tally: Tally, scratch, *, count: int = 50, minutes: float | None = None) -> None:
    """Kill `count` times, shared among the workloads.

    Args:
        minutes: begin no further run after so many; None for no limit.
    """
    rng = np.random.default_rng(tally.seed)
    data = workload.write_photos(pathlib.Path(scratch) / "photos")
    runner = running.Runner(pathlib.Path(scratch) / "commands", fork=False)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    works = {work.name: work for work in (workload.train(), workload.recipe(), workload.search())}
    tally.figures["kills"] = 0
    for name, share in SHARES:
        work, left = works[name], max(1, round(count * share))
        known = reference(runner, work, data, pathlib.Path(scratch) / f"whole-{work.name.replace(' ', '-')}", tally)
        if known is None:
            continue
        run = 0
        while left > 0 and (end is None or time.monotonic() < end):
            run += 1
            out = pathlib.Path(scratch) / f"cut-{work.name.replace(' ', '-')}-{run}"
            killed = kill_and_go_on(runner, work, data, out, known, rng, tally, at_most=min(left, AT_MOST))
            left -= max(1, killed)  # a run that always ended before its kill counts, lest this go on for ever
            tally.figures["kills"] += killed
            print(f"{work.name}: run {run}, {killed} kills, {max(0, left)} to go", flush=True)


def reference(runner, work, data, out, tally) -> Reference | None:
    """Run a workload without a kill; None where that fails already."""
    ended = runner.run(*work.command(data, out))
    failures = running.judged(ended) or [*state.check_rows(out, work.runs), *state.check_whole(out, ended=True)]
    tally.note(f"{work.name}: whole", failures, keep=[out] if failures else ())
    return None if running.judged(ended) else Reference(state.all_weights(out, work.runs), ended.seconds)


def kill_and_go_on(runner, work, data, out, known, rng, tally, *, at_most: int) -> int:
    """Kill one run again and again until it ends, and check what is left after each kill; return the kills."""
    killed, moments = 0, []
    for attempt in range(at_most + 1):
        process = runner.start(*work.command(data, out, resume=attempt > 0))
        moment = _moment(rng, known.seconds) if attempt < at_most else None
        if moment is None or not kill_at(process, out, **moment):
            ended = process.wait()
            failures = running.judged(ended) or state.check_end(out, work.runs, known.weights)
            tally.note(f"{work.name}: ended", failures, keep=[out, process.folder], what=f"kills {moments}")
            return killed
        killed += 1
        moments.append(moment)
        ended = process.wait()
        failures = [one for one in running.judged(ended, codes=(0, 2, -9)) if one.kind == "tracebacks"]
        failures += state.check_whole(out, ended=False)
        tally.note(f"{work.name}: killed", failures, keep=[out, process.folder], what=f"kills {moments}")
    return killed


def _moment(rng, seconds) -> dict:
    """Draw when to kill: half of the times by the clock, else as soon as a file of some name is made."""
    if rng.random() < 0.5:
        return {"after": round(float(rng.uniform(0, seconds)), 2), "at": ""}
    return {"after": 0.0, "at": str(rng.choice(MOMENTS))}


def kill_at(process, out, *, after: float, at: str) -> bool:
    """Kill a process after so many seconds, or at the sight of a new file; return whether it still ran."""
    known = {path: _changed(path) for path in _files(out, at)}
    while process.running():
        if at and any(known.get(path) != _changed(path) for path in _files(out, at)):
            break
        if not at and time.monotonic() - process.begun >= after:
            break
        time.sleep(0.002)
    alive = process.running()
    process.kill()
    return alive


def _files(out, name):
    """Return the files and folders of a name; those that go while they are listed are passed over, unlike by rglob."""
    found = (pathlib.Path(parent, one) for parent, *names in os.walk(out) for one in itertools.chain(*names))
    return [path for path in found if fnmatch.fnmatch(path.name, name)] if name else []


def _changed(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # renamed meanwhile: it was there
        return 0
