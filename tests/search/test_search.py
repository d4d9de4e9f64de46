"""Searches of a fake recipe: what is tried, what is kept, what is refused."""

import dataclasses
import json
import os
import re
import shlex
import time

import fake_recipe
import pytest
from reading import state, trials

from kfg import files
from kfg.errors import InputError
from kfg.search import command
from kfg.search.command import Told
from kfg.search.spaces import SPACES

pytestmark = pytest.mark.usefixtures("without_pictures")


def test_the_rows_own_settings_come_first_and_the_best_is_written(search, tmp_path, capsys):
    assert search("--max-trials", 5) == 0
    rows = trials(tmp_path / "out")
    scores = [float(row["score"]) for row in rows]
    assert scores[0] == 0.5
    assert len(set(scores)) == 5
    best = json.loads((tmp_path / "out" / "best.json").read_text())
    assert best["score"] == max(scores) == best["settings"]["x"]
    assert best["objective"] == ["val_macro_recall", "max"]
    said = capsys.readouterr().out
    assert "5 trials, 5 completed, 0 failed" in said
    assert re.search(r"\[2 of 5 trials, about [\d.]+ (s|min) left\]", said) and "5 of 5 trials" not in said
    assert f"--set @{tmp_path / 'out' / 'best.json'}" in said


@pytest.mark.parametrize(("objective", "chosen"), [("val_macro_recall", max), ("val_accuracy", min), ("val_loss", min)])
def test_the_objective_has_a_direction(search, tmp_path, objective, chosen):
    # the fake's accuracy is 1 - x and its loss x
    assert search("--max-trials", 4, "--objective", objective) == 0
    x = [float(row["x"]) for row in trials(tmp_path / "out")]
    assert json.loads((tmp_path / "out" / "best.json").read_text())["settings"]["x"] == chosen(x)


def test_more_trials_go_on_as_if_never_stopped_and_none_is_run_twice(search, tmp_path):
    calls = tmp_path / "calls"
    for count in (2, 4, 4):
        assert search("--max-trials", count, "--set", f"calls={calls}") == 0
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["0", "1", "2", "3"]
    assert search("--max-trials", 4, out=tmp_path / "whole") == 0
    assert [row["x"] for row in trials(tmp_path / "whole")] == [row["x"] for row in trials(tmp_path / "out")]
    assert search("--max-trials", 4, "--seed", 1, out=tmp_path / "other") == 0
    assert [row["x"] for row in trials(tmp_path / "other")] != [row["x"] for row in trials(tmp_path / "out")]


def test_failures_are_trials_with_a_reason_and_never_the_best(search, tmp_path):
    assert search("--space", "failing", "--max-trials", 20, "--seed", 1) == 0
    rows = trials(tmp_path / "out")
    reasons = {row["kind"]: row["reason"] for row in rows}
    expected = {
        "raises": "RuntimeError: a defect",
        "refused": "the loss is not a number",
        "memory": "out of memory: no room",
        "killed": "killed by SIGKILL, which the system does when memory runs out",
        "good": "",
    }
    assert reasons == expected
    assert all((row["status"] == "FAILED") == bool(row["reason"]) == (row["score"] == "") for row in rows)
    assert json.loads((tmp_path / "out" / "best.json").read_text())["settings"]["kind"] == "good"
    records = state(tmp_path / "out")["records"].values()
    (raised,) = [one for one in records if one["settings"]["kind"] == "raises"][:1]
    assert "Traceback (most recent call last)" in raised["traceback"]
    assert "in run\n" in raised["traceback"]


def test_settings_that_the_recipe_refuses_are_a_failed_trial(search, monkeypatch, tmp_path):
    wide = dataclasses.replace(
        fake_recipe.SPACES["fake"]["line"], suggest=lambda hp: {"x": hp.Choice("x", [0.5, 3.0], default=3.0)}
    )
    monkeypatch.setitem(fake_recipe.SPACES["fake"], "line", wide)
    assert search("--max-trials", 2) == 0
    refused, good = trials(tmp_path / "out")
    assert (refused["status"], refused["reason"]) == ("FAILED", "--set x: must be from 0 to 1, got 3.0")
    assert (good["status"], good["score"]) == ("COMPLETED", "0.5")


def test_a_trial_over_its_time_is_ended(search, tmp_path):
    assert search("--max-trials", 1, "--set", "kind=slow", "--trial-time", 0.3) == 2
    (row,) = trials(tmp_path / "out")
    assert row["reason"] == "--trial-time: trained longer than 0.3 s"
    assert float(row["seconds"]) < 10


