"""Damage files of run folders and run the commands that read them: they must exit with 0, 1 or 2 and name the file."""

import concurrent.futures
import contextlib
import io
import json
import pathlib
import shutil
import time

import numpy as np

from chaos import mutate, running, workload
from chaos.kills import kill_at
from chaos.tally import Failure, Tally

MINUTES = 10.0
VALUES = (None, 0, -1, 1e308, "", "x", [], {}, True, [[1]], "../../x", "NaN")
IMAGE = "photos/blue/000.jpg"
READ_BY = {  # name of a file -> commands that read it; "finished" is the training's own command, run again
    "results.jsonl": ("compare", "finished"),
    "classes.json": ("predict", "finished", "evaluate"),
    "split.csv": ("finished", "posthoc"),
    "config.json": ("finished", "evaluate"),
    "env.json": ("finished",),
    "report.json": ("finished", "evaluate"),
    "predictions.csv": ("evaluate", "posthoc"),
    "val_predictions.csv": ("posthoc",),
    "history.csv": ("finished",),
    "export_check.json": ("finished",),
    "model.keras": ("keras",),
}
UNFINISHED = ("last.npz", "split.csv", "classes.json", "config.json", "env.json", "history.csv")
ONCE_IN = 6  # one file in six is of an unfinished run, because resuming a training costs seconds


def campaign(tally: Tally, scratch, *, minutes: float = MINUTES, count: int | None = None) -> None:
    """Damage one file at a time, of a finished or of an unfinished run, and run a command that reads it."""
    scratch = pathlib.Path(scratch)
    workload.write_photos(scratch / "photos")
    runner = running.Runner(scratch / "commands", fork=True)
    finished, cut = runs(runner, scratch, tally)
    if finished is None:
        return
    end, number = time.monotonic() + 60 * minutes, 0
    reader = Reader(scratch)
    while time.monotonic() < end and (count is None or number < count):
        rng = np.random.default_rng([tally.seed, number])
        one = reader.try_unfinished(cut, rng) if number % ONCE_IN == ONCE_IN - 1 else reader.try_finished(finished, rng)
        tally.note(one.row, one.failures, keep=one.keep, what=f"{number}: {one.what}")
        number += 1
        if number % 25 == 0:
            print(f"{number} files, {len(tally.failures)} failures", flush=True)
    tally.figures["files"] = number


def runs(runner, scratch, tally):
    """Train once to the end, and once until a kill after the first checkpoint of fine-tuning; return both folders."""
    work, data = workload.train(), scratch / "photos"
    finished, cut = scratch / "finished", scratch / "unfinished"
    failures = running.judged(runner.run(*work.command(data, finished)))
    process = runner.start(*work.command(data, cut))
    kill_at(process, cut, after=0.0, at="last.npz")
    process.wait()
    if not list(cut.rglob("last.npz")):
        failures.append(Failure("other", f"{cut}: no checkpoint at the kill"))
    tally.note("undamaged", failures)
    return (None, None) if failures else (finished, cut)


class One:
    """One damaged file and the result of the command that read it."""

    def __init__(self, row, what, failures, keep):
        self.row, self.what, self.failures, self.keep = row, what, failures, keep


