"""The points of the parameter-accuracy picture, and that it draws them."""

import types

import pytest

from kfg.figures import drawing, tradeoff_figure

STUDY = {"top1": 0.7337, "parameters": 4_263_748, "trained": 1_010_200}
ROWS = {
    "study": types.SimpleNamespace(reported=STUDY),
    "as-good": types.SimpleNamespace(reported=STUDY),
    "uncounted": types.SimpleNamespace(reported={"top1": 0.7}),
    "ours": types.SimpleNamespace(reported={}),
}


def result(row, top1, low=0.0, high=1.0):
    return {
        "row": row,
        "parameters": {"total": 5_000_000, "trained": 2_000_000},
        "data": {"name": "birds"},
        "metrics": {"top1": {"value": top1, "low": low, "high": high}},
    }


GROUPS = [[result("study", 0.8, 0.7, 0.9)], [result("ours", 0.6), result("ours", 0.7)]]


def points():
    return tradeoff_figure.points_of(GROUPS, ROWS, parameters=("parameters", "trained"))


def test_the_studys_figures_and_ours_are_points_of_their_own():
    study, other, one_run, two_runs = points()
    assert study == {
        "name": "study",
        "total": 4_263_748,
        "trained": 1_010_200,
        "top1": 0.7337,
        "low": None,
        "high": None,
        "data": None,
    }
    assert other["name"] == "as-good" and one_run["name"] == "study"
    assert one_run["total"] == 5_000_000 and (one_run["low"], one_run["high"]) == (0.7, 0.9)
    assert two_runs["data"] == "birds" and two_runs["top1"] == pytest.approx(0.65)
    assert two_runs["high"] - 0.65 == pytest.approx(0.0707, abs=1e-4)  # one standard deviation


def test_the_picture_shows_every_point_with_its_name_and_the_budget(tmp_path):
    figure = tradeoff_figure.draw(points(), budget=10_000_000)
    left, right = figure.axes
    for axes in (left, right):
        assert [text.get_text() for text in axes.texts].count("study") == 2
        assert {"as-good", "ours"} <= {text.get_text() for text in axes.texts}
        at = {text.get_text(): text.xyann[1] for text in axes.texts if text.get_text() in ("as-good", "ours")}
        assert at["as-good"] < 0 == at["ours"]  # two names at one place are written below each other
    assert "budget" in {text.get_text() for text in left.texts} and 10.0 in left.lines[-1].get_xdata()
    assert [text.get_text()[:14] for text in figure.legends[0].texts] == ["ours, on birds", "the study's"]
    drawing.save(figure, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5_000
