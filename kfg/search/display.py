"""The output of a search, while it runs and at its end."""

import pathlib
import shlex
import time

from kfg.errors import InputError
from kfg.progress import duration
from kfg.search import page, table

PAGE_EVERY = 300.0  # seconds between two pages of a running search, as its pictures take seconds
ENOUGH = 10  # if so many trials failed before one completed, the search ends


class Live:
    """Prints a line for each trial, keeps trials.csv and best.json up to date, and rewrites the page now and then.

    Args:
        folder: folder of the search.
        oracle: attached oracle of kfg.search.algorithms.
        plan: Definition.
        settings: the result of the plan's `settings`.
    """

    def __init__(self, folder: pathlib.Path, oracle, plan, settings: dict):
        self.folder, self.oracle, self.plan, self.settings = folder, oracle, plan, settings
        self.printed = set()
        self.earlier = None  # number of trials that had ended before this command
        self.began = time.monotonic()
        self.page_due = time.monotonic() + PAGE_EVERY
        print(table.HEADER)
        self._update()  # a kill may have come between the end of a trial and its row

    def ended(self) -> None:
        """Show the trials that have ended since the last call, if any.

        Raises:
            InputError: all of the first ENOUGH trials failed, and no other one is running.
        """
        if len(self.oracle.end_order) != len(self.printed):
            self._update()
        hopeless = self.winner is None and len(self.printed) >= ENOUGH
        if hopeless and not self.oracle.ongoing_trials:  # one on a healthier machine may complete
            page.write(self.folder)
            raise InputError(self._all_failed())
        if time.monotonic() > self.page_due:
            page.write(self.folder)
            self.page_due = time.monotonic() + PAGE_EVERY

    def finish(self) -> None:
        """Write the page and print the best trial.

        Raises:
            InputError: no trial completed.
        """
        found = self._update()
        shown = page.write(self.folder)
        if self.winner is None:
            raise InputError(self._all_failed())
        print(table.summary(found, self.settings))
        for warning in table.warnings(found, self.settings["objective"][1]):
            print(f"WARNING: {warning}")
        if not self.oracle.done():
            print("there are fewer trials than asked for, because no other settings were found")
        print(f"page: {shown}")
        print(f"settings of the best: --set {shlex.quote(f'@{self.folder / table.BEST_FILE}')}")

    def _update(self) -> list[dict]:
        found = self._found()
        self._print(found)
        self.winner = table.best(found, self.settings["objective"][1])
        if found:
            table.write_csv(self.folder / table.CSV_FILE, found)
        if self.winner:
            settings = self.plan.full(self.winner["settings"])
            table.write_best(self.folder / table.BEST_FILE, self.winner, self.settings, settings)
        return found

    def _found(self):
        with self.oracle.guard:
            return table.rows(self.oracle.plain())

    def _print(self, found):
        for at, row in enumerate(found):
            if row["trial"] not in self.printed and row["status"] != "RUNNING":
                self.printed.add(row["trial"])
                so_far = table.best(found[: at + 1], self.settings["objective"][1])
                print(table.line(row, so_far and so_far["score"]) + self._left(), flush=True)
        if self.earlier is None:
            self.earlier = len(self.printed)

    def _left(self) -> str:
        """Return how many trials have ended, and how long the rest will take at the pace of this command."""
        wanted, ended = self.oracle.max_trials, len(self.printed)
        if self.earlier is None or ended >= wanted:
            return ""
        each = (time.monotonic() - self.began) / (ended - self.earlier)
        return f"  [{ended} of {wanted} trials, about {duration(each * (wanted - ended))} left]"

    def _all_failed(self) -> str:
        failed = [row for row in self._found() if row["status"] == "FAILED"]
        if not failed:
            return f"{self.folder}: the search space gave no trial"
        return f"all {len(failed)} trials failed; the first: {failed[0]['reason']} ({self.folder} holds all reasons)"
