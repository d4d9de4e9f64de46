"""A study's reported figures beside the runs found in a results file, and what its report got wrong."""

import json
import logging
import pathlib
import statistics

from kfg.errors import InputError
from kfg.files import flush, flush_folder
from kfg.locks import exclusive
from kfg.runs import run_files

logger = logging.getLogger(__name__)

NONE_YET = "not measured yet"
NEEDED = {"recipe", "row", "data", "config"}  # what every row has
SETTINGS = (  # what makes two rows the same run, as a run's config.json has it
    "recipe", "row", "seed", "fold", "folds", "precision", "data", "weights_sha256", "init_from_sha256", "config",
)  # fmt: skip
SHOWN = ("width", "epochs", "batch_size", "learning_rate")  # settings named beside a figure
# what a run may choose for itself that makes it another procedure; of epochs and views only what the clock chose: what
# its validation images chose belongs to the procedure, and runs set apart by it would be averaged by their luck
CHOSEN = {"treatment": "treatment of unequal classes", "views": "views", "epochs": "epochs"}
CLOCK = "time budget"  # in the reason of a choice that the clock made
WHOLE_NET_EPOCHS = "epochs of the whole net"


def read_results(path) -> list[dict]:
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
    """Read what `read_results` reads, and those of the folders in a folder: `kfg train` has one for each data set."""
    path = pathlib.Path(path)
    rows = read_results(path)
    for inner in sorted(path.glob(f"*/{run_files.RESULTS}")) if path.is_dir() else ():
        rows += read_results(inner)
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
        if path.is_file() and json.loads(json.dumps(row)) in read_results(path):
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


def table(recipe, results=None) -> str:
    """Return paper and ours, a line per row of the study and data set, with errata below.

    Args:
        recipe: a study's module.
        results: results.jsonl, or the folder of runs that holds it; one without results leaves "not measured yet", and
            so does None.
    """
    found = [] if results is None else read_all(results)
    ours = [row for row in found if row["recipe"] == recipe.NAME and "metrics" in row]
    width = max(22, *map(len, recipe.ROWS))
    lines = [f"{'row':<{width}} {'paper top-1':>11} {'paper loss':>10}   ours: top-1 mean ± sd (n), loss, data"]
    for name, row in recipe.ROWS.items():
        top1, loss = (row.reported.get(key) for key in ("top1", "loss"))
        paper = ["-" if top1 is None else f"{100 * top1:.2f}", "-" if loss is None else f"{loss:.3f}"]
        groups = by_settings([result for result in ours if result["row"] == name])
        measured = [_cell(group, words) for group, words in zip(groups, differences(groups), strict=True)]
        lines.append(f"{name:<{width}} {paper[0]:>11} {paper[1]:>10}   {measured[0] if measured else NONE_YET}")
        lines += [f"{'':<{width + 23}}   {more}" for more in measured[1:]]
    lines += ["", "Ours are on the data named: beside the study's figures, which are on its own."]
    lines += [recipe.CAVEAT]
    if recipe.ERRATA:
        lines += ["", "The report says / its code does:"]
        lines += [f"- {said} / {did}" for said, did in recipe.ERRATA]
    return "\n".join(lines)


def by_settings(results) -> list[list[dict]]:
    """Return the results in lists of equal data, settings and choices, seeds and folds apart; only those are averaged.

    A choice is what a run decided for itself (`choices`). Rows of earlier versions do not hold them; there a run with a
    time budget, whose number of epochs the clock decides, is told by the epochs it took.
    """
    groups = {}
    for result in results:
        own = (
            result.get("folds", 1),
            result.get("trained_in"),
            result.get("weights_sha256"),
            result.get("init_from_sha256"),
            result.get("treatment"),
            choices(result),
        )
        key = [result["data"], result["config"], *own]
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(result)
    return list(groups.values())


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
        _named(stage, key): value
        for stage, made in result["choices"].items()
        for key, value in made.items()
        if key == "treatment" or (key in CHOSEN and CLOCK in made.get("why", ""))
    }


def _named(stage, key) -> str:
    return f"{CHOSEN[key]} of the {stage}" if key in ("views", "epochs") else CHOSEN[key]


def differences(groups) -> list[str]:
    """Say for each of these groups what its runs chose, as far as that differs from group to group; "" for nothing.

    Args:
        groups: of `by_settings`, of one row.
    """
    made = [choices(group[0]) for group in groups]
    names = [name for name in dict.fromkeys(name for one in made for name in one) if len(_values(made, name)) > 1]
    return [
        ", ".join(f"{name} {one[name]}{_by(group, name)}" for name in names if name in one)
        for group, one in zip(groups, made, strict=True)
    ]


def _values(made, name) -> set:
    return {json.dumps(one.get(name)) for one in made}


def _by(group, name) -> str:
    """Say that the clock decided, where each run of a group says so."""
    told = [
        [made.get("why", "") for stage, made in result.get("choices", {}).items() if name == _named(stage, "epochs")]
        for result in group
    ]
    return " (decided by the clock)" if all(any("time budget" in why for why in whys) for whys in told) else ""


def spread(results) -> str:
    """Return mean and standard deviation of the test top-1 of results of equal settings, in percent."""
    top1 = [100 * result["metrics"]["top1"]["value"] for result in results]
    deviation = f" ± {statistics.stdev(top1):.2f}" if len(top1) > 1 else ""
    return f"{statistics.fmean(top1):.2f}{deviation} (n = {len(top1)})"


def _cell(results, chosen: str) -> str:
    loss = statistics.fmean(result["metrics"]["loss"]["value"] for result in results)
    config, data = results[0]["config"], results[0]["data"]["name"]
    known = choices(results[0])
    shown = {key: config[key] for key in SHOWN if key in config}
    if WHOLE_NET_EPOCHS in known:  # the setting is the most there might have been
        of_net = {WHOLE_NET_EPOCHS: known[WHOLE_NET_EPOCHS]} if WHOLE_NET_EPOCHS not in chosen else {}
        shown = of_net | {key: value for key, value in shown.items() if key != "epochs"}
    settings = [f"{key} {value:g}" for key, value in shown.items()] + ([chosen] if chosen else [])
    return f"{spread(results)}, {loss:.3f}, {data}, {', '.join(settings)}"
