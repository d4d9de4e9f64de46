"""Kill a training, a recipe and a search at random moments and resume: they must give equal weights, every row once."""

import dataclasses
import fnmatch
import itertools
import os
import pathlib
import time

import numpy as np

from chaos import running, state, workload
from chaos.tally import Tally

# Files at whose appearance a kill is most likely to do harm, because the next file may then be half written.
MOMENTS = ("*.partial", "last.npz", "report.json", "saved_model.pb", "results.jsonl", "split.csv", "model.keras")
SHARES = (("kfg train", 0.4), ("recipe", 0.4), ("search", 0.2))  # shares of all kills
AT_MOST = 8  # most kills of one run; after that it may end


@dataclasses.dataclass
class Reference:
    """An uninterrupted run to compare with: its weights by run folder, its seconds, and its other files by name.

    `moments` are the names of files at whose appearance a run is killed.
    """

    weights: dict
    seconds: float
    files: dict = dataclasses.field(default_factory=dict)
    moments: tuple[str, ...] = MOMENTS


def campaign(tally: Tally, scratch, *, count: int = 50, minutes: float | None = None) -> None:
    """Kill `count` times, divided among the workloads.

    Args:
        tally: the Tally that counts the results.
        scratch: working folder.
        count: number of kills.
        minutes: after this time no further run is begun; None: no limit.
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
            left -= max(1, killed)  # at least 1, so that this ends if runs always end before their kill
            tally.figures["kills"] += killed
            print(f"{work.name}: run {run}, {killed} kills, {max(0, left)} to go", flush=True)


def reference(runner, work, data, out, tally, *, moments=MOMENTS) -> Reference | None:
    """Run a workload without a kill and return it as the reference; None if even that fails."""
    ended = runner.run(*work.command(data, out))
    failures = running.judged(ended) or [*state.check_rows(out, work.runs), *state.check_whole(out, ended=True)]
    tally.note(f"{work.name}: whole", failures, keep=[out] if failures else ())
    if running.judged(ended):
        return None
    left = {name: (pathlib.Path(out) / name).read_bytes() for name in work.files}
    return Reference(state.all_weights(out, work.runs), ended.seconds, left, moments)


def kill_and_go_on(runner, work, data, out, known, rng, tally, *, at_most: int) -> int:
    """Kill one run again and again until it ends, and check the files after each kill; return the number of kills."""
    killed, moments = 0, []
    for attempt in range(at_most + 1):
        process = runner.start(*work.command(data, out, resume=attempt > 0))
        moment = _moment(rng, known.seconds, known.moments) if attempt < at_most else None
        if moment is None or not kill_at(process, out, **moment):
            ended = process.wait()
            failures = running.judged(ended) or state.check_end(out, work.runs, known.weights, known.files)
            tally.note(f"{work.name}: ended", failures, keep=[out, process.folder], what=f"kills {moments}")
            return killed
        killed += 1
        moments.append(moment)
        ended = process.wait()
        failures = [one for one in running.judged(ended, codes=(0, 2, -9)) if one.kind == "tracebacks"]
        failures += state.check_whole(out, ended=False)
        tally.note(f"{work.name}: killed", failures, keep=[out, process.folder], what=f"kills {moments}")
    return killed


def _moment(rng, seconds, moments) -> dict:
    """Draw the moment of a kill: in half of the cases a time, else the appearance of a file with some name."""
    if rng.random() < 0.5:
        return {"after": round(float(rng.uniform(0, seconds)), 2), "at": ""}
    return {"after": 0.0, "at": str(rng.choice(moments))}


def kill_at(process, out, *, after: float, at: str) -> bool:
    """Kill a process after `after` seconds, or when a file called `at` appears or changes; return if it still ran."""
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
    """Return the files and folders whose name matches; unlike rglob, this does not fail if some vanish meanwhile."""
    found = (pathlib.Path(parent, one) for parent, *names in os.walk(out) for one in itertools.chain(*names))
    return [path for path in found if fnmatch.fnmatch(path.name, name)] if name else []


def _changed(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # it was there, but has been renamed meanwhile
        return 0
