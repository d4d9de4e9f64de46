"""The points of the parameter-accuracy picture, and that it draws them."""

import types

import pytest

from kfg.evaluation import figures, tradeoff_figure

STUDY = {"top1": 0.7337, "parameters": 4_263_748, "trained": 1_010_200}
ROWS = {
    "run": types.SimpleNamespace(reported=STUDY),
    "not-run": types.SimpleNamespace(reported=STUDY),
    "ours": types.SimpleNamespace(reported={}),
    "nothing": types.SimpleNamespace(reported={}),
}


def result(row, top1, low=0.0, high=1.0):
    return {
        "row": row, "parameters": {"total": 5_000_000, "trained": 2_000_000},
        "metrics": {"top1": {"value": top1, "low": low, "high": high}},
    }  # fmt: skip


RESULTS = [result("run", 0.8, 0.7, 0.9), result("ours", 0.6), result("ours", 0.7)]


def test_a_row_is_a_point_if_it_was_run_or_the_study_has_a_figure():
    points = tradeoff_figure.points_of(RESULTS, ROWS, parameters=("parameters", "trained"))
    by_name = {point["name"]: point for point in points}
    assert list(by_name) == ["run", "not-run", "ours"]
    assert by_name["run"]["total"] == 5_000_000 and (by_name["run"]["low"], by_name["run"]["high"]) == (0.7, 0.9)
    assert by_name["not-run"]["total"] == 4_263_748 and by_name["not-run"]["top1"] is None
    assert by_name["ours"]["runs"] == 2 and by_name["ours"]["top1"] == pytest.approx(0.65)
    assert by_name["ours"]["high"] - 0.65 == pytest.approx(0.0707, abs=1e-4)  # one standard deviation


def test_the_picture_shows_every_point_with_its_name_and_the_budget(tmp_path):
    points = tradeoff_figure.points_of(RESULTS, ROWS, parameters=("parameters", "trained"))
    figure = tradeoff_figure.draw(points, budget=10_000_000)
    left, right = figure.axes
    for axes in (left, right):
        assert {"run", "not-run", "ours"} <= {text.get_text() for text in axes.texts}
    assert "budget" in {text.get_text() for text in left.texts} and 10.0 in left.lines[-1].get_xdata()
    figures.save(figure, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5_000
