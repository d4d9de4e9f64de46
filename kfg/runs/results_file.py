"""results.jsonl: a row for every finished run, appended under a lock, read without what a kill cut off."""

import json
import logging
import pathlib

from kfg.errors import InputError
from kfg.files import flush, flush_folder
from kfg.locks import exclusive
from kfg.runs import run_files

logger = logging.getLogger(__name__)

NEEDED = {"recipe", "row", "data", "config"}  # what every row has
SETTINGS = (  # what makes two rows the same run, as a run's config.json has it
    "recipe", "row", "seed", "fold", "folds", "precision", "data", "weights_sha256", "init_from_sha256", "config",
)  # fmt: skip
# what a run may choose for itself that makes it another procedure; of epochs and views only what the clock chose: what
# its validation images chose belongs to the procedure, and runs set apart by it would be averaged by their luck
CHOSEN = {"treatment": "treatment of unequal classes", "views": "views", "epochs": "epochs"}
CLOCK = "time budget"  # in the reason of a choice that the clock made


def read(path) -> list[dict]:
    """Read a results.jsonl, or that of a folder of runs; of rows of equal settings only the newest counts.

    A line that is no row, as a kill or a full disk can cut one off, is named in a warning and passed over.

    Raises:
        InputError: no such file or folder, one that cannot be read.
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
            logger.warning("%s:%d: not a whole row (%d bytes), passed over", path, number, len(line))
        else:
            rows.append(row)
    return newest(rows)


def read_all(path) -> list[dict]:
    """Read what `read` reads, and those of the folders in a folder: `kfg train` has one for each data set."""
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
    """Return the rows without those that a later one of the same settings replaces; rows without a seed all stay."""
    last = {}
    for number, row in enumerate(rows):
        run = run_of(row) if "seed" in row else number
        last.pop(run, None)
        last[run] = row
    return list(last.values())


def run_of(row: dict) -> str:
    """Return what makes two rows the same run: everything but when, where and how it came out.

    What the clock chose belongs to it: another number of epochs is another run.
    """
    return json.dumps([*(row.get(name) for name in SETTINGS), choices(row)], sort_keys=True)


def append(path, row: dict) -> None:
    """Put a row at the end of a results.jsonl, unless its newest row of these settings says the same.

    Other processes wait for that, and nothing that stands there is touched: a kill can at most cut this row short,
    which the reader names and the next row begins anew after.

    Raises:
        InputError: the file cannot be written, the disk is full.
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
    """Return what a run chose for itself that changes what was trained or kept, by name; {} where nothing is known.

    Example:
        >>> made = {"whole net": {"epochs": 3, "why": "as many as the time budget holds", "seconds per epoch": 80}}
        >>> choices({"choices": made})
        {'epochs of the whole net': 3}
    """
    if "choices" not in result:
        timed = "time_budget" in result["config"] and "epochs" in result
        return {"epochs trained": result["epochs"]} if timed else {}
    return {
        named(stage, key): value
        for stage, made in result["choices"].items()
        for key, value in made.items()
        if key == "treatment" or (key in CHOSEN and CLOCK in made.get("why", ""))
    }


def named(stage, key) -> str:
    return f"{CHOSEN[key]} of the {stage}" if key in ("views", "epochs") else CHOSEN[key]
