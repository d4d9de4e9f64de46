"""Paper beside ours: every recipe's rows, its errata, and what was measured."""

import json
import subprocess
import sys

import pytest

from kfg import recipes
from kfg.errors import InputError
from kfg.runs import comparison, results_file


def result(row, top1, **changes):
    metrics = {"top1": {"value": top1}, "loss": {"value": 1.5}}
    return {
        "recipe": "fruit3",
        "row": row,
        "data": {"name": "mine"},
        "config": {"epochs": 2},
        "metrics": metrics,
    } | changes


@pytest.mark.parametrize("name", recipes.NAMES)
def test_every_row_and_erratum_is_listed_before_anything_is_measured(name, tmp_path):
    recipe = recipes.named(name)
    text = comparison.study_table(recipe, tmp_path)
    lines = [line for line in text.splitlines() if line.endswith(comparison.NONE_YET)]
    assert [line.split()[0] for line in lines] == list(recipe.rows)
    assert recipe.caveat in text and text.count("\n- ") == len(recipe.errata)
    assert len({line.index(comparison.NONE_YET) for line in lines}) == 1  # in one column


def test_only_runs_of_equal_settings_are_averaged(tmp_path):
    rows = [result("cnn", 0.7), result("cnn", 0.8), result("cnn", 0.1, config={"epochs": 1})]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = comparison.study_table(recipes.named("fruit3"), tmp_path)
    assert "74.55" in text and "75.00 ± 7.07 (n = 2), 1.500, mine, epochs 2" in text and "10.00 (n = 1)" in text


def test_an_unknown_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match="recipe: 'fruit4' is unknown; did you mean fruit3"):
        recipes.named("fruit4")


def run(seed, **changes):
    """A row as a run records it."""
    return {**result("cnn", 0.7), "seed": seed, "fold": None, "folds": 1, "precision": "float32", **changes}


RECORD = """
import json, sys
from kfg.runs import results_file
for seed in range(int(sys.argv[2]), 200, 4):
    row = json.loads(sys.argv[3]) | {"seed": seed}
    results_file.append(sys.argv[1] + "/results.jsonl", row)
    results_file.append(sys.argv[1] + "/results.jsonl", row)  # a finished run that is called again
"""


def test_four_processes_lose_no_row_and_double_none(tmp_path):
    words = [(str(tmp_path), str(start), json.dumps(run(0))) for start in range(4)]
    processes = [subprocess.Popen([sys.executable, "-c", RECORD, *one]) for one in words]
    assert [process.wait() for process in processes] == [0] * 4
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["seed"] for line in lines) == list(range(200))
    assert results_file.read(tmp_path) == [json.loads(line) for line in lines]


@pytest.mark.parametrize("end", range(-150, 0, 7))
def test_a_row_that_a_kill_cut_is_named_and_costs_no_other(end, tmp_path, caplog):
    path = tmp_path / "results.jsonl"
    for seed in (0, 1):
        results_file.append(path, run(seed))
    path.write_bytes(path.read_bytes()[:end])
    assert [row["seed"] for row in results_file.read(tmp_path)] == [0]
    assert [message.partition(":")[2].split(" (")[0] for message in caplog.messages] == ["2: this row is not complete"]
    for seed in (1, 2):
        results_file.append(path, run(seed))
    assert [row["seed"] for row in results_file.read(tmp_path)] == [0, 1, 2]


def test_the_newest_row_of_equal_settings_counts(tmp_path):
    path = tmp_path / "results.jsonl"
    rows = [run(0, commit="a"), run(1), run(0, commit="b"), run(0, config={"epochs": 3}), run(0, init_from_sha256="c")]
    for row in [*rows, rows[1]]:
        results_file.append(path, row)
    assert len(path.read_text().splitlines()) == 5  # nothing is taken away, nothing written twice
    assert results_file.read(path) == rows[1:]


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[1]", b"{}", b'"row"', b"null", b"[" * 100_000, b'{"recipe": "fruit3"}']
)
def test_lines_that_are_no_rows_are_named_and_passed_over(line, tmp_path, caplog):
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\n".join([json.dumps(run(0)).encode(), line, json.dumps(run(1)).encode(), b""]))
    assert [row["seed"] for row in results_file.read(path)] == [0, 1]
    assert len(caplog.messages) == 1 and "results.jsonl:2: this row is not complete" in caplog.messages[0]


