"""Shared parts of the checks of cases: running commands on a folder, a model to predict with, the printed table."""

import collections
import csv
import json
import pathlib

from chaos import running, workload
from chaos.tally import Failure

QUICK = ("epochs=0", "head_epochs=2", "backbone=tiny", "image_size=(32, 32)", "views=0")
SHOWN = 110  # most characters shown of a line


class Bench:
    """Runs commands for checks and records the results of the checks.

    Args:
        tally: the Tally that counts the results.
        runner: the Runner that starts commands.
        scratch: folder for the files that commands write.
    """

    def __init__(self, tally, runner, scratch):
        self.tally, self.runner, self.scratch, self.case, self.count = tally, runner, pathlib.Path(scratch), "", 0
        self._model, self._known = None, {}

    def note(self, check: str, failures, line: str = "", *, keep=()) -> None:
        """Count one check of the current case, and print its line of the table.

        Args:
            check: name of the check.
            failures: the failures that it found; empty if it passed.
            line: what was seen, shown if the check passed.
            keep: files and folders to keep if it failed.
        """
        self.tally.note(self.case, failures, what=check, keep=keep)
        line = " ".join((failures[0].said if failures else line).split())
        print(
            f"{self.case:<24.24} {check:<40.40} {'FAILED' if failures else 'ok':<6} {printable(line)[:SHOWN]}",
            flush=True,
        )

    def expect(self, check: str, good: bool, line: str = "", *, wrong: str = "") -> None:
        """Record a check that passes if `good`; `line` says what was seen, `wrong` what is wrong if it fails."""
        self.note(check, [] if good else [Failure("other", wrong or line or "nothing said")], line)

    def ends(self, check: str, ended: running.Ended, *, codes=(0, 1, 2), names=()) -> running.Ended:
        """Record a check of how a command ended, see `running.judged`; return `ended`."""
        self.note(check, running.judged(ended, codes=codes, names=names), f"exit {ended.code}: {ended.told}")
        return ended

    def out(self, name: str) -> pathlib.Path:
        """Return a new path in the scratch folder."""
        self.count += 1
        return self.scratch / f"{self.count:04d}-{name}"

    def once(self, what, folder, run):
        """Return the result of `run()`, which is called only once for each command `what` and folder."""
        if (what, folder) not in self._known:
            self._known[what, folder] = run()
        return self._known[what, folder]

    def audit(self, folder):
        return self.once("audit", folder, lambda: self.runner.run("kfg", "audit", folder))

    def found(self, folder, name: str) -> bool:
        """Return whether the audit reports a finding about a file, other than that it is a duplicate."""
        path = self.out("audit.json")
        words = ("kfg", "audit", folder, "--json", path)
        _, written = self.once("audit --json", folder, lambda: (self.runner.run(*words), path))
        findings = json.loads(written.read_text(encoding="utf-8"))["findings"] if written.is_file() else []
        about = [f"{one['path']} {one['detail']}" for one in findings if "duplicate" not in one["kind"]]
        return any(name in text for text in about)

    def split(self, folder, *, again: bool = False):
        """Run `kfg split`; return how it ended, and (path, class, part) of the rows that it wrote.

        Args:
            folder: the data folder.
            again: whether to run it again, because the folder has changed since the first time.
        """
        path = self.out("split.csv")
        what = "split again" if again else "split"
        return self.once(what, folder, lambda: (self.runner.run("kfg", "split", folder, "--out", path), rows(path)))

    def train(self, folder):
        """Run a short `kfg train`; return how it ended, and the run folder."""
        return self.once("train", folder, lambda: self._train(folder))

    def _train(self, folder):
        out = self.out("runs")
        words = ["kfg", "train", folder, "--out", out, "--weights", "none", "--time-budget", "1m"]
        for setting in QUICK:
            words += ["--set", setting]
        return self.runner.run(*words), out / "folder" / "transfer" / "seed-0"

    def predict(self, folder, *, run=None):
        run = run or self.model()
        return self.once(f"predict {run}", folder, lambda: self.runner.run("kfg", "predict", run, folder))

    def model(self) -> pathlib.Path:
        """Return the folder of a short run on drawn photographs; the run is made only once."""
        if self._model is None:
            data = workload.write_photos(self.scratch / "plain-photos")
            ended, self._model = self.train(data)
            self.note("(a model to predict with)", running.judged(ended), ended.told)
        return self._model

    def any_folder(self, folder, *, train: bool = True) -> None:
        """Run the checks that hold for any folder: how audit, split, train and predict end on it."""
        name = folder.name
        self.ends(f"{name}: audit", self.audit(folder), names=[folder.parent])
        self.ends(f"{name}: split", self.split(folder)[0], names=[folder.parent])
        if train:
            self.ends(f"{name}: train", self.train(folder)[0], names=[folder.parent, "--"])
        self.ends(f"{name}: predict", self.predict(folder), names=[folder.parent])


def rows(path) -> list[tuple[str, str, str]]:
    """Return (path, class, part) of the rows of a split.csv; an empty list if there is no such file."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [(row["path"], row["class"], row["part"]) for row in csv.DictReader(file)]


def classes(found) -> dict[str, int]:
    """Return a dict class -> number of images, from the rows of a split.csv."""
    return dict(collections.Counter(name for _, name, _ in found))


def said(*ends) -> str:
    """Return everything that some commands printed, as one text."""
    return "\n".join(ended.out + ended.err for ended in ends)


def told(folder, *ends) -> str:
    """Return everything that commands printed, without the path of the folder, so that its words do not count."""
    text = said(*ends)
    for path in (str(folder), str(folder.parent), folder.parent.name, *([folder.name] if "_" in folder.name else [])):
        text = text.replace(path, "")
    return text


def printable(text: str) -> str:
    return (
        text.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()
        if not text.isprintable()
        else text
    )
