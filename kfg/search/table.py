"""A search as rows: read from its folder, printed, written as trials.csv and best.json."""

import csv
import pathlib

from kfg.errors import InputError
from kfg.files import RESTORE, read_json, whole, write_json

SETTINGS_FILE, STATE_FILE = "search.json", "oracle.json"
CSV_FILE, BEST_FILE = "trials.csv", "best.json"
WRITTEN = (STATE_FILE, CSV_FILE, BEST_FILE, "trials", "search.html")  # what a search puts into its folder
COLUMNS = ("trial", "status", "score", "sd", "seconds", "worker", "reason")
HYPERBAND_EPOCHS = "tuner/epochs"
LEARNED = "learned"  # metric of a trial: the share of its trainings that beat naming one class for every image
NAMED = 8  # trials of a tie that are named
PREFIXES = ("kfg/", "tuner/")  # values that are no settings


def head(folder: pathlib.Path) -> dict:
    """Return what decides a search, {"settings", "data"}.

    Raises:
        InputError: no search there.
    """
    if not (folder / SETTINGS_FILE).is_file():
        raise InputError(f"{folder}: holds no search, {SETTINGS_FILE} is missing")
    found = read_json(folder / SETTINGS_FILE, dict)
    if not isinstance(found.get("settings"), dict):
        raise InputError(f"{folder / SETTINGS_FILE}: not of a search, it has no settings")
    return found


def read(folder: pathlib.Path) -> tuple[dict, dict]:
    """Return the head of a search, and its state; from a running one, the state after its last change.

    Raises:
        InputError: no search there.
    """
    decides, state = head(folder), folder / STATE_FILE
    empty = {"trials": [], "records": {}, "start_order": [], "hyperparameters": {"space": []}}
    return decides, read_state(state) if state.is_file() else empty


def read_state(path) -> dict:
    """Return what a search's oracle.json holds; InputError where it is damaged."""
    state = read_json(path, dict)
    try:
        rows(state)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error!r}); {RESTORE}") from error
    return state


def rows(state: dict) -> list[dict]:
    """Return a dict per trial, in the order they were begun.

    Returns:
        `trial`, `status` ("RUNNING", "COMPLETED", "FAILED"), `score`, `values` (of the space), and of the worker's
        record `settings`, `metrics`, `scores`, `seconds`, `worker`, `reason`, `traceback`, None where not known yet.
    """
    by_id = {one["trial_id"]: one for one in state["trials"]}
    result = []
    for name in state["start_order"]:
        one, record = by_id[name], state["records"].get(name, {})
        values = {key: value for key, value in one["values"].items() if not key.startswith(PREFIXES)}
        if HYPERBAND_EPOCHS in one["values"]:
            values["epochs"] = one["values"][HYPERBAND_EPOCHS]
        result.append(
            {"trial": name, "status": one["status"], "score": one["score"], "values": values}
            | {
                key: record.get(key)
                for key in ("settings", "metrics", "scores", "seconds", "worker", "reason", "traceback")
            }
        )
    return result


def best(found: list[dict], direction: str) -> dict | None:
    """Return the completed trial with the best score, of equals the first; None where none completed."""
    completed = [row for row in found if row["status"] == "COMPLETED"]
    sign = 1 if direction == "max" else -1
    return max(completed, key=lambda row: sign * row["score"], default=None)


def equals(found: list[dict], direction: str) -> list[dict]:
    """Return all completed trials whose score is the best one's, in order: more than one is a tie."""
    winner = best(found, direction)
    return [row for row in found if row["status"] == "COMPLETED" and row["score"] == winner["score"]] if winner else []


def write_csv(path, found: list[dict]) -> None:
    """Write a row per trial: what became of it, its figures, its settings."""
    figures = list(dict.fromkeys(name for row in found for name in row["metrics"] or {}))
    names = list(dict.fromkeys(name for row in found for name in row["values"]))
    with whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, *figures, *names))
        for row in found:
            cells = {**row, "sd": deviation(row["scores"])}
            writer.writerow(
                [cells[name] for name in COLUMNS]
                + [(row["metrics"] or {}).get(name) for name in figures]
                + [row["values"].get(name) for name in names]
            )