class Reader:
    """Damages files and runs kfg's commands on them in this process, for speed.

    Args:
        scratch: folder that holds the photographs; the damaged copy of a run is made there, too.
    """

    def __init__(self, scratch):
        from chaos import served

        served.know_tiny_trunk()
        self.scratch, self.pool = pathlib.Path(scratch), concurrent.futures.ThreadPoolExecutor(1)

    def try_finished(self, source, rng) -> One:
        """Damage a file of a finished run, and run one of the commands that read it."""
        return self.try_one(source, rng, READ_BY, export=True)

    def try_unfinished(self, source, rng) -> One:
        """Damage a file of a run that was killed, and resume the run."""
        return self.try_one(source, rng, dict.fromkeys(UNFINISHED, ("resume",)))

    def try_one(self, source, rng, read_by, *, export=False) -> One:
        out = self.scratch / "runs"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(source, out)
        every = sorted(path for path in out.rglob("*") if path.is_file())
        parts = [path for path in every if "export" in path.parts] if export else []
        files = [path for path in every if path.name in read_by and "export" not in path.parts] + parts
        path = files[int(rng.integers(len(files)))]
        before = path.read_bytes()
        what = damage(path, rng, files)
        commands = ("predict",) if path in parts else read_by[path.name]
        command = commands[int(rng.integers(len(commands)))]
        ended = self.run(*self.words(command, out))
        failures = running.judged(ended, codes=(0, 1, 2), names=accepted(path, out))
        after = [path] if path.is_file() else []
        said = f"{path.relative_to(out)}: {what}, kfg {command}"
        row = "export" if path in parts else path.name
        return One(f"{row}, {command}", said, failures, [*after, (f"{path.name}.before", before)] if failures else [])

    def words(self, command, out) -> tuple[str, ...]:
        work, data = workload.train(), self.scratch / "photos"
        run = str(out / work.runs[0])
        return {
            "predict": ("predict", run, str(self.scratch / IMAGE)),
            "keras": ("predict", f"{run}/model.keras", str(self.scratch / IMAGE)),
            "evaluate": ("evaluate", run),
            "posthoc": ("evaluate", run, "--posthoc"),
            "compare": ("compare", "folder", "--out", str(out)),
            "finished": tuple(map(str, work.command(data, out)[1:])),
            "resume": tuple(map(str, work.command(data, out, resume=True)[1:])),
        }[command]

    def run(self, *words) -> running.Ended:
        """Run one command; return what it printed and how it ended. An exception counts as a traceback."""
        from kfg.__main__ import main

        out, err = io.StringIO(), io.StringIO()
        begun = time.monotonic()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            future = self.pool.submit(main, list(words))
            error = future.exception()
        code = future.result() if error is None else 1
        said = err.getvalue()
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else 1
        elif error is not None:
            said += f"{running.TRACEBACK}\n{type(error).__name__}: {error}"
        return running.Ended(("kfg", *words), code, out.getvalue(), said, time.monotonic() - begun)


def accepted(path, out) -> list[str]:
    """Return the names by which an error line may call a file: its own, or "export" for a file of an export.

    For config.json the checkpoint is accepted as well.
    """
    inside = path.relative_to(out).parts
    names = [path.name]
    if "export" in inside:
        names.append("export")
    if path.name == "config.json":
        names.append("last.npz")  # their settings differ, and either file may be the wrong one
    return names


def damage(path, rng, files) -> str:
    """Damage a file; return a few words that say how."""
    data = path.read_bytes()
    choice = rng.random()
    if choice < 0.05:
        path.unlink()
        return "removed"
    if choice < 0.08:
        path.unlink()
        path.mkdir()
        return "a folder in its place"
    if choice < 0.13:
        path.write_bytes(b"")
        return "emptied"
    if path.suffix == ".json" and choice < 0.6:
        changed, what = other_values(json.loads(data), rng)
        path.write_text(json.dumps(changed))
        return what
    if path.suffix == ".csv" and choice < 0.6:
        changed, what = other_cells(data.decode("utf-8", "surrogateescape"), rng)
        path.write_bytes(changed.encode("utf-8", "surrogateescape"))
        return what
    other = files[int(rng.integers(len(files)))].read_bytes() if choice > 0.9 else data
    mutation = mutate.MUTATIONS[int(rng.integers(len(mutate.MUTATIONS)))]
    path.write_bytes(mutation(data, rng, other))
    return mutation.__name__


def other_values(value, rng) -> tuple[object, str]:
    """Return a JSON document with one value replaced or removed, and words that say which."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(len(keys)))]
        changed = value.copy()
        if rng.random() < 0.3:
            del changed[key]
            return changed, f"without {key!r}"
        changed[key], what = other_values(value[key], rng)
        return changed, f"{key!r}: {what}"
    new = VALUES[int(rng.integers(len(VALUES)))]
    return new, f"{new!r}"


def other_cells(text, rng) -> tuple[str, str]:
    """Return a table with one change, such as in a cell or a row, and words that say which."""
    lines = text.split("\n")
    row = int(rng.integers(len(lines)))
    cells = lines[row].split(",")
    column = int(rng.integers(len(cells)))
    how = ("value", "without cell", "row twice", "without row", "header only", "semicolons", "long row")[
        int(rng.integers(7))
    ]
    if how == "value":
        cells[column] = str(VALUES[int(rng.integers(len(VALUES)))])
        lines[row] = ",".join(cells)
    elif how == "without cell":
        lines[row] = ",".join(cells[:column] + cells[column + 1 :])
    elif how == "row twice":
        lines.insert(row, lines[row])
    elif how == "without row":
        del lines[row]
    elif how == "header only":
        del lines[1:]
    elif how == "semicolons":
        lines = [line.replace(",", ";") for line in lines]
    else:
        lines[row] += ",more,more"
    return "\n".join(lines), f"{how} in line {row + 1}"
