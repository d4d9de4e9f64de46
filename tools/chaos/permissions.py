"""Folders that cannot be written or read: one line must name them, with exit code 2, and nothing may be changed.

File modes do not stop root. So for root a folder is made immutable (chattr +i) or mounted read-only; and with the modes
555 and 000 the command runs under setpriv, without the capabilities by which root ignores modes.
"""

import contextlib
import os
import pathlib
import shutil
import stat
import subprocess

from chaos import running, state, workload
from chaos.tally import Failure, Tally
from kfg.runs import run_files

POWERS = "-dac_override,-dac_read_search"  # the capabilities by which root ignores file modes
WITHOUT_POWERS = ("setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}")


def campaign(tally: Tally, scratch, *, count: int | None = None, minutes: float | None = None) -> None:
    """Try every way to refuse access on every folder; `count` limits the number of cases."""
    del minutes  # not used, as all cases take only a few minutes
    scratch = pathlib.Path(scratch)
    data = workload.write_photos(scratch / "photos")
    runner = running.Runner(scratch / "commands", fork=True)
    work = workload.train()
    ready = scratch / "ready"
    failures = running.judged(runner.run(*work.command(data, ready)))
    tally.note("whole", failures)
    if failures:
        return
    ways = possible(scratch)
    tally.figures["ways"] = list(ways)
    print(f"permissions: {', '.join(ways)}", flush=True)
    cases = [(way, place) for way in ways for place in PLACES][:count]
    for number, (way, place) in enumerate(cases):
        one = scratch / f"case-{number}"
        shutil.copytree(ready, one / "runs")
        shutil.copytree(data, one / "photos")
        target, words = PLACES[place](one, work)
        before = _snapshot(one / "runs")
        refused, prefix = ways[way]
        plain = running.Runner(one / "commands", fork=False, prefix=prefix)
        with refused(target):
            ended = (plain if prefix else runner).run(*words)
        codes = (0, 1, 2) if place in READS else (2,)
        failures = running.judged(ended, codes=codes, names=[target.name, one])
        failures += [Failure("lost", f"{path} changed") for path in _changed(before, one / "runs")]
        failures += state.check_whole(one / "runs", ended=True)
        if place in TRAINED_AGAIN:  # with access again, the same command must write all that was missing
            failures += running.judged(runner.run(*words))
            failures += state.check_rows(one / "runs", workload.train(seeds=2).runs)
        tally.note(f"{place}, {way}", failures, keep=[one / "runs"], what=" ".join(map(str, words)))
        print(f"{way}: {place}: exit {ended.code}, {ended.told}", flush=True)


def _run_folder(one, work):
    """Return the run folder of another seed, which exists and will be locked, and the command that trains it."""
    run = one / "runs" / "folder" / "transfer" / "seed-1"
    run.mkdir()
    return run, [*work.command(one / "photos", one / "runs", resume=True), "--seeds", "2"]


def _results(one, work):
    path = one / "runs" / run_files.RESULTS
    return path, [*work.command(one / "photos", one / "runs", resume=True), "--seeds", "2"]


def _new_out(one, work):
    out = one / "locked"
    out.mkdir()
    return out, work.command(one / "photos", out / "runs")


def _cache(one, _work):
    cache = one / "cache"
    cache.mkdir()
    words = ["-m", "kfg.recipes.imagenet20", "--data", one / "photos", "--out", one / "other", "--rows", "convnet1"]
    return cache, [*words, "--smoke", "--cache", cache / "deeper", "--memory-budget", "0"]


def _data(one, work):
    return one / "photos", work.command(one / "photos", one / "other")


def _split(one, _work):
    where = one / "where"
    where.mkdir()
    return where, ["kfg", "split", one / "photos", "--out", where / "split.csv"]


def _predict(one, work):
    return one / "runs", ["kfg", "predict", one / "runs" / work.runs[0], one / "photos" / "blue"]


PLACES = {  # place to which access is refused -> function (folder, workload) -> (path, command)
    "--out": _new_out,
    "run folder": _run_folder,
    "results.jsonl": _results,
    "--cache": _cache,
    "split --out": _split,
    "data folder": _data,
    "run read by predict": _predict,
}
TRAINED_AGAIN = ("run folder", "results.jsonl")
READS = ("data folder", "run read by predict", "--cache")  # the command may succeed if only writing is refused


def possible(scratch) -> dict:
    """Return the ways to refuse access that work here: name -> (context manager, words before the command)."""
    modes = {"mode 555": _mode(0o555), "mode 000": _mode(0)}
    if os.geteuid() != 0:
        return {name: (way, ()) for name, way in modes.items()}
    ways = {}
    probe = scratch / "probe"
    probe.mkdir()
    for name, way in (("immutable", immutable), ("read-only mount", read_only)):
        with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError), way(probe):
            ways[name] = (way, ())
    if shutil.which("setpriv"):
        ways |= {f"{name}, setpriv": (way, WITHOUT_POWERS) for name, way in modes.items()}
    return ways


@contextlib.contextmanager
def immutable(path):
    """Make a folder and everything in it immutable, which also stops root."""
    subprocess.run(["chattr", "-R", "+i", str(path)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-R", "-i", str(path)], check=True, capture_output=True)


@contextlib.contextmanager
def read_only(path):
    """Mount a path on itself as read-only."""
    subprocess.run(["mount", "--bind", str(path), str(path)], check=True, capture_output=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(path)], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)


def _mode(mode):
    @contextlib.contextmanager
    def way(path):
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode if path.is_dir() else mode & 0o444)
        try:
            yield
        finally:
            path.chmod(before)

    return way


def _snapshot(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts}


def _changed(before, folder) -> list[str]:
    """Return the files that have changed or are gone since `before`; new files and new rows do not count."""
    changed = []
    for path, data in before.items():
        now = path.read_bytes() if path.is_file() else b""
        if path.name == run_files.RESULTS:
            changed += [str(path)] * (not now.startswith(data) and not _rows_kept(data, now))
        elif now != data and not path.name.startswith("."):
            changed.append(str(path))
    return changed


def _rows_kept(before: bytes, now: bytes) -> bool:
    return set(before.splitlines()) <= set(now.splitlines())
