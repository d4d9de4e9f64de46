"""Temperatures and calibration errors whose right values are known."""

import numpy as np
import pytest

from kfg.evaluation import calibration


@pytest.fixture
def rng():
    """Return a generator for one test, so that what it draws does not depend on which tests ran before."""
    return np.random.default_rng(0)


def drawn(rng, count, sharpness):
    """Return answers that are `sharpness` times too sure, and labels drawn from what they should have been."""
    logits = rng.normal(size=(count, 5)) * 2
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((count, 1)) > true.cumsum(axis=1)).sum(axis=1)
    said = np.exp(logits * sharpness)
    return (said / said.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_the_temperature_by_which_answers_were_made_too_sure_is_found(rng):
    for sharpness in (0.5, 3.0):
        answers, labels = drawn(rng, 5_000, sharpness)
        assert abs(calibration.temperature(answers, labels) / sharpness - 1) < 0.1
        before, after = (
            calibration.of_answers(one, labels) for one in (answers, calibration.calibrated(answers, labels))
        )
        assert after["value"] < 0.025 < 0.08 < before["low"] <= before["value"] <= before["high"]


def test_weights_count_as_so_many_images(rng):
    answers, labels = drawn(rng, 300, 2.0)
    times = rng.integers(1, 4, 300)
    repeated = calibration.temperature(np.repeat(answers, times, axis=0), np.repeat(labels, times))
    assert calibration.temperature(answers, labels, weights=times) == repeated


def test_a_few_right_answers_do_not_make_a_model_certain():
    few = np.array([[0.8, 0.2]] * 4), np.zeros(4, int)
    many = np.array([[0.8, 0.2]] * 4000), np.zeros(4000, int)
    assert calibration.temperature(*many) < 0.2 < 0.5 < calibration.temperature(*few) < 1
    nothing = np.zeros((0, 2)), np.zeros(0, int)
    assert abs(calibration.temperature(*nothing, expected=2.0) - 2) < 0.05


def test_the_error_is_the_mean_gap_and_its_interval_holds_what_other_images_give(rng):
    gap = calibration.expected_error(np.array([0.5] * 10 + [0.95] * 10), [True] * 9 + [False] + [True] * 10)
    assert abs(gap["value"] - (0.5 * 0.4 + 0.5 * 0.05)) < 1e-12
    for sharpness, large in ((1.6, calibration.of_answers(*drawn(rng, 50_000, 1.6))["value"]), (1.0, 0.0)):
        errors = [calibration.of_answers(*drawn(rng, 400, sharpness)) for _ in range(40)]
        assert sum(error["low"] <= large <= error["high"] for error in errors) >= 34, sharpness
        assert (sum(error["low"] > 0 for error in errors) > 34) == (sharpness > 1)


def test_bins_count_every_image_once_also_at_the_ends():
    bins = calibration.reliability(np.array([0.0, 1.0, 1.0, 0.5]), [False, True, True, True])
    assert [one.images for one in bins] == [1, 1, 2] and bins[-1].said == 1
    assert all(one.low <= one.right <= one.high for one in bins)
