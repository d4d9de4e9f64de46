"""A model that does not beat naming one class is called that, in words, and only such a one."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from kfg.evaluation import baseline
from kfg.evaluation.predict import Predictions


def answered(matrix, classes=None) -> Predictions:
    """Return Predictions that have this confusion matrix."""
    matrix = np.asarray(matrix)
    classes = classes or tuple(f"c{i}" for i in range(len(matrix)))
    true, guess = np.nonzero(matrix)
    times = matrix[true, guess]
    labels, guesses = np.repeat(true, times).astype(np.int32), np.repeat(guess, times)
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Predictions(paths, labels, np.eye(len(matrix), dtype=np.float32)[guesses], classes)


@pytest.mark.parametrize(
    "matrix, verdict",
    [
        ([[60, 0], [0, 12]], baseline.BETTER),
        ([[60, 0], [12, 0]], baseline.NO_BETTER),  # the commonest class itself
        ([[0, 60], [0, 12]], baseline.NO_BETTER),  # the rare class for everything
        ([[20, 40], [0, 2]], baseline.NO_BETTER),  # two thirds of the good ones called bad: 35% right of 62
        ([[240, 60], [0, 30]], baseline.COMMONEST_BETTER),  # 82% against 91%, but all rare ones are found
        ([[300, 0], [15, 15]], baseline.BETTER),
        ([[3, 1, 1], [0, 2, 1], [1, 0, 2]], baseline.TOO_FEW),  # 7 of 11 against 5
        (np.diag([2, 1]), baseline.TOO_FEW),  # all three right, as luck could have it
        (np.diag([4, 4, 4]), baseline.BETTER),
        ([[6] + [0] * 7] * 8, baseline.NO_BETTER),  # 12.5% of 8 classes
    ],
)
def test_the_verdict(matrix, verdict):
    judged = baseline.judge(answered(matrix))
    assert judged["verdict"] == verdict
    json.dumps(judged, allow_nan=False)
    assert (baseline.warning(judged) is None) == (verdict == baseline.BETTER)


def test_the_sign_test_is_scipy_s_on_the_images_where_the_two_differ():
    judged = baseline.judge(answered([[25, 5], [8, 12]]))  # 12 won of the rare class, 5 lost of the commonest
    assert judged["p"] == binomtest(12, 17, alternative="greater").pvalue
    assert (judged["right"], judged["commonest_right"], judged["images"]) == (37, 30, 50)


def test_the_words_name_class_part_counts_and_interval_and_forbid_the_use():
    judged = baseline.judge(answered([[20, 40], [0, 2]], classes=("good", "bad")))
    assert baseline.warning(judged, part="validation") == (
        "This model is no better than always answering 'good': it is right on 22 of 62 validation images (35%, 95% "
        "interval 25% to 48%), always answering 'good' on 60 (97%). Do not use it."
    )


def test_with_classes_of_one_size_it_is_guessing():
    said = baseline.warning(baseline.judge(answered([[6] + [0] * 7] * 8)))
    assert said.startswith("This model is no better than guessing, or always answering 'c0': it is right on 6 of 48 ")


def test_a_model_that_finds_the_rare_class_at_a_price_is_told_apart_from_one_that_knows_nothing():
    said = baseline.warning(baseline.judge(answered([[240, 60], [0, 30]], classes=("good", "bad"))))
    assert "right less often than always answering 'good'" in said and "It does tell the classes apart" in said
    assert "Do not use it" not in said


def test_too_few_images_are_called_that():
    said = baseline.warning(baseline.judge(answered(np.diag([2, 1]))))
    assert said.startswith("3 test images are too few to show that this model is better than")


@pytest.mark.parametrize("sizes", [[12, 12], [40, 5], [6] * 8, [5] * 40])
def test_of_models_that_look_at_nothing_few_pass_for_better(sizes):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    share = np.array(sizes) / sum(sizes)
    passed = []
    for number in range(300):
        guesses = rng.choice(len(sizes), len(labels), p=share if number % 2 else None)
        matrix = np.zeros((len(sizes), len(sizes)), int)
        np.add.at(matrix, (labels, guesses), 1)
        passed.append(baseline.judge(answered(matrix))["verdict"] in baseline.LEARNED)
    assert np.mean(passed) <= 0.05


def test_images_of_one_class_say_nothing_about_a_model():
    n = 100
    answers = Predictions(tuple(map(str, range(n))), np.zeros(n, int), np.eye(2)[np.zeros(n, int)], ("cat", "dog"))
    judged = baseline.judge(answers)
    assert judged["verdict"] == baseline.ONE_CLASS
    said = baseline.warning(judged)
    assert "All 100 test images are of the class 'cat', so they cannot" in said and "Do not use" not in said
    one = baseline.warning({**judged, "images": 1}, thing="photograph")
    assert one.startswith("The only test photograph is of the class 'cat', so it cannot show whether")
