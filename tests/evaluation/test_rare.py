"""Rare classes are judged on test images alone, each once, with intervals."""

import numpy as np
import pytest

from kfg.evaluation import rare
from kfg.evaluation.intervals import wilson
from kfg.evaluation.predict import Predictions


def answers(labels, predicted, classes):
    names = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Predictions(names, np.array(labels, np.int32), np.eye(len(classes), dtype=np.float32)[predicted], classes)


CLASSES = ("many", "some", "few", "untested", "absent")
COUNTS = np.array([60, 20, 19, 3, 0])  # of the whole data set; 20 is not rare
LABELS = [0] * 10 + [1] * 4 + [2] * 3
PREDICTED = [0] * 8 + [1, 2] + [1] * 4 + [2, 2, 0]


def test_what_is_rare_is_decided_by_all_images_and_judged_on_the_tests():
    found = rare.judge(answers(LABELS, PREDICTED, CLASSES), COUNTS)
    assert found["rare"] | {"low": 0, "high": 0} == {
        "classes": 2,
        "tested": 1,
        "images": 3,
        "correct": 2,
        "value": 2 / 3,
        "low": 0,
        "high": 0,
    }
    assert (found["rare"]["low"], found["rare"]["high"]) == wilson(2, 3)
    assert (found["other"]["classes"], found["other"]["correct"], found["other"]["images"]) == (2, 12, 14)
    assert [(row["name"], row["count"], row["images"]) for row in found["per_class"]] == [
        ("untested", 3, 0),
        ("few", 19, 3),
    ]


def test_no_tested_rare_class_is_no_figure_not_nought():
    found = rare.judge(answers([0, 1], [0, 1], ("a", "b")), [60, 30])
    assert found["rare"]["value"] is None and found["rare"]["images"] == 0 and found["per_class"] == []
    assert rare.rare_rows(found)[1][1:] == ("", "0", "0", "", "")


def test_the_table_names_both_groups_and_the_rare_classes_that_were_tested():
    rows = rare.rare_rows(rare.judge(answers(LABELS, PREDICTED, CLASSES), COUNTS))
    assert rows[1][:4] == ("fewer than 20 images: 2 classes, 1 tested", "", "2", "3")
    assert rows[2][:5] == ("20 images or more: 2 classes, 2 tested", "", "12", "14", "85.7%")
    assert rows[3][:5] == ("few", "19", "2", "3", "66.7%") and len(rows) == 4


def test_counts_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"counts must be \(5,\), one per class, got \(4,\)"):
        rare.judge(answers(LABELS, PREDICTED, CLASSES), COUNTS[:4])


def test_the_average_of_batches_is_not_top1_where_the_last_batch_is_short():
    labels, predicted = [0] * 10, [0] * 8 + [1] * 2
    found = answers(labels, predicted, ("a", "b"))
    assert rare.average_of_batches(found, batch_size=8) == pytest.approx(0.5)  # (8/8 + 0/2) / 2
    assert rare.average_of_batches(found, batch_size=10) == pytest.approx(0.8)