def deviation(scores) -> float | None:
    """Return the standard deviation (n - 1) of a trial's trainings; None of fewer than two."""
    if not scores or len(scores) < 2:
        return None
    mean = sum(scores) / len(scores)
    return (sum((score - mean) ** 2 for score in scores) / (len(scores) - 1)) ** 0.5


def write_best(path, row: dict, settings: dict, full: dict) -> None:
    """Write the settings of the best trial, as `--set @best.json` takes them.

    Args:
        row: of `rows`.
        settings: what decides the search.
        full: the trial's settings for a full run.
    """
    write_json(
        path,
        {
            **{key: settings[key] for key in ("recipe", "row", "space", "objective")},
            "trial": row["trial"],
            "score": row["score"],
            "settings": full,
        },
    )


HEADER = f"{'trial':>6} {'score':>8} {'best':>8} {'seconds':>8}  settings"


def line(row: dict, best_so_far: float | None) -> str:
    """Return a row of the table that a search prints."""
    score = "failed" if row["status"] == "FAILED" else _number(row["score"]) if row["score"] is not None else "runs"
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
    values = " ".join(f"{name}={short(value)}" for name, value in row["values"].items())
    reason = f"  {row['reason']}" if row["reason"] else ""
    return f"{row['trial']:>6} {score:>8} {_number(best_so_far):>8} {seconds:>8}  {values}{reason}"


def text(found: list[dict], direction: str) -> str:
    """Return the whole table with the best so far in every row."""
    lines = [HEADER]
    for at, row in enumerate(found):
        so_far = best(found[: at + 1], direction)
        lines.append(line(row, so_far and so_far["score"]))
    return "\n".join(lines)


def summary(found: list[dict], settings: dict) -> str:
    """Return how many trials there are, how many failed and why, and the best."""
    count = {status: sum(row["status"] == status for row in found) for status in ("COMPLETED", "FAILED", "RUNNING")}
    parts = [f"{len(found)} trials", f"{count['COMPLETED']} completed", f"{count['FAILED']} failed"]
    parts += [f"{count['RUNNING']} running"] if count["RUNNING"] else []
    name, direction = settings["objective"]
    leaders = equals(found, direction)
    if not leaders:
        return ", ".join(parts)
    score = f"{name} {_number(leaders[0]['score'])}"
    if len(leaders) == 1:
        return f"{', '.join(parts)}; best: trial {leaders[0]['trial']}, {score}"
    return f"{', '.join(parts)}; {len(leaders)} trials are equal, {tied(leaders)}: {score}; the first is taken"


def tied(leaders: list[dict]) -> str:
    """Name the trials of a tie.

    Example:
        >>> tied([{"trial": "0"}, {"trial": "2"}])
        'trials 0 and 2'
    """
    names = [row["trial"] for row in leaders]
    some = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return f"trials {', '.join(some[:-1])} and {some[-1]}"


def warnings(found: list[dict], direction: str) -> list[str]:
    """Say that the best trial, or every trial, tells no classes apart; [] where that is not so, or not known."""
    completed = [row for row in found if row["status"] == "COMPLETED" and LEARNED in (row["metrics"] or {})]
    leaders = [row for row in equals(found, direction) if row in completed]
    if not leaders or leaders[0]["metrics"][LEARNED]:
        return []
    learned = sum(row["metrics"][LEARNED] > 0 for row in completed)
    if learned:
        return [
            f"The best trial, {leaders[0]['trial']}, is no better on the validation images than naming one class for "
            f"every image, though {learned} of {len(completed)} trials are. Do not use its settings."
        ]
    return [
        f"None of the {len(completed)} completed trials is better on the validation images than naming one class for "
        "every image. Their order means nothing, and neither do the best settings: train for longer, at another "
        "learning rate or on more images."
    ]


def short(value) -> str:
    """Return a setting in few characters.

    Example:
        >>> short(0.000123456), short("balanced"), short(64), short(4318752.0)
        ('0.000123', 'balanced', '64', '4,318,752')
    """
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"
    return str(value)


def _number(score) -> str:
    return "" if score is None else f"{score:.4f}"
