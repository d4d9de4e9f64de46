"""How far a long step is, and how long it will take."""

import sys
import time

PARTS = 4  # lines of one step where the output is no terminal
QUICK = 10  # seconds; there, a step that is done so soon has no lines


class Progress:
    """Print pictures done and time left: one line rewritten on a terminal, a few lines elsewhere.

    Args:
        what: what is counted.
    """

    def __init__(self, what: str):
        self.what, self.started, self.said = what, time.monotonic(), 0

    def __call__(self, done: int, total: int) -> None:
        left = (time.monotonic() - self.started) * (total - done) / done
        text = f"{self.what}: {done} of {total}, {duration(left)} left"
        if sys.stdout.isatty():
            print(f"\r{text}   ", end="\n" if done == total else "", flush=True)
        elif done * PARTS // total > self.said and time.monotonic() - self.started > QUICK:
            self.said = done * PARTS // total
            print(text, flush=True)


def step(number: int, of: int, what: str, *, left: float | None = None, rest: str = "training") -> None:
    """Say which step of a long command begins.

    Args:
        number, of: the step, and how many there are.
        what: is done in it.
        left: seconds that all of the rest may take at most; None where that is not known.
        rest: what the rest is called.
    Example:
        >>> step(3, 5, "the head is trained", left=540)
        Step 3 of 5: the head is trained (training may take 9.0 min more)
    """
    time_left = "" if left is None else f" ({rest} may take {duration(max(left, 0))} more)"
    print(f"Step {number} of {of}: {what}{time_left}", flush=True)


def duration(seconds: float) -> str:
    """Return a length of time in words.

    Example:
        >>> duration(34.2), duration(90), duration(8000)
        ('34 s', '1.5 min', '2.2 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
