"""How long the runs of one command take, and how many are left."""

import contextlib
import time

from kfg.progress import duration


class Pace:
    """Measures how long a command's runs take, and announces each with an estimate for the rest.

    Args:
        earlier: (recipe, row) -> seconds for which its last run trained; rows without one are missing.
    """

    def __init__(self, clock=time.monotonic, *, earlier=None):
        self.clock, self.earlier = clock, earlier or {}
        self.seconds = []  # of each run that this command has trained

    @contextlib.contextmanager
    def measured(self, *, trains: bool):
        began = self.clock()
        yield
        if trains:
            self.seconds.append(self.clock() - began)

    def said(self, number: int, jobs) -> str:
        """Return the line that announces job `number`, counted from 1: its place, and how long the rest may take."""
        job, left = jobs[number - 1], [one for one in jobs[number - 1 :] if not one.finished()]
        fold = "" if job.fold is None else f", fold {job.fold + 1} of {job.folds}"
        said = f"Run {number} of {len(jobs)}: {job.recipe} {job.row}, seed {job.seed}{fold}"
        if not self.seconds:
            known = self.earlier.get((job.recipe, job.row))
            return f"{said} (the last run of this row trained for {duration(known)})" if known else said
        seconds = len(left) * sum(self.seconds) / len(self.seconds)
        return f"{said} (this and the runs after it may take {duration(seconds)})"
