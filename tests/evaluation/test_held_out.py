"""What thresholds found on some images promise for others."""

import numpy as np
import pytest

from kfg.evaluation.held_out import HeldOut, alike, highest


@pytest.fixture
def rng():
    """Return a generator for one test, so that what it draws does not depend on which tests ran before."""
    return np.random.default_rng(1)


def drawn(rng, count, classes=4):
    logits = rng.normal(size=(count, classes)) * 4
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return true, (rng.random((count, 1)) > true.cumsum(axis=1)).sum(axis=1)


def test_of_the_answers_given_the_share_asked_for_is_right_on_other_images(rng):
    shares, unanswered = [], []
    for _ in range(60):
        held = HeldOut.of(*drawn(rng, 200))
        probabilities, labels = drawn(rng, 2000)
        answered = probabilities.max(axis=1) >= held.surest(0.95)
        shares.append((probabilities.argmax(axis=1) == labels)[answered].mean())
        told = held.unanswered(held.surest(0.95))
        unanswered.append(told["low"] <= 1 - answered.mean() <= told["high"])
    assert 0.945 < np.mean(shares) < 0.98 and np.mean(unanswered) > 0.6


def test_where_too_few_are_right_nothing_is_answered():
    wrong = HeldOut.of([[0.9, 0.1]] * 50, [1] * 50)
    assert wrong.surest(0.95) is None and wrong.unanswered(None)["value"] == 1
    few = HeldOut.of([[0.9, 0.1]] * 10, [0] * 10)  # all right, and yet not enough to promise anything
    assert few.surest(0.95) is None and few.surest(0.9) == 0.9


def test_sets_cover_what_is_asked_for_on_other_images(rng):
    for coverage in (0.8, 0.9):
        covered = []
        for _ in range(60):
            least = HeldOut.of(*drawn(rng, 200)).least_likely(coverage)
            probabilities, labels = drawn(rng, 2000)
            covered.append((probabilities[np.arange(2000), labels] >= least).mean())
        assert abs(np.mean(covered) - coverage) < 0.012


def test_a_share_for_which_there_are_too_few_images_is_kept_by_sets_of_all_classes(rng):
    held = HeldOut.of(*drawn(rng, 60))
    assert held.least_likely(0.999) == 0.0 < held.least_likely(0.98) < held.least_likely(0.9)
    exact = HeldOut.of([[0.3, 0.7]] + [[0.9, 0.1]] * 8, [0] * 9)  # 1 - 0.9 is a little less than a tenth
    assert exact.least_likely(0.9) == 0.3


def test_the_weight_of_the_least_likely_image_does_not_decide_which_share_can_be_kept(rng):
    probabilities, labels = drawn(rng, 150)
    lowest = HeldOut.of(probabilities, labels).true.argmin()
    for weight in (3.0, 0.2):
        held = HeldOut.of(probabilities, labels, np.where(np.arange(150) == lowest, weight, 1.0))
        assert held.least_likely(0.995) == 0.0 < held.least_likely(0.99)


def test_weights_count_as_so_many_images(rng):
    probabilities, labels = drawn(rng, 150)
    times = rng.integers(1, 4, 150)
    weighted = HeldOut.of(probabilities, labels, times)
    np.testing.assert_allclose(weighted.weights.mean(), 1)
    repeated = HeldOut.of(np.repeat(probabilities, times, axis=0), np.repeat(labels, times))
    assert abs(weighted.least_likely(0.9) - repeated.least_likely(0.9)) < 0.02
    assert weighted.effective < len(weighted) < 1.0001 * HeldOut.of(probabilities, labels).effective


def test_false_alarms_are_as_rare_as_asked_for(rng):
    rates = [(rng.normal(size=1000) > highest(rng.normal(size=150), 0.05)).mean() for _ in range(300)]
    assert 0.04 < np.mean(rates) <= 0.052


def test_validation_images_that_are_too_hard_by_chance_are_weighed_down(rng):
    hard = rng.random(2000) < 0.1
    labels = rng.integers(0, 3, 2000)
    held = np.concatenate([np.flatnonzero(hard)[:30], np.flatnonzero(~hard)[:120]])  # a fifth of them, not a tenth
    weights = alike(np.where(hard, rng.uniform(0, 0.2, 2000), rng.uniform(0.8, 1, 2000)), labels, held)
    assert abs(np.average(hard[held], weights=weights) - 0.1) < 0.02 and np.isclose(weights.mean(), 1)


def test_classes_keep_their_shares(rng):
    """Of a rare class, all photographs are hard; among the held-out ones it is as frequent as the other."""
    labels = np.array([0] * 900 + [1] * 100)
    difficulty = np.where(labels == 0, rng.uniform(0.8, 1, 1000), rng.uniform(0, 0.2, 1000))
    held = np.concatenate([np.arange(50), np.arange(900, 950)])
    weights = alike(difficulty, labels, held)
    assert abs(np.average(labels[held], weights=weights) - 0.5) < 0.03
    alike_all = alike(difficulty, labels, np.concatenate([np.arange(90), np.arange(900, 910)]), equal=True)
    assert abs(alike_all[-10:].sum() / alike_all.sum() - 0.5) < 0.03
