"""Run a trial's training in a process of its own, watch it, and say how it ended.

The processes are forked from a server that has imported TensorFlow but computed nothing (Python's `forkserver`). So a
trial starts in milliseconds instead of four seconds, and its memory is freed when it ends.
"""

import dataclasses
import multiprocessing
import pathlib
import signal
import time
from collections.abc import Callable
from multiprocessing import connection

from kfg.search import trial

TAIL = 4000  # characters at the end of a log that are kept as the traceback


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one training ended: with figures, or with the reason for its failure.

    Args:
        figures: the result of the recipe's run; None if it failed.
        reason: one line; "" if it did not fail.
        traceback: its traceback, or else the end of its log, if it failed.
        seconds: time since the training began, which --trial-time limits.
    """

    figures: dict | None
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0


def context(module: str):
    """Return the multiprocessing context whose server has imported all that trials need.

    Args:
        module: the recipe's module.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # on Windows, each trial imports all by itself
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["kfg.search._server", trial.__name__, module])
    first = made.Process(target=int)  # starts when the imports are done, so no trial has to wait for them
    first.start()
    first.join()
    return made


def run(request, made, *, limit: float | None, beat: Callable[[], None], every: float) -> Outcome:
    """Run one training in a process of its own.

    Args:
        request: trial.Request.
        made: the result of `context`.
        limit: seconds from the begin of training; None for any time.
        beat, every: function () that is called every so many seconds while waiting.
    """
    receiver, sender = made.Pipe(duplex=False)
    process = made.Process(target=trial.main, args=(request, sender))
    process.start()
    sender.close()
    try:
        return _followed(process, receiver, request.workdir / trial.LOG, limit, beat, every)
    finally:
        process.kill()
        process.join()
        receiver.close()


def _followed(process, receiver, log, limit, beat, every):
    started = None
    next_beat = time.monotonic() + every
    while True:
        now = time.monotonic()
        spent = now - started if started else 0.0
        if limit is not None and spent > limit:
            return Outcome(None, f"--trial-time: trained longer than {limit:g} s", seconds=spent)
        if now >= next_beat:
            beat()
            next_beat = time.monotonic() + every
        wait = next_beat - now if limit is None or started is None else min(next_beat - now, limit - spent + 0.01)
        if not connection.wait([receiver], timeout=max(0.0, wait)):
            continue
        try:
            kind, content = receiver.recv()
        except EOFError:  # the process ended without an answer
            process.join()
            reason, text = died(process.exitcode, log)
            return Outcome(None, reason, text, spent)
        if kind == trial.STARTED:
            started = started or time.monotonic()
        elif kind == trial.DONE:
            return Outcome(content, seconds=spent)
        else:
            return Outcome(None, *content, spent)


def died(code: int, log: pathlib.Path) -> tuple[str, str]:
    """Return the reason and the traceback for a process that ended without an answer."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", which the system does when memory runs out" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}", text[-TAIL:]
    begin = text.rfind("Traceback (most recent call last)")
    text = text[begin:] if begin >= 0 else text[-TAIL:]
    lines = text.strip().splitlines()
    return (lines[-1] if lines else f"ended with exit code {code}"), text[-TAIL:]
