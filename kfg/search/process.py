"""Start a trial's process, follow it, and say how it ended.

The processes are forked from a server that has imported TensorFlow but computed nothing (Python's `forkserver`): a
trial starts in milliseconds instead of four seconds, and its memory goes when it ends.
"""

import dataclasses
import multiprocessing
import pathlib
import signal
import time
from collections.abc import Callable
from multiprocessing import connection

from kfg.search import trial

TAIL = 4000  # characters of a log that are kept as the traceback


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one training ended: with figures, or with a reason.

    Args:
        figures: what the recipe's run returned; None if it failed.
        reason: one line; "" if it did not fail.
        traceback: what its log says of the failure.
        seconds: from the begin of training, what --trial-time counts.
    """

    figures: dict | None
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0


def context(module: str):
    """Return the multiprocessing context whose server has imported what trials need.

    Args:
        module: of the recipe.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # on Windows each trial imports them by itself
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["kfg.search._server", trial.__name__, module])
    first = made.Process(target=int)  # starts when the imports are done: no trial has to wait for them
    first.start()
    first.join()
    return made


def run(request, made, *, limit: float | None, beat: Callable[[], None], every: float) -> Outcome:
    """Run one training in a process of its own.

    Args:
        request: trial.Request.
        made: what `context` returned.
        limit: seconds from the begin of training; None for any time.
        beat, every: function called every so many seconds while waiting.
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
            return Outcome(None, f"--trial-time: over {limit:g} s of training", seconds=spent)
        if now >= next_beat:
            beat()
            next_beat = time.monotonic() + every
        wait = next_beat - now if limit is None or started is None else min(next_beat - now, limit - spent + 0.01)
        if not connection.wait([receiver], timeout=max(0.0, wait)):
            continue
        try:
            kind, content = receiver.recv()
        except EOFError:  # it ended without a word
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
    """Return the reason and the traceback of a process that ended without an answer."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as the system does when memory is out" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}", text[-TAIL:]
    begin = text.rfind("Traceback (most recent call last)")
    text = text[begin:] if begin >= 0 else text[-TAIL:]
    lines = text.strip().splitlines()
    return (lines[-1] if lines else f"ended with exit code {code}"), text[-TAIL:]
