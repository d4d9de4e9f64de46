"""Show how far a long step is and how long it will take: a bar on a terminal, a few lines elsewhere."""

import contextlib
import contextvars
import sys
import time

PARTS = 4  # lines printed per step if the output is not a terminal
QUICK = 10  # seconds; a step that takes less prints no lines if the output is not a terminal
EVERY = 0.1  # seconds between two redraws of a bar


class Progress:
    """Show how much of a long step is done and how long the rest will take.

    On a terminal this is a bar drawn by rich. Elsewhere a line is printed after each quarter, so that a log stays
    short, and nothing at all for a step that is done within QUICK seconds. The time is measured from the first call:
    work before it, such as tracing a graph, happens only once and would spoil the estimate.

    Args:
        what: label of the bar or line, which names what is counted.
        clock: function () -> seconds.
    """

    def __init__(self, what: str, *, clock=time.monotonic):
        self.what, self.clock = what, clock
        self.began, self.before = None, 0  # the time of the first call, and how much was done then
        self.said, self.bar, self.drawn = 0, None, 0.0

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` are done; `note` is further text to show, such as the loss so far."""
        if self.began is None:
            self.began, self.before = self.clock(), done
            self.said = done * PARTS // total
        if sys.stdout.isatty():
            self._draw(done, total, note)
        elif done * PARTS // total > self.said and self.clock() - self.began > QUICK:
            self.said = done * PARTS // total
            print(", ".join(filter(None, (f"{self.what}: {done:,} of {total:,}", self._left(done, total), note))))
            sys.stdout.flush()

    def _left(self, done, total) -> str:
        seconds = (self.clock() - self.began) * (total - done) / (done - self.before)
        return f"{duration(seconds)} left" if done < total else f"took {duration(self.clock() - self.began)}"

    def _draw(self, done, total, note):
        if self.bar is None:
            end()
            self.bar = _bar(self.what, done, total)
            _shown.append(self.bar)
        if done < total and self.clock() - self.drawn < EVERY:
            return
        self.drawn = self.clock()
        self.bar.update(self.bar.task_ids[0], completed=done, total=total, note=note, refresh=True)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Stop drawing the bar and leave it on the screen as it is, because the step has ended, perhaps early."""
        if self.bar in _shown:
            end()


_shown = []  # the bar that is on the screen; there is at most one


def end() -> None:
    """Stop a bar that is still on the screen, for example after Ctrl-C, so that rich shows the cursor again."""
    while _shown:
        _shown.pop().stop()


def _bar(what, done, total):
    from rich import progress  # imported here: it takes a tenth of a second, which only commands with a bar should pay
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left {task.fields[note]}", markup=False),
    )
    bar = progress.Progress(*columns, console=Console(file=sys.stdout), auto_refresh=False)
    bar.add_task(what, completed=done, total=total, note="")
    bar.start()
    return bar


_outer = contextvars.ContextVar("the step of a longer command that steps stand in", default=("", 0))


@contextlib.contextmanager
def inside(number: int, of: int, *, skipped: int = 0):
    """Announce the steps in a `with` block as parts of one step of a longer command; see `step`.

    Args:
        number, of: number of the outer step, and how many steps the longer command has.
        skipped: number of inner steps, counted from the first, that are left out here.
    """
    token = _outer.set((f"Step {number} of {of}, part ", skipped))
    try:
        yield
    finally:
        _outer.reset(token)


def step(number: int, of: int, what: str, *, left: float | None = None, rest: str = "training") -> None:
    """Print which step of a long command begins.

    Args:
        number, of: number of the step, and how many steps there are.
        what: sentence that says what happens in the step.
        left: most seconds that the work that is left may take; None if that is not known.
        rest: name of the work that is left.
    Example:
        >>> step(3, 5, "the head is trained", left=540)
        Step 3 of 5: the head is trained (9.0 min of the time for training left)
        >>> with inside(3, 4, skipped=1):
        ...     step(2, 5, "the photographs are divided")
        Step 3 of 4, part 1 of 4: the photographs are divided
    """
    outer, skipped = _outer.get()
    time_left = "" if left is None else f" ({duration(max(left, 0))} of the time for {rest} left)"
    print(f"{outer or 'Step '}{number - skipped} of {of - skipped}: {what}{time_left}", flush=True)


def duration(seconds: float) -> str:
    """Return a length of time as text with a fitting unit.

    Example:
        >>> duration(34.2), duration(90), duration(8000)
        ('34 s', '1.5 min', '2.2 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
