import tracemalloc

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.evaluation import posthoc
from kfg.evaluation.predict import Predictions

CLASSES = ("many", "medium", "rare")
COUNTS = np.array([150, 40, 10])


def answers(probabilities, labels):
    names = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Predictions(names, np.array(labels, np.int32), np.array(probabilities, np.float32), CLASSES)


def gaussian_answers(count=3000, seed=0):
    """Return Bayes-optimal answers under the lopsided prior, on images whose classes are equally frequent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    x = rng.normal(labels, 0.8)
    logits = -((x[:, None] - np.arange(3)) ** 2) / (2 * 0.64) + np.log(COUNTS / 200)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return answers(p / p.sum(axis=1, keepdims=True), labels), logits


def test_tau_1_answers_as_under_equal_frequencies():
    lopsided, logits = gaussian_answers()
    prior = np.log(COUNTS / 200)
    found = posthoc.adjusted(lopsided, prior, tau=1)
    np.testing.assert_array_equal(found.predicted, (logits - prior).argmax(axis=1))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert posthoc.macro_recall(found) > posthoc.macro_recall(lopsided) + 0.1
    by_tau = {tau: posthoc.adjusted(lopsided, prior, tau=tau) for tau in posthoc.GRID}
    assert 0.7 <= posthoc.choose(by_tau) <= 1.3  # 1 is optimal; 3,000 images blur it
    np.testing.assert_allclose(by_tau[0.0].probabilities, lopsided.probabilities, atol=1e-6)


def test_a_probability_of_0_stays_finite():
    found = posthoc.adjusted(answers([[1, 0, 0]], [0]), np.log(COUNTS / 200), tau=2)
    assert np.isfinite(found.probabilities).all() and found.predicted.tolist() == [0]


def test_tau_1_gives_class_vectors_of_one_length_and_tau_0_the_head_itself():
    rng = np.random.default_rng(0)
    features, kernel, bias = rng.normal(size=(50, 4)), rng.normal(size=(4, 3)) * [5, 1, 0.2], rng.normal(size=3)
    logits = features @ kernel + bias
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    plain = answers(p, np.zeros(50))
    same = posthoc.tau_normalised(plain, features, kernel, bias, tau=0)
    np.testing.assert_allclose(same.probabilities, p, rtol=1e-5)
    level = posthoc.tau_normalised(plain, features, kernel, np.zeros(3), tau=1)
    unit = kernel / np.linalg.norm(kernel, axis=0)
    np.testing.assert_array_equal(level.predicted, (features @ unit).argmax(axis=1))
    assert (level.predicted != (features @ kernel).argmax(axis=1)).any()
    half = posthoc.tau_normalised(plain, features, kernel, np.zeros(3), tau=0.5)
    np.testing.assert_array_equal(half.predicted, (features @ kernel / np.linalg.norm(kernel, axis=0) ** 0.5).argmax(1))


def test_of_equal_taus_the_smallest_is_chosen():
    right, wrong = answers(np.eye(3), [0, 1, 2]), answers(np.eye(3), [1, 2, 0])
    assert posthoc.choose({0.5: right, 0.2: right, 0.0: wrong}) == 0.2


def test_figures_by_hand():
    guesses = np.eye(3)[[0, 0, 0, 1, 0, 2]]
    found = posthoc.figures(answers(guesses, [0, 0, 0, 1, 1, 2]), COUNTS)
    assert found == pytest.approx({"top1": 5 / 6, "macro_recall": 2.5 / 3, "rare": 1, "medium": 0.5, "many": 1})
    found = posthoc.figures(answers(guesses[:3], [0, 0, 0]), COUNTS)
    assert (found["rare"], found["medium"], found["macro_recall"]) == (None, None, 1)
    edges = {name: belongs(np.array([19, 20, 100, 101])).tolist() for name, belongs in posthoc.GROUPS.items()}
    assert edges["rare"] == [1, 0, 0, 0] and edges["medium"] == [0, 1, 1, 0] and edges["many"] == [0, 0, 0, 1]


def test_counts_of_other_classes_are_refused():
    with pytest.raises(InputError, match="counts: expected one for each of 3 classes"):
        posthoc.figures(answers(np.eye(3), [0, 1, 2]), [1, 2])


def test_the_gain_is_paired():
    lopsided, _ = gaussian_answers(count=600)
    same = posthoc.gain(lopsided, lopsided)
    assert same == {"value": 0, "low": 0, "high": 0}
    better = posthoc.gain(lopsided, posthoc.adjusted(lopsided, np.log(COUNTS / 200), tau=1))
    assert 0 < better["low"] < better["value"] < better["high"]


def test_the_gain_of_many_classes_needs_no_table_of_images_by_classes():
    labels = np.arange(20_000) % 200
    before, after = (
        Predictions(
            tuple(map(str, range(20_000))), labels, np.eye(200, dtype=np.float32)[guess], tuple(map(str, range(200)))
        )
        for guess in (labels // 2, labels)
    )
    tracemalloc.start()
    found = posthoc.gain(before, after, resamples=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["value"] == pytest.approx(199 / 200) and found["low"] <= found["value"] <= found["high"] + 0.01
    assert peak < 20_000 * 200 * 8 / 8


def test_the_gains_interval_holds_the_truth_about_as_often_as_it_says():
    prior = np.log(COUNTS / 200)
    population, _ = gaussian_answers(count=200_000, seed=99)
    truth = posthoc.macro_recall(posthoc.adjusted(population, prior, tau=1)) - posthoc.macro_recall(population)
    held = 0
    for seed in range(60):
        sample, _ = gaussian_answers(count=150, seed=seed)
        found = posthoc.gain(sample, posthoc.adjusted(sample, prior, tau=1), resamples=200)
        held += found["low"] <= truth <= found["high"]
    assert 51 <= held <= 60  # 57 expected, sd 1.7
