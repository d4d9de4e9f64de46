"""Train a net anew with a remedy on a run's training images, and compare both nets on the same test images."""

import dataclasses
import itertools
import json
import os
import pathlib

import numpy as np

from kfg.data import splitcsv
from kfg.data.index import Index, fingerprint
from kfg.engine import earlier_net, runner
from kfg.engine.options import OF_TRAIN, replaced, tuples
from kfg.engine.orders import Order
from kfg.engine.recipe import Row
from kfg.errors import InputError
from kfg.evaluation import paired, predict
from kfg.files import read_json, write_json
from kfg.names import printable
from kfg.recipes import folder, folder_settings
from kfg.recipes.folder_settings import Config
from kfg.repairing import proof
from kfg.repairing.photographs import as_they_were
from kfg.repairing.trunks import Trunk
from kfg.runs import arms, choices, run_files

ROW = "repaired"
OF_ANSWERS = {"second_opinion", "mirror_averaged", "class_bias"}  # settings that leave the trained net as it is
BEFORE, AFTER = "before", "after"


def base(run, trunk: Trunk) -> Config:
    """Return the settings for training a run anew, before a remedy changes them.

    They are the run's own settings if it is a run of `kfg train`, else the defaults. In both cases the trunk is the one
    on which remedies were tried.
    """
    before = read_json(pathlib.Path(run) / run_files.CONFIG, dict)
    config = Config()
    if before.get("recipe") == folder.RECIPE.name:
        known = {name: tuples(value) for name, value in before["config"].items() if name in folder_settings.names()}
        config = replaced(config, known)
    heard = choices.heard(before)
    heard = "" if heard == trunk.backbone else heard
    return dataclasses.replace(
        config,
        backbone=trunk.backbone,
        image_size=tuple(trunk.image_size),
        weights=trunk.weights,
        second_backbone=config.second_backbone if heard else trunk.second,
        second_opinion=heard,
        net_of="",
    )


def keeping_net(run, config: Config, changed) -> Config:
    """Return the settings that take over the run's own net, if nothing is changed but how the net answers.

    Args:
        run: folder of the run to repair.
        config: settings of the new run.
        changed: names of the settings that the remedy changed.
    """
    run = pathlib.Path(run)
    before = read_json(run / run_files.CONFIG, dict)
    if before.get("recipe") != folder.RECIPE.name or not set(changed) <= OF_ANSWERS:
        return config
    another = earlier_net.differences(before["config"], config)
    return config if another else dataclasses.replace(config, net_of=str(run.resolve()))


def retrained(run, index: Index, config: Config, *, changed, out, max_params, resume: bool) -> pathlib.Path:
    """Train as `kfg train` does, on the parts of an earlier run; return the new run's folder.

    Args:
        run: folder of the earlier run.
        index: the run's photographs, from `photographs_of`.
        config: settings of kfg.recipes.folder, with those of the remedy.
        changed: names of the settings that the remedy changed, for the report.
        out: folder of the runs.
        max_params: as for kfg.engine.orders.Order.
        resume: continue an interrupted training.
    Raises:
        InputError: as for kfg.recipes.folder.trained.
    """
    run = pathlib.Path(run)
    seed = read_json(run / run_files.CONFIG, dict).get("seed", 0)
    gone = set(config.left_out) - {index.paths[at] for at in index.where("train")}
    config = dataclasses.replace(config, left_out=tuple(path for path in config.left_out if path not in gone))
    row, config = _row(pathlib.Path(out), seed, index, config)
    note = f"kfg repair made this run from {run.name} of {run.parent.name}; changed: {', '.join(changed) or 'nothing'}."
    recipe = dataclasses.replace(folder.RECIPE, rows={row: Row(config, note=note)}, default_rows=(row,))
    order = Order(
        data=index.root,
        out=pathlib.Path(out),
        seeds=(seed,),
        max_params=max_params,
        resume=resume,
        index=index,
        options=OF_TRAIN,
    )
    (made,) = runner.perform(recipe, order)
    _note(made, {"run": os.path.relpath(run, made), "changed": sorted(changed)})
    return made


