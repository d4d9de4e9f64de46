"""Recipes called without arguments: their main job on drawn images, sized to the machine, and how to go on."""

import itertools
import types

import pytest

from kfg.engine import demonstration, runner, selection
from kfg.engine.options import replaced
from kfg.files import write_json
from kfg.recipes import NAMES, named


@pytest.fixture
def orders(monkeypatch):
    """Return the orders that a program would have run."""
    found = []
    monkeypatch.setattr(runner, "answered", lambda recipe, order: found.append(order) or 0)
    monkeypatch.setattr(demonstration, "speed", lambda: demonstration.REFERENCE)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_without_arguments_a_recipe_does_its_main_job_on_drawn_images_and_says_so(name, orders, capsys):
    recipe = named(name)
    assert runner.main(recipe, []) == 0
    (order,) = orders
    assert order.data is None and order.resume and order.out == demonstration.OUT
    rows = selection.configured(recipe, order)
    assert set(rows) == set(recipe.demo.rows)
    assert all(row.config == replaced(recipe.rows[key].config, order.settings) for key, row in rows.items())
    said = capsys.readouterr().out
    assert "Without arguments" in said and "built-in demo images" in said and "five minutes" in said
    assert said.count(f"python -m kfg.recipes.{name} --data DIR --out runs") == 2  # before and after


def test_a_slower_machine_gets_fewer_epochs_and_a_second_call_the_same(orders, monkeypatch, tmp_path):
    recipe = named("imagenet20")
    monkeypatch.setattr(demonstration, "speed", lambda: demonstration.REFERENCE / 3)
    assert demonstration.order(recipe, tmp_path).settings["epochs"] == round(recipe.demo.epochs / 3)
    write_json(tmp_path / "imagenet20" / recipe.demo.rows[0] / "seed-0" / "config.json", {"config": {"epochs": 7}})
    assert demonstration.order(recipe, tmp_path).settings["epochs"] == 7


def test_a_machines_speed_is_that_of_a_convolution_and_its_gradients_in_the_usual_step(monkeypatch):
    seconds = [9.0, *[0.5] * (demonstration.REPEATS - 1)]  # the first step takes longer
    clock = itertools.chain.from_iterable((0.0, one) for one in seconds)
    monkeypatch.setattr(demonstration, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    products = 16 * 24 * 24 * 64 * 5 * 5 * 32  # images, places, filters, weights of a filter
    assert demonstration.speed() == pytest.approx(3 * 2 * products / 0.5 / 1e9)


def test_with_an_argument_the_photographs_are_asked_for(capsys):
    with pytest.raises(SystemExit):
        runner.main(named("imagenet20"), ["--rows", "convnet1"])
    assert "--data" in capsys.readouterr().err
