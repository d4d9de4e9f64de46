"""How long the runs of one command take, and how many are left."""

import contextlib
import time

from kfg.progress import duration


class Pace:
    """How long the runs of a command take, and what it says where one begins."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.seconds = []  # of each run that was trained here

    @contextlib.contextmanager
    def measured(self, *, trains: bool):
        began = self.clock()
        yield
        if trains:
            self.seconds.append(self.clock() - began)

    def said(self, number: int, jobs) -> str:
        """Return the line for job `number`, counted from 1: which of how many it is, and how long the rest may take."""
        job, left = jobs[number - 1], [one for one in jobs[number - 1 :] if not one.finished()]
        fold = "" if job.fold is None else f", fold {job.fold + 1} of {job.folds}"
        said = f"Run {number} of {len(jobs)}: {job.recipe} {job.row}, seed {job.seed}{fold}"
        if not self.seconds:
            return said
        seconds = len(left) * sum(self.seconds) / len(self.seconds)
        return f"{said} (this and the runs after it may take {duration(seconds)})"
