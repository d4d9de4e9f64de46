"""The trials of a search as rows: read from its folder, printed, and written as trials.csv and best.json."""

import csv
import pathlib

from kfg.errors import InputError
from kfg.files import RESTORE, read_json, whole, write_json

SETTINGS_FILE, STATE_FILE = "search.json", "oracle.json"
CSV_FILE, BEST_FILE = "trials.csv", "best.json"
WRITTEN = (STATE_FILE, CSV_FILE, BEST_FILE, "trials", "search.html")  # files and folders of a search
COLUMNS = ("trial", "status", "score", "sd", "seconds", "worker", "reason")
HYPERBAND_EPOCHS = "tuner/epochs"
LEARNED = "learned"  # metric of a trial: the share of its trainings that beat naming one class for every image
NAMED = 8  # most trials of a tie that are named
PREFIXES = ("kfg/", "tuner/")  # values that are not settings


def head(folder: pathlib.Path) -> dict:
    """Return the definition of a search, {"settings", "data"}.

    Raises:
        InputError: there is no search in the folder.
    """
    if not (folder / SETTINGS_FILE).is_file():
        raise InputError(f"{folder}: does not hold a search, as {SETTINGS_FILE} is missing")
    found = read_json(folder / SETTINGS_FILE, dict)
    if not isinstance(found.get("settings"), dict):
        raise InputError(f"{folder / SETTINGS_FILE}: is not from a search, as it has no settings")
    return found


def read(folder: pathlib.Path) -> tuple[dict, dict]:
    """Return the definition of a search and its state; for a running search, the state after its last change.

    Raises:
        InputError: there is no search in the folder.
    """
    decides, state = head(folder), folder / STATE_FILE
    empty = {"trials": [], "records": {}, "start_order": [], "hyperparameters": {"space": []}}
    return decides, read_state(state) if state.is_file() else empty


def read_state(path) -> dict:
    """Return the content of a search's oracle.json; InputError if it is damaged."""
    state = read_json(path, dict)
    try:
        rows(state)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error!r}); {RESTORE}") from error
    return state


def rows(state: dict) -> list[dict]:
    """Return one dict for each trial, in the order in which they were begun.

    Returns:
        Dicts of `trial`, `status` ("RUNNING", "COMPLETED", "FAILED"), `score` and `values` (of the space); and from the
        worker's record `settings`, `metrics`, `scores`, `seconds`, `worker`, `reason` and `traceback`, None if not
        known yet.
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
    """Return the completed trial with the best score, the first of equals; None if none has completed."""
    completed = [row for row in found if row["status"] == "COMPLETED"]
    sign = 1 if direction == "max" else -1
    return max(completed, key=lambda row: sign * row["score"], default=None)


def equals(found: list[dict], direction: str) -> list[dict]:
    """Return all completed trials with the best score, in order; if there is more than one, it is a tie."""
    winner = best(found, direction)
    return [row for row in found if row["status"] == "COMPLETED" and row["score"] == winner["score"]] if winner else []


def write_csv(path, found: list[dict]) -> None:
    """Write a row for each trial: how it ended, its figures and its settings."""
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
    """Return the standard deviation (n - 1) over a trial's trainings; None if there are fewer than two."""
    if not scores or len(scores) < 2:
        return None
    mean = sum(scores) / len(scores)
    return (sum((score - mean) ** 2 for score in scores) / (len(scores) - 1)) ** 0.5


def write_best(path, row: dict, settings: dict, full: dict) -> None:
    """Write the settings of the best trial, in the form that `--set @best.json` takes.

    Args:
        path: path of the file.
        row: the trial, from `rows`.
        settings: definition of the search.
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
    """Return a trial as a line of the table that a search prints."""
    score = "failed" if row["status"] == "FAILED" else _number(row["score"]) if row["score"] is not None else "runs"
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
    values = " ".join(f"{name}={short(value)}" for name, value in row["values"].items())
    reason = f"  {row['reason']}" if row["reason"] else ""
    return f"{row['trial']:>6} {score:>8} {_number(best_so_far):>8} {seconds:>8}  {values}{reason}"


def text(found: list[dict], direction: str) -> str:
    """Return the whole table; each line has the best score so far."""
    lines = [HEADER]
    for at, row in enumerate(found):
        so_far = best(found[: at + 1], direction)
        lines.append(line(row, so_far and so_far["score"]))
    return "\n".join(lines)


def summary(found: list[dict], settings: dict) -> str:
    """Return how many trials there are, how many completed and failed, and the best."""
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
    return f"{', '.join(parts)}; {len(leaders)} trials are equally good ({tied(leaders)}): {score}; the first is used"


def tied(leaders: list[dict]) -> str:
    """Return the names of the trials of a tie.

    Example:
        >>> tied([{"trial": "0"}, {"trial": "2"}])
        'trials 0 and 2'
    """
    names = [row["trial"] for row in leaders]
    some = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return f"trials {', '.join(some[:-1])} and {some[-1]}"


def warnings(found: list[dict], direction: str) -> list[str]:
    """Warn if the best trial, or every trial, has learned nothing; [] if they have, or if it is not known."""
    completed = [row for row in found if row["status"] == "COMPLETED" and LEARNED in (row["metrics"] or {})]
    leaders = [row for row in equals(found, direction) if row in completed]
    if not leaders or leaders[0]["metrics"][LEARNED]:
        return []
    learned = sum(row["metrics"][LEARNED] > 0 for row in completed)
    if learned:
        return [
            f"The best trial, {leaders[0]['trial']}, is no better on the validation images than naming one class for "
            f"every image, although {learned} of {len(completed)} trials are. Do not use its settings."
        ]
    return [
        f"None of the {len(completed)} completed trials is better on the validation images than naming one class for "
        "every image. So their order and the best settings mean nothing: train for longer, with another learning rate "
        "or on more images."
    ]


def short(value) -> str:
    """Return a setting in a few characters.

    Example:
        >>> short(0.000123456), short("balanced"), short(64), short(4318752.0)
        ('0.000123', 'balanced', '64', '4,318,752')
    """
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"
    return str(value)


def _number(score) -> str:
    return "" if score is None else f"{score:.4f}"
