"""Full disks of many sizes: a command must end with one line and exit code 2, and go on once there is room."""

import contextlib
import pathlib
import shutil
import subprocess
import time

import numpy as np

from chaos import running, state, workload
from chaos.tally import Failure, Tally

ROOMY = 256 << 20  # bytes, size of a disk on which everything fits
SMALLEST = 64 << 10  # bytes, smallest size that is tried
FILLER = 64 << 10  # bytes of a file that fills a disk, except for the free bytes below
FREE = (0, 4096, 8192, 65536)  # bytes; a tmpfs allocates whole pages


def mountable() -> str:
    """Return why no file system can be mounted here; "" if it can."""
    if not shutil.which("mount") or not pathlib.Path("/proc/filesystems").is_file():
        return "this system has no tmpfs to mount"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "mounting a tmpfs needs root"


@contextlib.contextmanager
def tmpfs(folder: pathlib.Path, size: int):
    """Mount a file system of `size` bytes on a folder; yield a function that changes its size."""
    folder.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield lambda more: _run("mount", "-o", f"remount,size={more}", str(folder))
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*words):
    subprocess.run(words, check=True, capture_output=True)


def campaign(tally: Tally, scratch, *, count: int = 20, minutes: float | None = None) -> None:
    """Try `count` sizes of the disk, evenly spaced on a log scale from the smallest to twice the size of a run."""
    if why := mountable():
        print(f"disk: skipped, {why}")
        tally.figures["skipped"] = why
        return
    scratch = pathlib.Path(scratch)
    data = workload.write_photos(scratch / "photos")
    runner = running.Runner(scratch / "commands", fork=True)
    work, end = workload.train(), None if minutes is None else time.monotonic() + 60 * minutes
    whole = scratch / "whole"
    ended = runner.run(*work.command(data, whole))
    failures = running.judged(ended)
    tally.note("whole", failures, keep=[whole])
    if failures:
        return
    known, needed = state.all_weights(whole, work.runs), sum(p.stat().st_size for p in whole.rglob("*") if p.is_file())
    sizes = np.geomspace(SMALLEST, 2 * needed, count).astype(int).tolist()
    tally.figures |= {"bytes_of_a_run": needed, "sizes": sizes}
    for number, size in enumerate(sizes):
        if end is not None and time.monotonic() > end:
            break
        train_on(tally, runner, work, data, scratch / f"disk-{number}", size, known)
        write_on(tally, runner, data, whole / work.runs[0], scratch / f"small-{number}", FREE[number % len(FREE)])
        print(f"disk {number + 1} of {count}: {size:,} bytes, {len(tally.failures)} failures", flush=True)


def train_on(tally, runner, work, data, disk, size, known) -> None:
    """Train on a disk of `size` bytes, then again with room; the result must equal that of a run with room."""
    with tmpfs(disk, size) as resize:
        out = disk / "runs"
        ended = runner.run(*work.command(data, out))
        failures = running.judged(ended, codes=(0, 2), names=[disk]) + state.check_whole(out, ended=False)
        tally.note("train, full", failures, keep=[out], what=f"{size} bytes")
        resize(ROOMY)
        ended = runner.run(*work.command(data, out, resume=True))
        failures = running.judged(ended) or state.check_end(out, work.runs, known)
        tally.note("train, with room", failures, keep=[out], what=f"{size} bytes")


def write_on(tally, runner, data, run, disk, free) -> None:
    """Run the commands that write a single file on a disk with `free` bytes left, and then on one with room."""
    size = FILLER + free
    with tmpfs(disk, size) as resize:
        (disk / "filler").write_bytes(bytes(FILLER))
        commands = {
            "split": ("kfg", "split", data, "--out", disk / "split.csv"),
            "audit --json": ("kfg", "audit", data, "--json", disk / "audit.json"),
            "answer": ("kfg", "answer", run, data / "blue", "--out", disk / "answer.json"),
            "explain": ("kfg", "explain", run, data / "blue" / "000.jpg", "--out", disk / "explained"),
        }
        for name, words in commands.items():
            failures = running.judged(runner.run(*words), codes=(0, 1, 2), names=[disk])
            left = list(disk.rglob("*.partial"))
            failures += [Failure("other", f"{path}: half-written, and left behind") for path in left]
            tally.note(f"{name}, full", failures, what=f"{free} bytes free")
        resize(ROOMY)
        for name, words in commands.items():
            tally.note(
                f"{name}, with room", running.judged(runner.run(*words), codes=(0, 1)), what=f"{free} bytes free"
            )
