"""A rise with the number of photographs is claimed only where the figures support it."""

import dataclasses

import numpy as np
import pytest
from test_repair import CLASSES, EACH, TRUE, index_of, separable

from kfg.evaluation.intervals import wilson
from kfg.repairing import causes, needs
from kfg.repairing.crossed import Crossed
from kfg.repairing.manner import Manner
from kfg.training.losses import CrossEntropy


def curves(recalls, *, images=44, clear=False):
    """Return what is known of one class with these recalls."""
    recall = np.array(recalls)[:, None]
    low, high = wilson(np.round(recall[-1] * images), np.array([images]))
    expected = np.stack([recall[-1], 1 - (1 - high) / 2], axis=1)
    return needs.Needs(("wren",), np.array([images]), recall, low, high, (0.0, 1.0), expected, np.array([clear]))


@pytest.mark.parametrize(
    "better, worse, same, clear",
    [(4, 0, 40, False), (5, 0, 40, True), (6, 4, 34, False), (7, 1, 3, True), (9, 3, 0, False), (10, 2, 0, True)],
)
def test_a_rise_is_clear_if_so_many_more_got_better_than_worse(better, worse, same, clear):
    right = np.array([[0, 1]] * better + [[1, 0]] * worse + [[1, 1]] * same, np.float32)
    alone, labels = np.arange(len(right)), np.zeros(len(right), int)
    assert needs.clear_rises(right, labels, alone, 2).tolist() == [clear, False]
    assert not needs.clear_rises(right[:, ::-1], labels, alone, 2)[0]  # a fall is no rise


def test_near_duplicates_are_one_photograph_that_got_better():
    right = np.tile(np.array([0, 1], np.float32), (10, 1))
    assert needs.clear_rises(right, np.zeros(10, int), np.arange(10), 1)[0]
    assert not needs.clear_rises(right, np.zeros(10, int), np.repeat([0, 1], 5), 1)[0]


def cause_of(curve):
    labels = np.zeros(44, int)
    answers = np.eye(1, dtype=np.float32)[labels]
    crossed = Crossed(dataclasses.replace(index_of(labels), classes=("wren",)), answers, answers)
    return causes.still_rising(causes.Evidence(crossed, None, None, curve, weak=(0,)), 0)


def test_figures_that_go_up_and_down_are_not_called_a_rise():
    flat = [0.80, 0.82, 0.77, 0.81, 0.84]
    assert cause_of(curves(flat)) is None
    assert "80, 82, 77, 81 and 84% of this class, which is no clear rise" in curves(flat).said(0)
    rising = curves([0.50, 0.62, 0.70, 0.77, 0.84], clear=True)
    assert cause_of(rising).said == (
        "its recall still rises with the number of photographs, from 50% for classifiers that learn from a fifth of "
        "them to 84% for those that learn from all"
    )
    assert "which is a rise beyond chance" in rising.said(0)
    ended = curves([0.50, 0.70, 0.82, 0.83, 0.84], clear=True)  # it rose, but no longer does
    assert cause_of(ended) is None


def test_a_range_that_begins_at_today_is_said_to_be_at_most_its_end():
    found = curves([0.80, 0.82, 0.77, 0.81, 0.84])
    high = f"{100 * found.expected[0, 1]:.0f}"
    assert found.range(0) == f"at most {high}"
    assert found.said(0).endswith(f"twice as many photographs of every class may bring nothing, and at most {high}%")
    more = dataclasses.replace(found, expected=np.array([[0.88, 0.95]]))
    assert more.range(0) == "88 to 95" and more.said(0).endswith("would raise it to between 88 and 95%")
    full = curves([1.0] * 5)
    full = dataclasses.replace(full, expected=np.array([[1.0, 1.0]]))
    assert full.said(0).endswith("would bring next to nothing")


def test_the_measured_curve_says_whether_each_class_rises():
    noisy = separable(TRUE)
    noisy[:EACH] = np.random.default_rng(3).normal(0, 1, (EACH, 64))  # ants look like nothing
    found = needs.measured(index_of(TRUE), noisy, Manner(CrossEntropy()))
    assert found.clear.shape == (len(CLASSES),) and found.as_json(0)["clear rise"] is bool(found.clear[0])
    assert [line.split()[-4] for line in needs.table(found).splitlines()[1:]].count("yes") == found.clear.sum()