def note(made, stands: bool) -> bool:
    """Note in a new run whether the repair stands, so that commands know which run to take.

    Return whether this was not noted before; if it was, the user may have changed the run's card since.
    """
    path = pathlib.Path(made) / run_files.REPAIR_OF
    known = path.is_file() and "stands" in read_json(path, dict)
    _note(made, {"stands": stands})
    return not known


def _note(made, told: dict) -> None:
    """Add to what a new run says about the repair; what an earlier command has found out stays."""
    path = pathlib.Path(made) / run_files.REPAIR_OF
    write_json(path, {**(read_json(path, dict) if path.is_file() else {}), **told})


def stands(made, after) -> bool:
    """Return whether a repair is to be used.

    What is proven on heads may fail on the trained net. So it is not used if the second opinion that it asked for was
    left out, as its other changes were proven only together with it; nor if the test images speak against it: the share
    of all of them that is recognised falls, beyond doubt, by more than a remedy may cost, or it falls and that of the
    weak classes does not rise. A remedy was proven on more photographs than the test part has, so it need not be proven
    there again.

    Args:
        made: the new run.
        after: the result of `compared`.
    """
    weak, every = (after["groups"][group]["arms"][AFTER]["difference"] for group in ("targeted", "all"))
    gained = weak["value"] is not None and weak["value"] > 0
    settings = read_json(pathlib.Path(made) / run_files.CONFIG, dict)
    complete = choices.heard(settings) == settings["config"]["second_opinion"]
    return complete and every["high"] >= -proof.COST and (every["value"] >= 0 or gained)


def _row(out, seed, index, config) -> tuple[str, Config]:
    """Return the row of the same training, begun or done, with its time budget; else the first name that is free."""
    wanted = _without_time(dataclasses.asdict(config))
    for number in itertools.count(1):
        row = ROW if number == 1 else f"{ROW}-{number}"
        path = run_files.run_folder(out, folder.RECIPE.name, row, seed) / run_files.CONFIG
        if not path.is_file():
            return row, config
        found = read_json(path, dict)
        same = found["data"]["fingerprint"] == fingerprint(index)
        if same and _without_time(found["config"]) == wanted:
            return row, dataclasses.replace(config, time_budget=found["config"]["time_budget"])


def _without_time(settings) -> dict:
    return {name: value for name, value in json.loads(json.dumps(settings)).items() if name != "time_budget"}


def photographs_of(run, root, *, known=None) -> Index:
    """Return the photographs of a run that are unchanged and readable, in its parts and groups.

    Args:
        known: path -> fingerprint of photographs that were read already.
    Raises:
        InputError: the run's validation images are also its test images, so that nothing could be proven; no training
            photograph of a class is left.
    """
    run, root = pathlib.Path(run), pathlib.Path(root)
    rows, _ = splitcsv.split_rows(run / run_files.SPLIT)
    if both := [row["path"] for row in rows if "+" in row["part"]]:
        raise InputError(
            f"{run}: its validation images are also its test images, such as {both[0]}, so nothing can be proven; give "
            "a run with separate parts"
        )
    index = as_they_were(run, root, rows, known=known).index
    trained = index.take(index.where("train")).counts()
    if gone := [index.classes[label] for label in np.flatnonzero((index.counts() > 0) & (trained == 0))]:
        raise InputError(
            f"{printable(str(root))}: no training photograph of {printable(gone[0])} is left unchanged; restore the "
            "photographs"
        )
    return index


def compared(before, after, weak) -> dict:
    """Compare two runs on the test images that both have answered.

    Args:
        before, after: run folders.
        weak: numbers of the weak classes.
    Returns:
        The result of kfg.evaluation.paired.paired_recall, with arms "before" and "after".
    """
    answers = {BEFORE: before, AFTER: after}
    answers = {name: predict.read_csv(pathlib.Path(run) / run_files.PREDICTIONS) for name, run in answers.items()}
    shared = set(answers[BEFORE].paths) & set(answers[AFTER].paths)
    if not shared:
        raise InputError(f"{after}: has no test image in common with {before}")
    answers = {
        name: [one.take([at for at, path in enumerate(one.paths) if path in shared])] for name, one in answers.items()
    }
    return paired.paired_recall(answers, [list(weak)], control=BEFORE, alike=arms.alike(after))
