"""What a search shows while it runs and leaves when it ends."""

import pathlib

from kfg.errors import InputError
from kfg.search import page, table

ENOUGH = 10  # trials that failed before one completed: the search ends


class Live:
    """Prints a line per trial and keeps trials.csv and best.json up to date.

    Args:
        folder: of the search.
        oracle: attached oracle of kfg.search.algorithms.
        plan: Plan.
        settings: what it says decides the search.
    """

    def __init__(self, folder: pathlib.Path, oracle, plan, settings: dict):
        self.folder, self.oracle, self.plan, self.settings = folder, oracle, plan, settings
        self.printed = set()
        print(table.HEADER)
        self._print()

    def ended(self) -> None:
        """Show the trials that have ended since the last call, if any.

        Raises:
            InputError: the first ENOUGH trials failed, all of them.
        """
        if len(self.oracle.end_order) == len(self.printed):
            return
        found = self._print()
        table.write_csv(self.folder / table.CSV_FILE, found)
        winner = table.best(found, self.settings["objective"][1])
        if winner:
            table.write_best(self.folder / table.BEST_FILE, winner, self.settings, self.plan.full(winner["settings"]))
        elif sum(row["status"] == "FAILED" for row in found) >= ENOUGH:
            page.write(self.folder)
            raise InputError(self._all_failed(found))

    def finish(self) -> None:
        """Write the page and print the best trial.

        Raises:
            InputError: there is none.
        """
        found = self._found()
        shown = page.write(self.folder)
        if table.best(found, self.settings["objective"][1]) is None:
            raise InputError(self._all_failed(found))
        print(table.summary(found, self.settings))
        if not self.oracle.done():
            print("fewer than asked for: no other settings were found")
        print(f"page: {shown}")
        print(f"settings of the best: --set @{self.folder / table.BEST_FILE}")

    def _found(self):
        with self.oracle.guard:
            return table.rows(self.oracle.plain())

    def _print(self):
        found = self._found()
        for at, row in enumerate(found):
            if row["trial"] not in self.printed and row["status"] != "RUNNING":
                self.printed.add(row["trial"])
                so_far = table.best(found[: at + 1], self.settings["objective"][1])
                print(table.line(row, so_far and so_far["score"]), flush=True)
        return found

    def _all_failed(self, found) -> str:
        failed = [row for row in found if row["status"] == "FAILED"]
        if not failed:
            return f"{self.folder}: the space has no trial to offer"
        return f"all {len(failed)} trials failed, the first: {failed[0]['reason']} ({self.folder} keeps them)"
