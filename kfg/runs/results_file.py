"""results.jsonl: one row for each finished run, appended under a lock; rows that a kill cut short are skipped."""

import json
import logging
import pathlib
import re

from kfg.errors import InputError
from kfg.files import flush, flush_folder
from kfg.locks import exclusive
from kfg.runs import run_files
from kfg.runs.choices import SECOND, TUNING

logger = logging.getLogger(__name__)

NEEDED = {"recipe", "row", "data", "config"}  # keys that every row has
SETTINGS = (  # settings that two rows of the same run share, as in config.json
    "recipe", "row", "seed", "fold", "folds", "precision", "data", "weights_sha256", "init_from_sha256", "config",
)  # fmt: skip
# Choices of a run that count as part of its settings, as they are named in a table. All but the treatment count only if
# the clock made them: a choice by the validation images belongs to the procedure, and grouping runs by it would group
# them by their luck.
CHOSEN = {
    "treatment": "treatment of unequal classes",
    "views": "views of {stage}",
    "epochs": "epochs of {stage}",
    "after": "last layer that did not learn",  # on stored outputs
    "trunk": "{stage}",
}
CLOCK = re.compile("time budget|time that is left")  # in the reason of a choice that the clock made, today or earlier


def read(path) -> list[dict]:
    """Read a results.jsonl, or that of a folder of runs; of rows with equal settings, only the newest is returned.

    A line that is not a row, as when a kill or a full disk cut it short, is skipped with a warning.

    Raises:
        InputError: no such file or folder; it cannot be read.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    path = path / run_files.RESULTS if path.is_dir() else path
    if not path.is_file():
        return []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(line)
        if row is None:
            logger.warning("%s:%d: this row is not complete (%d bytes) and is skipped", path, number, len(line))
        else:
            rows.append(row)
    return newest(rows)


def read_all(path) -> list[dict]:
    """Read like `read`, and also the files in subfolders: `kfg train` makes one subfolder for each data set."""
    path = pathlib.Path(path)
    rows = read(path)
    for inner in sorted(path.glob(f"*/{run_files.RESULTS}")) if path.is_dir() else ():
        rows += read(inner)
    return newest(rows)


def _row(line: bytes) -> dict | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row, dict) and row.keys() >= NEEDED and isinstance(row["config"], dict)
    return row if whole and isinstance(row["data"], dict) and isinstance(row.get("metrics", {}), dict) else None


def newest(rows) -> list[dict]:
    """Return the rows that no later row of the same settings replaces; rows without a seed are all kept."""
    last = {}
    for number, row in enumerate(rows):
        run = run_of(row) if "seed" in row else number
        last.pop(run, None)
        last[run] = row
    return list(last.values())


def run_of(row: dict) -> str:
    """Return a key that two rows of the same run share: everything except when, where and with which result it ran.

    Choices by the clock are included: another number of epochs is another run.
    """
    return json.dumps([*(row.get(name) for name in SETTINGS), choices(row)], sort_keys=True)


def append(path, row: dict) -> None:
    """Append a row to a results.jsonl, unless the newest row of its settings is equal.

    Other processes wait meanwhile, and existing rows are not touched: a kill can at most cut this row short. The reader
    then skips it with a warning, and the next row starts on a new line.

    Raises:
        InputError: the file cannot be written; the disk is full.
    """
    path = pathlib.Path(path)
    with exclusive(path.with_name(f".{path.name}.lock")):
        if path.is_file() and json.loads(json.dumps(row)) in read(path):
            return
        try:
            with open(path, "a+b") as file:
                file.seek(max(0, file.seek(0, 2) - 1))
                cut = file.read(1) not in (b"", b"\n")
                file.write((b"\n" if cut else b"") + json.dumps(row).encode() + b"\n")
                flush(file)
            flush_folder(path.parent)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; run again with --resume to add this run's row") from error


def choices(result) -> dict:
    """Return a run's choices, by name, that changed what was trained or kept; {} if none are known.

    Example:
        >>> made = {"fine-tuning": {"epochs": 3, "why": "as many as fit into the time budget", "seconds per epoch": 80}}
        >>> choices({"choices": made})
        {'epochs of fine-tuning': 3}
    """
    if "choices" not in result:
        timed = "time_budget" in result["config"] and "epochs" in result
        return {"epochs trained": result["epochs"]} if timed else {}
    return {
        named(stage, key): value
        for stage, made in result["choices"].items()
        for key, value in made.items()
        if key == "treatment" or (key in CHOSEN and _by_clock(stage, key, made))
    }


def _by_clock(stage, key, made) -> bool:
    """Return whether the clock decided an entry of a choice; it never decides the epochs of the head."""
    return (stage, key) != ("head", "epochs") and bool(CLOCK.search(made.get("why", "")))


def named(stage, key) -> str:
    """Return how a table calls an entry of a choice: a key of CHOSEN, of a stage such as "head"."""
    return CHOSEN[key].format(stage=stage if stage in (TUNING, SECOND) else f"the {stage}")
