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