def test_where_all_fail_the_end_is_one_line(search, tmp_path, capsys):
    assert search("--space", "hopeless", "--max-trials", 50) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: all 10 trials failed; the first: the loss is not a number")
    assert "\n" not in error
    assert len(trials(tmp_path / "out")) == 10
    assert not (tmp_path / "out" / "best.json").exists()


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "bayesian"])
def test_a_space_of_three_has_three_trials(search, tmp_path, capsys, algorithm):
    assert search("--space", "small", "--max-trials", 30, "--algorithm", algorithm, "--set", "epochs=1") == 0
    assert "fewer trials than asked for, because no other settings were found" in capsys.readouterr().out
    assert sorted(float(row["x"]) for row in trials(tmp_path / "out")) == [0.25, 0.5, 0.75]


def test_trainings_of_a_trial_are_averaged(search, tmp_path):
    assert search("--max-trials", 2, "--executions", 3) == 0
    first = trials(tmp_path / "out")[0]
    assert float(first["score"]) == pytest.approx(0.51)  # 0.50, 0.51 and 0.52
    assert float(first["sd"]) == pytest.approx(0.01)


@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband"])
def test_other_algorithms_resume_too(search, tmp_path, algorithm):
    calls = tmp_path / "calls"
    for count in (7, 12):
        assert search("--algorithm", algorithm, "--max-trials", count, "--set", f"calls={calls}") == 0
    assert len(calls.read_text().splitlines()) == len(trials(tmp_path / "out")) == 12
    best = json.loads((tmp_path / "out" / "best.json").read_text())
    assert best["score"] > 0.7
    if algorithm == "hyperband":  # most trials are short, the best of them again and longer
        epochs = [one["settings"]["epochs"] for one in state(tmp_path / "out")["records"].values()]
        assert min(epochs) == 1
        assert max(epochs) > 1


