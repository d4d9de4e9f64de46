"""Trainings that were interrupted: find them below a folder, and say how they are continued."""

import os
import pathlib

from kfg import time_budgets
from kfg.errors import InputError
from kfg.files import read_json
from kfg.names import quoted
from kfg.runs import origins, run_files

AGAIN = "the command that began it, with --resume"
OTHERS = " (and the other options that it was begun with, if there were any)"


def is_unfinished(run) -> bool:
    """Return whether a folder is that of a run that has no report yet."""
    run = pathlib.Path(run)
    return (run / run_files.CONFIG).is_file() and not (run / run_files.REPORT).is_file()


def told(run) -> str:
    """Return a sentence that says that a run is unfinished and how it is continued.

    Example:
        >>> told("somewhere")
        'this training is unfinished; continue it with the command that began it, with --resume'
    """
    return f"this training is unfinished; continue it with {_command(pathlib.Path(run)) or AGAIN}"


def _command(run) -> str:
    """Return the command that continues a run, or a repair; "" if the run folder does not say which it is."""
    try:
        config, photographs = read_json(run / run_files.CONFIG, dict), origins.photographs_of(run)
        repaired = read_json(run / run_files.REPAIR_OF, dict) if (run / run_files.REPAIR_OF).is_file() else {}
    except (InputError, OSError):
        return ""
    if isinstance(repaired.get("run"), str):
        return f"`kfg repair {quoted(_short(run / repaired['run']))} --resume`"
    out, settings = run_files.out_of(os.path.abspath(run)), config.get("config")
    ours = (config.get("recipe"), config.get("row")) == (run_files.TRAIN_RECIPE, run_files.TRAIN_ROW)
    if not ours or photographs is None or out is None or not isinstance(settings, dict):
        return ""
    seconds, seed = settings.get("time_budget"), config.get("seed")
    if not isinstance(seconds, int | float) or not isinstance(seed, int):
        return ""
    default = seconds == time_budgets.seconds_of(time_budgets.TRAINING)
    budget = "" if default else f" --time-budget {seconds:.10g}s"
    seeds = f" --seeds {seed + 1}" if seed else ""
    return f"`kfg train {quoted(_short(photographs))} --out {quoted(_short(out))}{budget}{seeds} --resume`{OTHERS}"


def _short(path) -> pathlib.Path:
    """Return a path as it is seen from the current folder if it lies below that, else the whole path."""
    path = pathlib.Path(os.path.abspath(path))
    return path.relative_to(pathlib.Path.cwd()) if path.is_relative_to(pathlib.Path.cwd()) else path