def test_a_last_row_without_an_end_of_line_is_whole(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(run(0)))  # an editor's doing
    results_file.append(path, run(1))
    assert [row["seed"] for row in results_file.read(path)] == [0, 1]


def chose(row, top1, *, epochs, why="as many as the time budget holds", views=2, kept="the whole net", **changes):
    made = {
        "classes": {"treatment": "none", "why": "as the settings say"},
        "head": {"views": views, "epochs": 40, "why": "as the settings say", "seconds expected": 12},
        "whole net": {"epochs": epochs, "why": why, "seconds per epoch": round(100 * top1)},
        "end": {"kept": kept},
    }
    return result(row, top1, recipe="folder", config={"epochs": 8, "time_budget": 720.0}, choices=made, **changes)


def test_runs_that_chose_otherwise_are_not_averaged_and_what_differs_is_named(tmp_path):
    rows = [chose("transfer", 0.7, epochs=3), chose("transfer", 0.8, epochs=3), chose("transfer", 0.1, epochs=2)]
    assert [len(group) for group in comparison.by_settings(rows)] == [2, 1]  # seconds and reasons make no other group
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = comparison.study_table(recipes.named("folder"), tmp_path)
    assert "75.00 ± 7.07 (n = 2), 1.500, mine, epochs of the whole net 3 (decided by the clock)" in text
    assert "10.00 (n = 1), 1.500, mine, epochs of the whole net 2 (decided by the clock)" in text
    assert "epochs 8" not in text


def test_what_the_clock_or_the_treatment_changes_makes_another_group_and_what_validation_chose_does_not():
    usual = chose("transfer", 0.7, epochs=8, why="as many as are set")
    late, fewer = chose("transfer", 0.7, epochs=3), chose("transfer", 0.7, epochs=8, why="as many as are set")
    fewer["choices"]["head"] |= {"views": 1, "why": "2 do not fit into the time budget"}
    treated = chose("transfer", 0.7, epochs=8, why="as many as are set")
    treated["choices"]["classes"]["treatment"] = "adjusted"
    stored, unheard = (chose("transfer", 0.7, epochs=3) for _ in range(2))
    stored["choices"]["whole net"]["after"] = "block5"
    unheard["choices"]["second opinion"] = {"trunk": "", "why": "it would take 9 min, half of the time budget"}
    heard = chose("transfer", 0.7, epochs=3)
    heard["choices"]["second opinion"] = {"trunk": "lite2", "why": "as the settings say"}
    told = {}
    for other in (stored, unheard):
        groups = comparison.by_settings([heard, other])
        assert [len(group) for group in groups] == [1, 1]
        told |= dict(zip(("heard", "other"), comparison.differences(groups), strict=True))
        assert told["other"].endswith(" (decided by the clock)") and not told["heard"]
    assert told["other"] == "second opinion none (decided by the clock)"
    for other in (late, fewer, treated):
        groups = comparison.by_settings([usual, other])
        assert [len(group) for group in groups] == [1, 1]
        assert any(comparison.differences(groups)) and comparison.differences(groups[:1]) == [""]
    # seeds of one command, some of which kept the head: one procedure, one mean
    head = chose("transfer", 0.7, epochs=8, why="as many as are set", kept="the head")
    idle = chose("transfer", 0.7, epochs=0, why="the head errs too rarely for a gain to show", kept="the head")
    assert [len(group) for group in comparison.by_settings([usual, head, idle])] == [3]


def test_rows_without_choices_are_read_and_told_by_the_epochs_they_took(tmp_path):
    config = {"epochs": 8, "time_budget": 720.0}
    rows = [result("transfer", 0.9, recipe="folder", config=config, epochs=n) for n in (4, 4, 2)]
    assert [len(group) for group in comparison.by_settings(rows)] == [2, 1]
    early = [result("cnn", 0.7, epochs=n) for n in (11, 13)]  # stopped early: no clock in it
    assert len(comparison.by_settings(early)) == 1


def test_each_data_sets_own_results_are_compared_too(tmp_path, capsys):
    row = {"recipe": "folder", "row": "transfer", "seed": 0, "data": {"name": "gulls"}, "config": {}}
    row["metrics"] = {"top1": {"value": 0.75}, "loss": {"value": 0.5}}
    (tmp_path / "gulls").mkdir()
    (tmp_path / "gulls" / "results.jsonl").write_text(json.dumps(row) + "\n")
    assert "75.00 (n = 1), 0.500, gulls" in comparison.study_table(recipes.named("folder"), tmp_path)
