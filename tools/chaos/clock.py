"""Set the clock between a kill and the resume: file times in the future must not change the result.

The machine's own clock is not changed. If the program `faketime` is installed, the resumed command runs under it; else
a `sitecustomize` on its path shifts `time.time` and `datetime.now`. In both cases the files get times in the future.
"""

import os
import pathlib
import shutil
import time

import numpy as np

from chaos import kills, running, state, workload
from chaos.tally import Tally

DAY = 86_400  # seconds
SHIFTS = (-3650 * DAY, -DAY, -3600, -60, 3600, 3650 * DAY)  # seconds by which the resumed command's clock is off
STEADY = {"DONT_FAKE_MONOTONIC": "1"}  # setting a real clock changes only the time of day, not the monotonic clock
SITE = """
import datetime, os, time
_real, _shift = time.time, float(os.environ["CHAOS_SHIFT"])
time.time = lambda: _real() + _shift
time.time_ns = lambda: int((_real() + _shift) * 1e9)
class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = _Shifted
"""


def campaign(tally: Tally, scratch, *, count: int = 12, minutes: float | None = None) -> None:
    """Kill and resume `count` times, each time with another clock."""
    scratch, rng = pathlib.Path(scratch), np.random.default_rng(tally.seed)
    data = workload.write_photos(scratch / "photos")
    runner = running.Runner(scratch / "commands", fork=False)
    site = scratch / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    tally.figures["way"] = "faketime" if shutil.which("faketime") else "sitecustomize shifts time.time"
    print(f"clock: {tally.figures['way']}; files get times in the future", flush=True)
    tally.figures["kills"] = 0
    end = None if minutes is None else time.monotonic() + 60 * minutes
    for work in (workload.train(), workload.recipe()):
        known = kills.reference(runner, work, data, scratch / f"whole-{work.runs[0].split('/')[0]}", tally)
        for number in range(count // 2 if known else 0):
            if end is not None and time.monotonic() > end:
                break
            out, shift = scratch / f"{work.runs[0].split('/')[0]}-{number}", SHIFTS[number % len(SHIFTS)]
            killed, failures = cut_and_go_on(runner, work, data, out, known, site, shift, rng)
            tally.figures["kills"] += killed
            done = f"{'killed' if killed else 'ended before its kill'}, clock moved by {shift} s"
            tally.note(work.name, failures, keep=[out], what=done)
            print(f"{work.name}: {done}, {len(failures)} failures", flush=True)


def cut_and_go_on(runner, work, data, out, known, site, shift, rng) -> tuple[bool, list]:
    """Kill when a file appears or after some time, shift the clock, and resume.

    Returns:
        whether the command still ran when it was killed, and the failures of the result.
    """
    process = runner.start(*work.command(data, out))
    moment = {"after": 0.0, "at": "last.npz"} if rng.random() < 0.7 else {"after": known.seconds / 2, "at": ""}
    killed = kills.kill_at(process, out, **moment)
    process.wait()
    future = time.time() + max(-shift, DAY)
    for path in out.rglob("*"):
        os.utime(path, (future, future))
    ended = resumed(runner, work.command(data, out, resume=True), site, shift)
    return killed, running.judged(ended) or state.check_end(out, work.runs, known.weights)


def resumed(runner, words, site, shift):
    """Run a command with a clock that is `shift` seconds off."""
    if program := shutil.which("faketime"):
        library = pathlib.Path(program).resolve().parent.parent / "lib"
        found = next(library.rglob("libfaketime.so.1"), None)
        if found:
            return runner.run(*words, env={"LD_PRELOAD": str(found), "FAKETIME": f"{shift:+d}", **STEADY})
    return runner.run(*words, env={"PYTHONPATH": str(site), "CHAOS_SHIFT": str(shift)})
