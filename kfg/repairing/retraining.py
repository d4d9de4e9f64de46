"""A net trained anew with a remedy, on the same training images, and compared with the one before on the same test."""

import dataclasses
import itertools
import json
import pathlib
import types

import numpy as np

from kfg.data import audit, folder
from kfg.engine import provenance, runner
from kfg.engine.options import OF_TRAIN, replaced, tuples
from kfg.engine.orders import Order
from kfg.engine.runner import Row
from kfg.errors import InputError
from kfg.evaluation import paired, predict
from kfg.files import read_json
from kfg.recipes import folder as own_photographs
from kfg.recipes.folder_settings import Config
from kfg.runs import run_files

ROW = "repaired"
BEFORE, AFTER = "before", "after"


def retrained(run, root, settings: dict, *, out, time_budget: float, resume: bool) -> pathlib.Path:
    """Train as `kfg train` does, with the settings of a run of its own and others on top; return the new run's folder.

    Args:
        run: the folder of the run before. Its parts are kept; a run of another recipe gives nothing else.
        root: folder of the photographs.
        settings: of kfg.recipes.folder.Config.
        out: folder of the runs.
        time_budget: seconds that training may take.
        resume: go on with an interrupted training.
    Raises:
        InputError: as for kfg.recipes.folder.trained; photographs that have changed are refused there.
    """
    run = pathlib.Path(run)
    before = read_json(run / run_files.CONFIG, dict)
    config = Config(time_budget=time_budget)
    if before.get("recipe") == own_photographs.NAME:
        known = {name: tuples(value) for name, value in before["config"].items() if name in _names()}
        config = replaced(config, {**known, "time_budget": time_budget})
    config = replaced(config, settings)
    index, seed = _index(run, root), before.get("seed", 0)
    row, config = _row(pathlib.Path(out), seed, index, config)
    note = f"kfg repair made it of {run.name} of {run.parent.name}: {', '.join(settings) or 'nothing'} changed."
    recipe = types.SimpleNamespace(
        NAME=own_photographs.NAME,
        ROWS={row: Row(config, note=note)},
        DEFAULT_ROWS=(row,),
        QUICK={},
        SMOKE={},
        run=own_photographs.run,
    )
    order = Order(data=pathlib.Path(root), out=pathlib.Path(out), seeds=(seed,), resume=resume)
    (made,) = runner.perform(recipe, order, index=index, options=OF_TRAIN)
    return made


def _row(out, seed, index, config) -> tuple[str, Config]:
    """Return the row of the same training, begun or done, with the time it was given; else the first name not taken."""
    wanted = _without_time(dataclasses.asdict(config))
    for number in itertools.count(1):
        row = ROW if number == 1 else f"{ROW}-{number}"
        path = out / own_photographs.NAME / row / f"seed-{seed}" / run_files.CONFIG
        if not path.is_file():
            return row, config
        found = read_json(path, dict)
        same = found["data"]["fingerprint"] == provenance.fingerprint(index)
        if same and _without_time(found["config"]) == wanted:
            return row, dataclasses.replace(config, time_budget=found["config"]["time_budget"])


def _without_time(settings) -> dict:
    return {name: value for name, value in json.loads(json.dumps(settings)).items() if name != "time_budget"}


def _names() -> set[str]:
    return {field.name for field in dataclasses.fields(Config)} - {"time_budget"}


def _index(run, root):
    """Return the photographs of a run in its parts, those that are as they were; what it did not know is left out."""
    rows, _ = folder.split_rows(run / run_files.SPLIT)
    if both := [row["path"] for row in rows if "+" in row["part"]]:
        raise InputError(
            f"{run}: its validation images are its test images ({both[0]} and others), so nothing is proven"
        )
    classes = read_json(run / run_files.CLASSES, list)
    there = [row for row in rows if (pathlib.Path(root) / row["path"]).is_file()]
    index = folder.make_index(
        pathlib.Path(root),
        [row["path"] for row in there],
        [classes.index(row["class"]) for row in there],
        classes,
        parts=[row["part"] for row in there],
    )
    index, known = audit.duplicate_groups(index), [row.get("sha256", "") for row in there]
    same = [at for at, digest in enumerate(index.sha256) if known[at] in ("", digest)]
    return index.take(same)


def compared(before, after, weak) -> dict:
    """Compare two runs on the test images that both have answered.

    Args:
        before, after: run folders.
        weak: class numbers.
    Returns:
        As kfg.evaluation.paired.paired_recall, with arms "before" and "after".
    """
    answers = {BEFORE: before, AFTER: after}
    answers = {name: predict.read_csv(pathlib.Path(run) / run_files.PREDICTIONS) for name, run in answers.items()}
    shared = set(answers[BEFORE].paths) & set(answers[AFTER].paths)
    if not shared:
        raise InputError(f"{after}: shares no test image with {before}")
    answers = {name: [_only(one, shared)] for name, one in answers.items()}
    rows, columns = folder.split_rows(pathlib.Path(after) / run_files.SPLIT)
    alike = {row["path"]: row["group"] for row in rows} if "group" in columns else None
    return paired.paired_recall(answers, [list(weak)], control=BEFORE, alike=alike)


def _only(answers, paths):
    kept = np.flatnonzero(np.isin(answers.paths, list(paths)))
    return dataclasses.replace(
        answers,
        paths=tuple(answers.paths[at] for at in kept),
        labels=answers.labels[kept],
        probabilities=answers.probabilities[kept],
    )
