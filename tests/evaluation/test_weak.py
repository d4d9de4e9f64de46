"""The rule by which a class is called weak, and what it calls weak by chance."""

import numpy as np
import pytest

from kfg.evaluation import weak
from kfg.evaluation.intervals import wilson


@pytest.mark.parametrize("images, recall", [(10, 0.95), (20, 0.95), (30, 0.9), (100, 0.99)])
def test_the_share_that_chance_calls_weak_is_that_of_simulated_classes(images, recall):
    right = np.random.default_rng(0).binomial(images, recall, 200_000)
    _, high = wilson(right, np.full(len(right), images))
    simulated = weak.weak(high, np.full(len(right), images), recall).mean()
    told = weak.by_chance([images] * 400, recall)
    assert abs(float(told.split("about ")[1].split(" of")[0]) - 400 * simulated) < 0.8


def test_classes_that_are_not_judged_are_not_counted():
    told = weak.by_chance([9] * 100 + [20] * 50, 0.9)
    assert told == weak.by_chance([20] * 50, 0.9) and "all 50 classes" in told
    assert weak.by_chance([], 0.9) == weak.by_chance([9] * 100, 0.9) == ""
