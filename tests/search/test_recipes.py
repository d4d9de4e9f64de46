"""Searches of the real recipes: two small trials, then the winner in full."""

import csv
import dataclasses
import importlib
import json

import keras_tuner
import numpy as np
import pytest
from bare import bare_runs
from PIL import Image
from reading import state, trials

from kfg.augment.policies import Policy
from kfg.data import audit, folder
from kfg.data.index import make_index
from kfg.files import read_json
from kfg.search import spaces, trial
from kfg.search.command import main
from kfg.search.definition import Definition


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a folder of three classes that differ in colour."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, colour in (("blue", (40, 60, 200)), ("green", (50, 180, 60)), ("red", (210, 50, 40))):
        (root / name).mkdir()
        for i in range(12):
            pixels = np.clip(np.array(colour) + rng.normal(0, 40, (50, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.jpg")
    return root


def settings(*words):
    return [part for word in words for part in ("--set", word)]


def test_convnet_from_photographs_to_a_finished_run(pictures, tmp_path, capsys):
    tiny = settings("width=0.05", "image_size=(48, 45)", "epochs=1", "kernel=5")
    words = ["imagenet20", "--data", str(pictures), "--out", str(tmp_path), "--max-trials", "2", "--finish", *tiny]
    with bare_runs(traced=True):  # the winner's run, in this process; trials are processes of their own
        assert main(words) == 0
    assert len(trials(tmp_path)) == 2
    assert [path.suffix for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == [".uint8"]
    run = tmp_path / "imagenet20" / "convnet-searched" / "seed-0"
    best = read_json(tmp_path / "best.json")
    report = read_json(run / "report.json")
    assert report["images"] == 6  # a fifth of 36, whole groups
    # the full run is the trial again: the same validation answers
    with open(run / "val_predictions.csv", newline="") as file:
        answers = [row["correct"] for row in csv.DictReader(file)]
    assert np.mean([answer == "1" for answer in answers]) == pytest.approx(
        state(tmp_path)["records"][best["trial"]]["metrics"]["val_accuracy"]
    )
    # no trial has looked at a test image
    assert not list((tmp_path / "trials").rglob("predictions.csv"))
    capsys.readouterr()
    assert main(words) == 0
    assert "already finished, so it is not repeated" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == ["convnet-searched"]


def test_head_over_cached_features(pictures, tmp_path):
    tiny = settings("image_size=(32, 32)", "weights=none", "head_epochs=2", "views=1", "backbone=vgg16")
    words = ["folder", "--space", "head", "--data", str(pictures), "--out", str(tmp_path), "--max-trials", "2", *tiny]
    assert main([*words, "--max-params", "100", "--max-trials", "1"]) == 2
    assert "100 are allowed" in trials(tmp_path)[0]["reason"]
    assert main([*words, "--out", str(tmp_path / "b"), "--trial-time", "100"]) == 0
    kinds = sorted(path.suffix for path in (tmp_path / "b" / "cache").glob("features-*") if path.suffix != ".lock")
    assert kinds == [".float32", ".float32"]  # of the images, and of their one view: for all trials


def test_finetune_trains_the_net_after_its_head(pictures, tiny_trunk, tmp_path):
    small = {"backbone": tiny_trunk, "image_size": (48, 48), "weights": "none", "head_epochs": 2, "epochs": 1}
    plan = planned("folder", "finetune", **small)
    request = trial.Request(
        module="kfg.recipes.folder",
        recipe="folder",
        row="transfer",
        config=plan.configured(plan.changes({})),
        seed=0,
        index=audit.duplicate_groups(folder.scan(pictures)),
        data_name="pictures",
        cache_dir=tmp_path / "cache",
        workdir=tmp_path / "trial",
    )
    request.workdir.mkdir()
    said = []
    figures = trial._run(request, lambda *message: said.append(message))
    assert (trial.STARTED, None) in said
    assert (figures["epochs"], figures["val_images"]) == (1, 3)  # of fine-tuning
    assert 0 <= figures["val_macro_recall"] <= 1


def planned(recipe, name, **given):
    space = spaces.SPACES[recipe][name]
    row = importlib.import_module(space.module).RECIPE.rows[space.row].config
    index = make_index("/x", ["a/1.jpg", "b/1.jpg"], [0, 1], ["a", "b"])
    return Definition(
        recipe=recipe,
        space_name=name,
        space=space,
        config=dataclasses.replace(row, **given),
        given=given,
        algorithm="hyperband",
        seed=0,
        executions=1,
        objective="val_loss",
        max_params=None,
        trial_time=None,
        precision="float32",
        index=index,
        data_name="x",
    )


@pytest.mark.parametrize(("recipe", "name"), [(r, name) for r, known in spaces.SPACES.items() for name in known])
def test_defaults_are_the_rows_own_and_every_draw_is_a_config(recipe, name):
    plan = planned(recipe, name)
    space = plan.hyperparameters()
    changes = plan.changes({hp.name: hp.default for hp in space.space})
    config = plan.configured(json.loads(json.dumps(changes)))
    others = {setting for setting in changes if getattr(config, setting) != getattr(plan.config, setting)}
    fixed = {"convnet": {}, "head": {"time_budget": 1e9}, "finetune": {"time_budget": 1e9, "views": 0, "min_errors": 0}}
    assert {setting: getattr(config, setting) for setting in others - {"policy"}} == fixed[name]
    filled = [dataclasses.replace(one.policy, fill_mode="reflect") for one in (config, plan.config)]
    assert filled[0] == filled[1]  # the convnet's moves nothing, so how it fills does not count
    objective = keras_tuner.Objective("val_loss", "min")
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=objective, hyperparameters=space, seed=1)
    for _ in range(50):
        changes = plan.changes(oracle._random_values())
        plan.configured(json.loads(json.dumps(changes)))
        assert set(changes) <= set(vars(config))


def test_what_is_given_by_hand_is_not_searched():
    plan = planned("imagenet20", "convnet", width=0.5, l2_on=("conv5",), epochs=20)
    names = {hp.name for hp in plan.hyperparameters().space}
    assert {"l2", "dropout"} <= names
    assert not {"width", "l2_on"} & names
    changes = plan.changes({"l2": 0.02, "dropout": 0.1, "tuner/epochs": 3, "kfg/search": "x"})
    config = plan.configured(changes)
    assert (config.width, config.l2_on, config.l2, config.dropout, config.epochs) == (0.5, ("conv5",), 0.02, 0.1, 3)
    assert "l2" not in {hp.name for hp in planned("imagenet20", "convnet", l2_on=()).hyperparameters().space}
    assert "augmentation" not in {
        hp.name for hp in planned("imagenet20", "convnet", policy=Policy()).hyperparameters().space
    }
    fixed = planned("folder", "finetune", freeze="none").hyperparameters().space
    assert "learning" not in {hp.name for hp in fixed} and "learning_rate" in {hp.name for hp in fixed}
    full = plan.full(changes)
    assert (full["epochs"], full["width"], full["l2"]) == (20, 0.5, 0.02)  # the winner is trained for all epochs
