"""Paper beside ours: every recipe's rows, its errata, and what was measured."""

import importlib
import json

import pytest

from kfg import ledger
from kfg.errors import InputError


def result(row, top1, **changes):
    metrics = {"top1": {"value": top1}, "loss": {"value": 1.5}}
    return {
        "recipe": "fruit3",
        "row": row,
        "data": {"name": "mine"},
        "config": {"epochs": 2},
        "metrics": metrics,
    } | changes


@pytest.mark.parametrize("name", ledger.RECIPES)
def test_every_row_and_erratum_is_listed_before_anything_is_measured(name, tmp_path):
    recipe = importlib.import_module(f"kfg.recipes.{name}")
    text = ledger.table(name, tmp_path)
    lines = [line for line in text.splitlines() if line.endswith(ledger.NONE_YET)]
    assert [line.split()[0] for line in lines] == list(recipe.ROWS)
    assert recipe.CAVEAT in text and text.count("\n- ") == len(recipe.ERRATA)
    assert len({line.index(ledger.NONE_YET) for line in lines}) == 1  # in one column


def test_only_runs_of_equal_settings_are_averaged(tmp_path):
    rows = [result("cnn", 0.7), result("cnn", 0.8), result("cnn", 0.1, config={"epochs": 1})]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = ledger.table("fruit3", tmp_path)
    assert "74.55" in text and "75.00 ± 7.07 (n = 2), 1.500, mine, epochs 2" in text and "10.00 (n = 1)" in text


def test_an_unknown_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match="'fruit4' is none of imagenet20"):
        ledger.table("fruit4", tmp_path)


def chose(row, top1, *, epochs, why="as many as the time budget holds", views=2, kept="the whole net", **changes):
    made = {
        "classes": {"treatment": "none", "why": "as set"},
        "head": {"views": views, "epochs": 40, "why": "as set", "seconds expected": 12},
        "whole net": {"epochs": epochs, "why": why, "seconds per epoch": round(100 * top1)},
        "end": {"kept": kept},
    }
    return result(row, top1, recipe="folder", config={"epochs": 8, "time_budget": 720.0}, choices=made, **changes)


def test_runs_that_chose_otherwise_are_not_averaged_and_what_differs_is_named(tmp_path):
    rows = [chose("transfer", 0.7, epochs=3), chose("transfer", 0.8, epochs=3), chose("transfer", 0.1, epochs=2)]
    assert [len(group) for group in ledger.by_settings(rows)] == [2, 1]  # seconds and reasons make no other group
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = ledger.table("folder", tmp_path)
    assert "75.00 ± 7.07 (n = 2), 1.500, mine, epochs of the whole net 3 (decided by the clock)" in text
    assert "10.00 (n = 1), 1.500, mine, epochs of the whole net 2 (decided by the clock)" in text
    assert "epochs 8" not in text


@pytest.mark.parametrize("change", [{"views": 1}, {"kept": "the head"}, {"epochs": 0, "why": "only the head"}])
def test_each_choice_that_changes_the_net_makes_another_group(change):
    rows = [chose("transfer", 0.7, epochs=3), chose("transfer", 0.7, **{"epochs": 3, **change})]
    groups = ledger.by_settings(rows)
    assert [len(group) for group in groups] == [1, 1]
    first, second = ledger.differences(groups)
    assert first and second and first != second
    assert ledger.differences(groups[:1]) == [""]  # nothing to tell apart


def test_rows_without_choices_are_read_and_told_by_the_epochs_they_took(tmp_path):
    config = {"epochs": 8, "time_budget": 720.0}
    rows = [result("transfer", 0.9, recipe="folder", config=config, epochs=n) for n in (4, 4, 2)]
    assert [len(group) for group in ledger.by_settings(rows)] == [2, 1]
    early = [result("cnn", 0.7, epochs=n) for n in (11, 13)]  # stopped early: no clock in it
    assert len(ledger.by_settings(early)) == 1
