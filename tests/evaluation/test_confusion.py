import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics

from kfg.evaluation.confusion import class_scores, confusion_matrix, most_confused, weak_classes

# Study imagenet20, net 4, read off its notebook's picture. Row = true class, in the study's order; 2, 3, 4 are
# anchor, armchair and cobra, the three its author chose.
NET4 = np.array(
    [
        [int(cell) for cell in line.split()]
        for line in """
100 2 4 2 4 7 11 5 1 2 2 0 0 3 1 1 3 4 0 8
2 68 9 2 4 3 6 2 6 5 3 1 1 0 3 3 7 10 0 6
6 10 23 3 11 8 4 4 2 8 3 3 7 7 7 6 8 4 3 8
1 5 8 23 9 10 5 3 2 5 1 6 5 7 3 3 2 0 3 6
4 0 7 6 27 10 6 2 0 3 2 0 3 6 5 8 0 2 1 8
5 4 6 12 5 65 4 3 5 6 3 3 1 8 11 1 10 3 3 2
7 7 3 3 13 5 69 20 2 4 0 0 2 4 4 5 1 1 7 3
3 7 0 1 2 1 11 63 0 1 0 0 1 1 0 0 0 2 1 1
3 7 6 5 0 0 2 2 47 1 1 3 10 8 2 0 4 0 1 1
2 5 1 0 1 7 5 4 0 81 1 0 1 0 1 2 8 10 4 2
3 4 0 3 6 7 3 0 0 9 88 9 4 5 1 0 9 1 1 7
0 0 2 11 6 4 3 0 0 0 3 78 4 7 0 4 1 4 0 2
4 3 7 0 2 2 4 0 7 3 0 8 98 8 2 4 3 1 3 1
7 3 3 6 6 9 5 3 7 1 5 6 4 65 9 6 2 2 9 2
1 0 4 1 4 6 2 0 1 2 0 0 2 6 49 6 2 0 7 7
1 6 3 4 4 5 2 0 0 4 0 5 6 5 6 50 2 2 4 6
6 12 3 2 3 5 1 1 3 10 2 1 3 3 1 3 88 10 1 2
0 11 6 0 0 4 0 0 3 2 7 3 4 0 1 0 16 42 0 2
0 1 0 2 4 3 5 0 0 3 0 0 2 3 18 3 0 0 115 1
11 4 8 3 6 4 6 5 1 10 5 0 0 3 6 5 2 5 2 74
""".strip().splitlines()
    ]
)


def test_weak_classes_come_worst_first_and_rare_classes_are_not_judged():
    confusion = np.array(
        [
            [18, 12, 0, 0],  # recall 0.60 on 30 images
            [0, 30, 0, 0],  # recall 1.00
            [20, 0, 10, 0],  # recall 0.33: worst
            [3, 0, 0, 0],  # recall 0.00, but on 3 images
        ]
    )
    assert weak_classes(confusion, min_support=20).tolist() == [2, 0]
    assert weak_classes(confusion, min_support=3).tolist() == [3, 2, 0]


@pytest.mark.parametrize("metric", ["recall", "precision", "f1"])
def test_the_study_s_matrix_gives_the_study_s_three_classes(metric):
    assert np.trace(NET4) == 1313  # the printed accuracy, so the matrix was copied well
    assert sorted(weak_classes(NET4, metric=metric, n=3).tolist()) == [2, 3, 4]


def test_by_recall_they_come_in_the_printed_order():
    assert weak_classes(NET4, n=3).tolist() == [2, 3, 4]
    assert class_scores(NET4)["recall"][2:5].round(3).tolist() == [0.170, 0.215, 0.270]


def test_n_alone_has_no_limit_and_the_limit_holds_where_given():
    confusion = np.array([[90, 10], [5, 95]])
    assert weak_classes(confusion).tolist() == []
    assert weak_classes(confusion, n=1).tolist() == [0]
    assert weak_classes(confusion, n=2, max_recall=0.9).tolist() == [0]


def test_a_class_never_predicted_is_the_worst_by_precision():
    assert weak_classes([[0, 30], [10, 20]], metric="precision").tolist() == [0, 1]


@pytest.mark.parametrize(
    "arguments", [{"metric": "accuracy"}, {"min_support": 0}, {"n": 0}], ids=["metric", "min_support", "n"]
)
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        weak_classes(NET4, **arguments)


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"square.*\(2, 3\)"):
        weak_classes(np.zeros((2, 3)))


def test_matrix_and_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 258, 3000)
    predicted = np.where(rng.random(3000) < 0.6, labels, rng.integers(0, 258, 3000))
    matrix = confusion_matrix(labels, predicted, 258)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(labels, predicted, labels=range(258)))
    scores = sklearn.metrics.precision_recall_fscore_support(labels, predicted, labels=range(258), zero_division=0)
    for ours, theirs in zip(("precision", "recall", "f1"), scores, strict=False):
        np.testing.assert_allclose(class_scores(matrix)[ours], theirs, atol=1e-12)


def test_labels_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"predicted must be in \[0, 2\)"):
        confusion_matrix([0, 1], [0, 2], 2)
    with pytest.raises(ValueError, match="labels"):
        confusion_matrix([-1, 1], [0, 1], 2)


def test_most_confused_pairs_are_directed():
    names = ["cat", "dog", "fox"]
    matrix = [[10, 4, 0], [1, 20, 4], [0, 0, 2]]
    pairs = most_confused(matrix, names, n=2)
    assert [(p["true"], p["predicted"], p["count"], p["reverse"]) for p in pairs] == [
        ("cat", "dog", 4, 1),  # the same count as dog -> fox, but a larger part of its class
        ("dog", "fox", 4, 0),
    ]
    assert pairs[0]["rate"] == pytest.approx(4 / 14)
    assert len(most_confused(matrix, names, n=10)) == 3  # cells without an image are no mistakes
    assert most_confused(np.diag([3, 4, 5]), names) == []


def test_it_needs_no_tensorflow():
    code = "import sys, kfg.evaluation.confusion, kfg.evaluation.metrics; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