def test_hyperband_goes_on_from_the_shorter_trial_where_the_schedule_allows(search, tmp_path):
    for space, sets in (("line", ()), ("continuing", ()), ("continuing", ("--executions", 2))):
        out = tmp_path / f"{space}{len(sets)}"
        assert search("--algorithm", "hyperband", "--max-trials", 11, "--space", space, *sets, out=out) == 0
        kept = state(out)
        trained = {one["trial_id"]: kept["records"][one["trial_id"]]["metrics"]["epochs"] for one in kept["trials"]}
        longer = [one for one in kept["trials"] if "tuner/trial_id" in one["values"]]
        assert longer
        for one in longer:
            before = one["values"]["tuner/initial_epoch"] if space == "continuing" else 0
            assert trained[one["trial_id"]] == one["values"]["tuner/epochs"] - before
        assert bool(list(out.rglob("checkpoint"))) == (space == "continuing")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--space", "failing"), "space (line, now failing)"),
        (("--algorithm", "bayesian"), "algorithm (random, now bayesian)"),
        (("--seed", 5), "seed (0, now 5)"),
        (("--set", "y=0.5"), "config: y"),
        (("--executions", 2), "executions (1, now 2)"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(search, tmp_path, capsys, words, what):
    assert search("--max-trials", 1) == 0
    before = state(tmp_path / "out")
    capsys.readouterr()
    assert search("--max-trials", 2, *words) == 2
    assert f"holds a search with another value of {what}; give another --out" in capsys.readouterr().err
    assert state(tmp_path / "out") == before


def test_a_space_that_fixes_something_else_is_another_search(search, monkeypatch, tmp_path, capsys):
    assert search("--max-trials", 1) == 0
    changed = dataclasses.replace(
        fake_recipe.SPACES["fake"]["line"], suggest=lambda hp: {**fake_recipe.line(hp), "y": 1.0}
    )
    monkeypatch.setitem(fake_recipe.SPACES["fake"], "line", changed)
    assert search("--max-trials", 1) == 2
    assert "another value of defaults: y;" in capsys.readouterr().err
    wider = dataclasses.replace(changed, suggest=lambda hp: {"x": hp.Float("x", 0.0, 0.9, default=0.5)})
    monkeypatch.setitem(fake_recipe.SPACES["fake"], "line", wider)
    assert search("--max-trials", 1) == 2
    assert "another value of hyperparameters: x;" in capsys.readouterr().err


def test_what_a_kill_left_unwritten_is_made_up_for(search, tmp_path):
    assert search("--max-trials", 3) == 0
    whole = {name: (tmp_path / "out" / name).read_bytes() for name in ("best.json", "trials.csv")}
    (tmp_path / "out" / "best.json").unlink()
    (tmp_path / "out" / "trials.csv").write_text("trial\n")
    assert search("--max-trials", 3) == 0
    assert {name: (tmp_path / "out" / name).read_bytes() for name in whole} == whole


def test_what_a_kill_left_half_written_goes(search, tmp_path):
    assert search("--max-trials", 2) == 0
    half, fresh = (files.beside(tmp_path / "out" / name) for name in ("search.json", "parallel.png"))
    own = tmp_path / "out" / "notes.partial"
    for path in (half, fresh, own):
        path.write_text("{")
    for path, age in ((half, 60), (fresh, -60)):
        os.utime(path, (time.time() - age, time.time() - age))
    assert search("--max-trials", 3) == 0
    assert not half.exists() and own.exists()
    assert fresh.exists()  # `--show` may be writing it


def test_other_data_in_the_same_folder_are_refused(search, photos, tmp_path, capsys):
    assert search("--max-trials", 1) == 0
    for path in photos.rglob("*.png"):
        target = tmp_path / "other" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert search("--max-trials", 1, data=tmp_path / "other") == 0  # the same pictures elsewhere
    target.unlink()
    assert search("--max-trials", 1, data=tmp_path / "other") == 2
    assert "holds a search with another value of data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--algorithm", "grid"), "--algorithm: 'grid' is not one of random, bayesian, hyperband"),
        (("--space", "circle"), "--space: 'circle' is not one of line, continuing, failing, small, hopeless"),
        (("--objective", "test_accuracy"), "--objective: 'test_accuracy' is not one of val_macro_recall"),
        (("--max-trials", "0"), "--max-trials: must be from 1 to"),
        (("--seed", "-1"), "--seed: must be from 0 to"),
        (("--trial-time", "0"), "--trial-time: must be above 0 seconds"),
        (("--trial-time", "inf"), "--trial-time: must be above 0 seconds"),
        (("--set", "val_is_test=True"), "a search must not choose by test images"),
        (("--set", "z=1"), "--set z=1"),
        (("--set", "x=3"), "x: must be from 0 to 1"),
        (("--set", "x=0.5"), "leaves nothing to search over in the space line"),
        (("--max-params", "many"), "many"),
        (("--data", "/nowhere"), "/nowhere"),
        (("--show", "/nowhere"), "/nowhere: does not hold a search"),
    ],
)
def test_wrong_words_are_one_line(search, capsys, words, complaint):
    assert search(*words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert complaint in error
    assert "\n" not in error


def test_an_unknown_recipe_lists_the_known(capsys):
    from kfg.search.command import main

    assert main(["cub300", "--data", "x", "--out", "y"]) == 2
    assert "RECIPE: 'cub300' is not one of imagenet20, folder" in capsys.readouterr().err


def test_folders_that_cannot_be_written_are_said_before_anything_is_tried(search, tmp_path, capsys):
    (tmp_path / "file").touch()
    for words in (("--out", tmp_path / "file" / "x"), ("--cache", tmp_path / "file" / "x")):
        assert search(*words) == 2
        assert capsys.readouterr().err == f"error: {words[0]} {words[1]}: Not a directory\n"


def test_a_worker_that_fails_every_trial_ends():
    told = Told("w")
    for _ in range(2):
        for number in range(Told.PATIENCE - 1):
            told(str(number), {"reason": "no room", "scores": None, "seconds": 1.0})
        told("x", {"reason": "", "scores": [0.5], "seconds": 1.0})
    with pytest.raises(InputError, match="10 trials failed in a row; the last one: no room"):
        for number in range(Told.PATIENCE):
            told(str(number), {"reason": "no room", "scores": None, "seconds": 1.0})


def test_a_finished_search_is_shown(search, tmp_path, capsys):
    assert search("--space", "failing", "--max-trials", 8, "--seed", 1) == 0
    capsys.readouterr()
    assert search("--show", tmp_path / "out") == 0
    assert command.main(["--show", str(tmp_path / "out")]) == 0  # the recipe is not asked for
    assert command.main(["--data", "demo"]) == 2
    said = capsys.readouterr().out
    assert "RuntimeError: a defect" in said
    assert "8 trials, " in said


def test_without_arguments_it_lists_the_searches_and_runs_a_small_one_on_drawn_images(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command, "search", lambda args, spaces: asked.append(args) or 0)
    assert command.main([]) == 0
    (args,) = asked
    assert (args.recipe, args.space, args.data, args.max_trials) == ("folder", "head", "demo", 4)
    said = capsys.readouterr().out
    for recipe, spaces in SPACES.items():
        assert all(f"  {recipe} --space {name}: " in said for name in spaces)
    assert "python -m kfg.search folder --space head --data DIR --out search" in said
    assert "less than five minutes" in said and "built-in demo images" in said
    assert command.parser().parse_args(shlex.split(said.split("python -m kfg.search ")[2].splitlines()[0])) == args
