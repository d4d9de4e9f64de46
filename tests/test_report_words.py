"""A report says of which photographs its figures are, and what to do, in words of somebody who trained on a folder."""

import numpy as np
import pytest

from kfg.figures.worst import Worst
from kfg.repairing import after_training
from kfg.reporting import by_class, doubt, run, sections
from kfg.runs import run_files

OWN = {
    "recipe": run_files.TRAIN_RECIPE, "row": "transfer", "seed": 0, "fold": None, "folds": 1,
    "data": {"name": "birds", "images": 9}, "config": {"epochs": 8, "mixing_alpha": None, "left_out": []},
    "choices": {"head": {"epochs": 40}},
}  # fmt: skip


def run_of(config):
    return run.Run("seed-0", config, {"device": "CPU"}, None, 0, None)


def worst(*pairs):
    return [Worst(at, f"{at}.jpg", *pair, 0.9, 0.1, 2.3, None) for at, pair in enumerate(pairs)]


def test_the_worst_images_say_how_many_are_wrong_and_how_to_look_at_test_photographs():
    body = by_class.worst_images(worst(("wren", "lark"), ("wren", "wren"), ("lark", "lark")), own=True)
    assert "Classified wrongly: 1 (orange); correctly: 2 (blue)." in body
    assert "<code>kfg review DIR --class NAME</code>" in body
    assert "kfg review" not in by_class.worst_images(worst(("wren", "lark")))  # a study's images are not reviewed


def test_the_settings_of_ones_own_run_are_those_that_can_be_set_and_none_is_null():
    body = sections._settings(run_of(OWN))
    for word in ("null", "choices", ">row<", ">fold<", "config.", "mixing_alpha", "left_out"):
        assert word not in body
    assert ">epochs<" in body and "kfg train DIR --set epochs=4" in body
    study = sections._settings(run_of({**OWN, "recipe": "imagenet20"}))
    assert ">config.epochs<" in study and ">row<" in study and "null" not in study and "--set" not in study


def test_a_recall_is_given_as_a_number_of_test_images_too():
    rows = [
        {"name": "wren", "support": 11, "correct": 8, "recall": {"value": 8 / 11}},
        {"name": "lark", "support": 3, "correct": 3, "recall": {"value": 1.0}},
        {"name": "owl", "support": 0, "correct": 0, "recall": {"value": None}},
    ]
    assert by_class._example(rows) == "; for example, 8 of the 11 test images of wren are, which is a recall of 0.727"
    assert by_class._example(rows[2:]) == ""


def test_the_lines_on_doubt_say_whose_shares_they_are():
    share = {"value": 0.05, "low": 0.02, "high": 0.1}
    unsure = {"precision": 0.95, "threshold": 0.6, "unanswered": share, "test": {"unanswered": share, "right": share}}
    (said,) = doubt._unsure({"unsure": unsure})
    assert "The model is unsure about 5.0% (2.0 to" in said and "Of the other answers on test" in said
    sets = {"coverage": 0.9, "threshold": 0.5, "test": {"covered": share, "classes": 0.97, "empty": 0.0125}}
    (said,) = doubt._sets(sets)
    assert "For 1.2% of them the set is empty, as no class reaches that probability." in said
    (said,) = doubt._sets({**sets, "test": {**sets["test"], "empty": 0}})
    assert "empty" not in said


@pytest.mark.parametrize("path, said", [("runs/a", True), ("/runs/a", False)])
def test_a_relative_command_says_where_it_is_typed(path, said):
    _, body = after_training.section(after_training.Judged(None, ("No time.",)), path)
    assert ("in the folder in which you typed kfg train" in body) == said
    assert np.char.count(str(body), "kfg repair") == 1
