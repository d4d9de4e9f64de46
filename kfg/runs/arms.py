"""Compare the finished arms of a re-augmentation."""

import collections
import logging
import pathlib

from kfg import reaugment
from kfg.data.splitcsv import split_rows
from kfg.evaluation import paired, predict
from kfg.files import read_json
from kfg.runs import run_files
from kfg.training import precision

logger = logging.getLogger(__name__)


def compare(folder, rows: dict[str, str], *, like) -> dict | None:
    """Compare the arms over every seed and fold that all of them have finished with the settings of one run.

    A warning is logged on how many runs of other settings are left out, such as a single split beside folds.

    Args:
        folder: folder of `row/seed-N.../` run folders.
        rows: arm -> row name, for each of kfg.reaugment.COMPARED and perhaps other arms of its ARMS.
        like: folder of a finished run of one of the arms, whose settings count.
    Returns:
        The result of `paired.paired_recall` against the control `none`, with `not_judged`, [{"name", "runs"}], the
        classes with too few validation images to be found weak, and the common `settings`. None if no run is complete
        in all arms.
    """
    folder, kind = pathlib.Path(folder), _kind(like)
    runs = sorted(path.parent.name for path in (folder / rows["targeted"]).glob("*/report.json"))
    runs = [run for run in runs if all(_finished(folder / rows[arm] / run) for arm in reaugment.COMPARED)]
    other = {run: path for run in runs for arm in reaugment.COMPARED if _kind(path := folder / rows[arm] / run) != kind}
    runs = [run for run in runs if run not in other]
    if other:
        why = _difference(next(iter(other.values())), kind)
        logger.warning("arms: runs with other settings are left out of the comparison (%d); %s", len(other), why)
    if not runs:
        return None
    beside = [arm for arm in reaugment.ARMS if arm not in reaugment.COMPARED and arm in rows]
    names = [*reaugment.COMPARED, *(arm for arm in beside if _complete(folder / rows[arm], runs, kind))]
    arms = {arm: [predict.read_csv(folder / rows[arm] / run / run_files.PREDICTIONS) for run in runs] for arm in names}
    aimed = [reaugment.read_weak(folder / rows["targeted"] / run) for run in runs]
    comparison = paired.paired_recall(
        arms,
        [[one["id"] for one in run["weak"]] for run in aimed],
        control="none",
        folds=kind["folds"],
        alike=alike(folder / rows["targeted"] / runs[0]),
    )
    passed_over = collections.Counter(one["name"] for run in aimed for one in run["not_judged"])
    comparison["not_judged"] = [{"name": name, "runs": count} for name, count in passed_over.most_common()]
    return {**comparison, "settings": kind}


def alike(run) -> dict[str, int] | None:
    """Return path -> group of near-duplicates for all images of a run; None if its split.csv has no groups."""
    path = pathlib.Path(run) / run_files.SPLIT
    if not path.is_file():
        return None
    rows, columns = split_rows(path)
    return {row["path"]: row["group"] for row in rows} if "group" in columns else None


def _finished(run) -> bool:
    return (run / run_files.REPORT).is_file()


def _complete(row, runs, kind) -> bool:
    """Return whether a row has all these runs with these settings; log a warning if it has only some of them."""
    there = [run for run in runs if _finished(row / run)]
    alike = [run for run in there if _kind(row / run) == kind]
    if there and alike != runs:
        logger.warning("arms: %s is left out, as only %d of %d runs have these settings", row, len(alike), len(runs))
    return alike == runs


def _kind(run) -> dict:
    """Return the settings of a finished run except arm, seed and fold; runs are comparable only if these are equal."""
    settings, made = (read_json(pathlib.Path(run) / name, dict) for name in (run_files.CONFIG, run_files.ENVIRONMENT))
    config = {key: value for key, value in settings["config"].items() if key not in ("arm", "weak_from")}
    trained_in = precision.label(made["precision"], made["jit_compile"])
    return {"data": settings["data"], "folds": settings["folds"], "trained in": trained_in, **config}


def _difference(run, kind) -> str:
    found = _kind(run)
    key = next(key for key in {**kind, **found} if found.get(key) != kind.get(key))
    return f"{run.parent.name}/{run.name}: {key} is {found.get(key)} instead of {kind.get(key)}"
