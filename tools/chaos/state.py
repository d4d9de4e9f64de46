"""Check the files on the disk after a command: rows of results.jsonl, weights, and that no file is half written."""

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
JSON_FILES = (
    "config.json",
    "env.json",
    "classes.json",
    "report.json",
    "best.json",
    "export_check.json",
    "repair.json",
    "repair_of.json",
)
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
    """Return the key of the results row that belongs to the run folder RECIPE/ROW/seed-N."""
    recipe, row, seed = run.split("/")
    return (recipe, row, int(seed.removeprefix("seed-")), None, 1)


def check_rows(out, runs, *, may_be_cut: bool = False) -> list[Failure]:
    """Check that results.jsonl has exactly one row for each run that has ended.

    Args:
        out: the folder of runs.
        runs: the runs that have ended.
        may_be_cut: whether a kill or a full disk may have cut off a line; then kfg must still read the other lines.
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
    """Check that kfg reads exactly one row for each run that has ended from a results.jsonl with cut lines."""
    try:
        found = collections.Counter(map(key, results_file.read(out)))
    except InputError as error:
        return [Failure("other", f"a cut line makes {run_files.RESULTS} unreadable: {error}")]
    wanted = collections.Counter(map(run_key, runs))
    failures = [Failure("lost", f"{out}: no row of {one} is read") for one in wanted - found]
    return failures + [Failure("doubled", f"{out}: too many rows of {one} are read") for one in found - wanted]


def check_whole(out, *, ended: bool) -> list[Failure]:
    """Return failures for damaged JSON files and, once every command has `ended`, for partial files left behind."""
    failures = []
    for path in sorted(pathlib.Path(out).rglob("*")):
        if path.name in JSON_FILES and path.is_file():
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                failures.append(Failure("lost", f"{path}: not whole ({error})"))
        # in the cache, partial files are removed only after some hours, because other processes may be writing there
        if ended and path.name.endswith(".partial") and "cache" not in path.parts:
            failures.append(Failure("other", f"{path}: half-written, and left behind"))
    return failures


def weights(path) -> dict[str, np.ndarray]:
    """Return the arrays of weights in a model.keras, by their names in the file."""
    with zipfile.ZipFile(path) as file:
        data = file.read("model.weights.h5")
    arrays = {}
    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(lambda name, one: arrays.update({name: one[()]}) if isinstance(one, h5py.Dataset) else None)
    return arrays


def all_weights(out, runs) -> dict[str, dict[str, np.ndarray]]:
    return {run: weights(pathlib.Path(out) / run / "model.keras") for run in runs}


def check_weights(out, wanted) -> list[Failure]:
    """Compare the weights of the models in `out` with those of an uninterrupted run, bit for bit."""
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
        # compared as bytes, so that NaN equals NaN and -0 does not equal 0
        other = [name for name in arrays if found[name].tobytes() != arrays[name].tobytes()]
        if other:
            off = max(float(np.abs(found[name].astype(np.float64) - arrays[name]).max()) for name in other)
            text = f"{path}: {len(other)} of {len(arrays)} arrays are not those of the uninterrupted run, by {off:.2g}"
            failures.append(Failure("other", text))
    return failures


def check_files(out, wanted) -> list[Failure]:
    """Compare files with those of an uninterrupted run, byte for byte."""
    failures = []
    for name, content in wanted.items():
        path = pathlib.Path(out) / name
        if not path.is_file():
            failures.append(Failure("lost", f"{path}: is not there"))
        elif path.read_bytes() != content:
            failures.append(Failure("other", f"{path}: is not that of the uninterrupted run"))
    return failures


def check_end(out, runs, weights, files=None) -> list[Failure]:
    """Compare the files of a command that has ended with an uninterrupted run: rows, whole files, weights, others."""
    failures = [*check_rows(out, runs, may_be_cut=True), *check_whole(out, ended=True), *check_weights(out, weights)]
    return [*failures, *check_files(out, files or {})]


def finished(out, run) -> bool:
    return (pathlib.Path(out) / run / "report.json").is_file()
