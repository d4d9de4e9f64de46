"""Intervals of macro recall and macro F1: what they hold, and their width where everything is right."""

import numpy as np
import pytest
import sklearn.metrics

from kfg.evaluation import macro
from kfg.evaluation.intervals import wilson


def drawn(rng, sizes, recall):
    """Return a confusion matrix of models whose errors fall on the other classes alike."""
    matrix = np.zeros((len(sizes), len(sizes)), int)
    for c, size in enumerate(sizes):
        right = rng.binomial(size, recall)
        others = rng.multinomial(size - right, [1 / (len(sizes) - 1)] * (len(sizes) - 1))
        matrix[c] = np.insert(others, c, right)
    return matrix


@pytest.mark.parametrize("figure", [macro.recall, macro.f1])
@pytest.mark.parametrize("count, size", [(2, 3), (3, 20), (100, 5)])
def test_where_all_is_right_the_interval_is_that_of_as_many_images_all_right(figure, count, size):
    found = figure(np.diag([size] * count))
    assert found["value"] == found["high"] == 1
    assert found["low"] == pytest.approx(wilson(count * size, count * size)[0])


@pytest.mark.parametrize("figure", [macro.recall, macro.f1])
def test_where_all_is_wrong_too(figure):
    found = figure(np.array([[0, 8], [8, 0]]))
    assert found["value"] == found["low"] == 0 and found["high"] == pytest.approx(wilson(0, 16)[1])


def test_a_class_of_one_image_makes_it_wide():
    assert macro.recall(np.diag([100, 1]))["low"] < 0.55
    assert macro.recall(np.diag([100, 100]))["low"] > 0.95


def test_classes_without_images_are_left_out():
    matrix = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    assert macro.recall(matrix) == macro.recall(matrix[:2, :2])
    assert macro.f1(matrix) == macro.f1(matrix[:2, :2])


def test_values_are_scikit_learn_s():
    rng = np.random.default_rng(0)
    matrix = drawn(rng, rng.integers(1, 20, 30), 0.7)
    true, guess = np.nonzero(matrix)
    labels, guesses = np.repeat(true, matrix[true, guess]), np.repeat(guess, matrix[true, guess])
    assert macro.recall(matrix)["value"] == pytest.approx(sklearn.metrics.balanced_accuracy_score(labels, guesses))
    assert macro.f1(matrix)["value"] == pytest.approx(sklearn.metrics.f1_score(labels, guesses, average="macro"))


@pytest.mark.parametrize("count, size", [(3, 5), (3, 20), (20, 5), (100, 5)])
@pytest.mark.parametrize("recall", [0.5, 0.9, 1.0])
def test_it_holds_the_truth_about_as_often_as_it_says(count, size, recall):
    rng = np.random.default_rng(count * size)
    tests = [drawn(rng, [size] * count, recall) for _ in range(300)]
    for figure, least in ((macro.recall, 0.92), (macro.f1, 0.9)):  # errors fall on all classes alike: F1 is the recall
        held = [found["low"] <= recall <= found["high"] for found in map(figure, tests)]
        assert least <= np.mean(held), figure
    widths = [found["high"] - found["low"] for found in map(macro.recall, tests)]
    assert 0 < np.mean(widths) < 4.5 * np.sqrt(max(recall * (1 - recall), 0.12) / (count * size))  # not for width alone


def test_lopsided_classes_of_one_to_sixteen_images():
    rng, sizes = np.random.default_rng(0), np.arange(258) % 16 + 1
    found = [macro.recall(drawn(rng, sizes, 0.7)) for _ in range(200)]
    assert 0.92 <= np.mean([one["low"] <= 0.7 <= one["high"] for one in found]) <= 1
