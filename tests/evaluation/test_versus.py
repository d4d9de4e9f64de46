import numpy as np
import pytest

from kfg.evaluation import versus
from kfg.evaluation.paired import paired_recall
from kfg.evaluation.predict import Predictions

CLASSES = ("a", "b", "c")


def answers(labels, guesses) -> Predictions:
    probabilities = np.full((len(labels), 3), 0.1, np.float32)
    probabilities[np.arange(len(labels)), guesses] = 0.8
    return Predictions(tuple(map(str, range(len(labels)))), np.int32(labels), probabilities, CLASSES)


LABELS = [0] * 10 + [1] * 10
FIRST = answers(LABELS, [0] * 6 + [1] * 4 + [1] * 10)
SECOND = answers(LABELS, [1] + [0] * 8 + [2] + [1] * 10)


def test_what_is_lost_gained_and_wrong_otherwise_is_counted():
    found = versus.compare(FIRST, SECOND)
    assert (found["lost"], found["gained"], found["otherwise"]) == ([0], [6, 7, 8], [9])
    a, b = found["per_class"]  # c has no photograph
    assert (a["name"], a["images"], a["first"]["value"], a["second"]["value"]) == ("a", 10, 0.6, 0.8)
    assert (a["lost"], a["gained"], a["p"], a["adjusted"]) == (1, 3, 0.625, 1.0)
    assert b["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0} and b["p"] == 1
    assert found["macro_recall"]["difference"]["value"] == pytest.approx((0.2 + 0.0) / 2)
    assert found["loss"]["difference"]["value"] == pytest.approx((-2 * np.log(0.8) + 2 * np.log(0.1)) / 20, rel=1e-5)


def test_the_intervals_of_all_photographs_are_those_of_paired_recall():
    groups = {str(n): n // 2 for n in range(20)}
    mine = versus.compare(FIRST, SECOND, alike=groups, resamples=4000)
    theirs = paired_recall({"none": [FIRST], "more": [SECOND]}, [set()], alike=groups, resamples=4000)
    arm = theirs["groups"]["all"]["arms"]["more"]
    assert mine["clusters"] == theirs["clusters"] == 10
    assert mine["top1"]["difference"] == pytest.approx(arm["difference"], abs=0.011)
    assert mine["top1"]["second"] == pytest.approx(arm["recall"], abs=0.011)


def test_near_duplicates_count_once():
    labels = [0] * 8
    before, after = answers(labels, [1] * 8), answers(labels, [0] * 6 + [1] * 2)
    alone = versus.compare(before, after)
    together = versus.compare(before, after, alike={str(n): 0 for n in range(6)})
    assert alone["p"] == pytest.approx(2 / 2**6) and together["p"] == 1  # six photographs, or one

    def width(found):
        return found["top1"]["difference"]["high"] - found["top1"]["difference"]["low"]

    assert width(together) > width(alone)


def test_other_photographs_are_refused():
    with pytest.raises(ValueError, match="same photographs"):
        versus.compare(FIRST, answers(LABELS[::-1], [0] * 20))
