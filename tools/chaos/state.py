"""What lies on the disk after a command: rows of results.jsonl, weights, files that are whole."""

import collections
import io
import json
import pathlib
import zipfile

import h5py
import numpy as np

from chaos.tally import Failure
from kfg.errors import InputError
from kfg.runs import results_file, run_files

RESULTS = "results.jsonl"
JSON_FILES = ("config.json", "env.json", "classes.json", "report.json", "best.json", "export_check.json")
IDENTITY = ("recipe", "row", "seed", "fold", "folds")


def rows(out) -> tuple[list[dict], list[str]]:
    """Return the rows of a folder's results.jsonl, and the lines that are not JSON."""
    path, good, bad = pathlib.Path(out) / run_files.RESULTS, [], []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            good.append(json.loads(line))
        except ValueError:
            bad.append(line)
    return good, bad


def key(row: dict) -> tuple:
    return tuple(row.get(name) for name in IDENTITY)


def run_key(run: str) -> tuple:
    """Return the key of the row that the run folder RECIPE/ROW/seed-N writes."""
    recipe, row, seed = run.split("/")
    return (recipe, row, int(seed.removeprefix("seed-")), None, 1)


def check_rows(out, runs, *, may_be_cut: bool = False) -> list[Failure]:
    """Compare results.jsonl with the runs that have ended: each has its row, once.

    Args:
        may_be_cut: a kill or a full disk may have cut a line off; then kfg must read the others nevertheless.
    """
    good, bad = rows(out)
    if bad and may_be_cut:
        return check_rows_read(out, runs)
    found = collections.Counter(map(key, good))
    wanted = {run_key(run) for run in runs}
    failures = [Failure("lost", f"{out}: no row of {one}") for one in sorted(wanted - set(found), key=str)]
    failures += [Failure("doubled", f"{out}: {count} rows of {one}") for one, count in found.items() if count > 1]
    failures += [Failure("other", f"{out}: a row that nobody ran, {one}") for one in set(found) - wanted]
    return failures + [
        Failure("other", f"{out}: a line of {run_files.RESULTS} is cut off: {line[:60]!r}") for line in bad
    ]


def check_rows_read(out, runs) -> list[Failure]:
    """Compare what kfg reads from a results.jsonl with cut lines with the runs that have ended."""
    try:
        found = collections.Counter(map(key, results_file.read(out)))
    except InputError as error:
        return [Failure("other", f"a cut line makes {run_files.RESULTS} unreadable: {error}")]
    wanted = collections.Counter(map(run_key, runs))
    failures = [Failure("lost", f"{out}: no row of {one} is read") for one in wanted - found]
    return failures + [Failure("doubled", f"{out}: too many rows of {one} are read") for one in found - wanted]


def check_whole(out, *, ended: bool) -> list[Failure]:
    """Look for files that are not whole; once every command has `ended`, for half-written ones left behind, too."""
    failures = []
    for path in sorted(pathlib.Path(out).rglob("*")):
        if path.name in JSON_FILES and path.is_file():
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                failures.append(Failure("lost", f"{path}: not whole ({error})"))
        # what a killed process left in the cache is removed when it is some hours old: others may be at work there
        if ended and path.name.endswith(".partial") and "cache" not in path.parts:
            failures.append(Failure("other", f"{path}: half-written, and left behind"))
    return failures


def weights(path) -> dict[str, np.ndarray]:
    """Return every array of a model.keras by its name in the file."""
    with zipfile.ZipFile(path) as file:
        data = file.read("model.weights.h5")
    arrays = {}
    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(lambda name, one: arrays.update({name: one[()]}) if isinstance(one, h5py.Dataset) else None)
    return arrays


def all_weights(out, runs) -> dict[str, dict[str, np.ndarray]]:
    return {run: weights(pathlib.Path(out) / run / "model.keras") for run in runs}


def check_weights(out, wanted) -> list[Failure]:
    """Compare the models in `out` with those of an uninterrupted run, bit for bit."""
    failures = []
    for run, arrays in wanted.items():
        path = pathlib.Path(out) / run / "model.keras"
        if not path.is_file():
            failures.append(Failure("lost", f"{path}: is not there"))
            continue
        found = weights(path)
        if found.keys() != arrays.keys():
            failures.append(Failure("other", f"{path}: other arrays than in the uninterrupted run"))
            continue
        # bytes, so that NaN equals NaN and -0 does not equal 0
        other = [name for name in arrays if found[name].tobytes() != arrays[name].tobytes()]
        if other:
            off = max(float(np.abs(found[name].astype(np.float64) - arrays[name]).max()) for name in other)
            text = f"{path}: {len(other)} of {len(arrays)} arrays are not those of the uninterrupted run, by {off:.2g}"
            failures.append(Failure("other", text))
    return failures


def check_end(out, runs, weights) -> list[Failure]:
    """Compare what a command that has ended left with an uninterrupted run: rows, whole files, weights."""
    return [*check_rows(out, runs, may_be_cut=True), *check_whole(out, ended=True), *check_weights(out, weights)]


def finished(out, run) -> bool:
    return (pathlib.Path(out) / run / "report.json").is_file()
