"""What a search shows: axes, what mattered, table and page."""

import math

import pytest
from reading import state

from kfg.search import importance, page, table


def row(trial, score, **values):
    status = "COMPLETED" if score is not None else "FAILED"
    metrics = {"val_loss": score}
    told = {"settings": values, "metrics": metrics, "scores": [score], "seconds": 1.0, "worker": "local"}
    return {"trial": trial, "status": status, "score": score, "values": values, "reason": "", "traceback": "", **told}


def test_a_value_lies_on_its_axis_and_none_does_not():
    assert importance.Axis("kind", choices=("a", "b", "c")).at("b") == 0.5
    assert importance.Axis("rate", low=1e-4, high=1e-2, log=True).at(1e-3) == pytest.approx(0.5)
    assert importance.Axis("count", low=2, high=6).at(3) == 0.25
    assert math.isnan(importance.Axis("count").at(None))


def test_what_mattered_is_found_and_what_did_not_is_not():
    along = [importance.Axis("x"), importance.Axis("y"), importance.Axis("z")]
    found = [row(str(i), (i % 10) / 10, x=(i % 10) / 10, y=(i * 7 % 13) / 13, z=(i * 5 % 11) / 11) for i in range(60)]
    rows, fit = importance.importance(found, along)
    assert rows[0][0] == "x"
    assert rows[0][1] > 1 > 0.05 > rows[1][1]  # shuffling the one cause costs more than all variance
    assert fit > 0.8
    assert importance.importance(found[: importance.FEWEST - 1], along) is None


def test_best_follows_the_direction_and_skips_what_failed():
    found = [row("0", None), row("1", 0.5), row("2", 0.7), row("3", 0.5)]
    assert table.best(found, "max")["trial"] == "2"
    assert table.best(found, "min")["trial"] == "1"
    assert table.best(found[:1], "max") is None


def test_the_page_is_one_file_with_trials_reasons_and_pictures(search, tmp_path, capsys):
    assert search("--space", "failing", "--max-trials", 20, "--seed", 1) == 0
    out = tmp_path / "out"
    content = (out / page.PAGE).read_text()
    assert content.count("data:image/png") == 2  # lines and progress; too few completed for what mattered
    assert "Not judged" in content
    assert "RuntimeError: a defect" in content
    assert "in run\n" in content  # the traceback
    assert "http" not in content.replace("http-equiv", "")
    assert len(state(out)["trials"]) == 20
    capsys.readouterr()
    (out / page.PAGE).unlink()
    assert search("--show", out) == 0
    assert f"page: {out / page.PAGE}" in capsys.readouterr().out
    assert (out / page.PAGE).read_text() == content


def test_hyperbands_epochs_are_an_axis(search, tmp_path):
    assert search("--algorithm", "hyperband", "--max-trials", 14) == 0
    kept = table.read(tmp_path / "out")[1]
    found = table.rows(kept)
    names = [axis.name for axis in importance.axes(kept, found)]
    assert names == ["x", "epochs"]
    assert (tmp_path / "out" / page.IMPORTANCE).is_file()


SETTINGS = {"objective": ["val_macro_recall", "max"], "recipe": "folder", "row": "head"}


def scored(trial, score, learned=1.0):
    found = row(trial, score, x=0.5)
    metrics = {"val_macro_recall": score, "val_accuracy": score, "val_images": 16, table.LEARNED: learned}
    return {**found, "metrics": metrics}


def test_a_tie_is_called_a_tie_and_has_no_best(tmp_path):
    found = [scored("0", 1.0), scored("1", 0.9), scored("2", 1.0), scored("3", 1.0)]
    said = table.summary(found, SETTINGS)
    assert "3 trials are equally good (trials 0, 2 and 3): val_macro_recall 1.0000; the first is used" in said
    text = page._result(SETTINGS, found)
    assert "3 trials are equal" in text and "these validation images cannot tell them apart" in text
    assert "best: trial 1" in table.summary(found[1:2], SETTINGS)


def test_a_share_of_one_has_an_interval_and_no_error_of_nothing():
    text = page._result(SETTINGS, [scored("0", 1.0)])
    assert "standard error" not in text and "0.000" not in text
    assert "interval from 0.806 to 1.000" in text  # Wilson of 16 of 16


def test_a_search_whose_nets_all_name_one_class_is_called_that():
    found = [scored("0", 0.2, learned=0.0), scored("1", 0.25, learned=0.0)]
    assert table.warnings(found, "max")[0].startswith("None of the 2 completed trials is better")
    found.append(scored("2", 0.1, learned=1.0))
    assert table.warnings(found, "max")[0].startswith("The best trial, 1, is no better")
    assert table.warnings([scored("0", 0.9)], "max") == []
    assert table.warnings([row("0", 0.9, x=1)], "max") == []  # of an earlier version: not known
