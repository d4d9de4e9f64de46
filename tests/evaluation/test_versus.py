import numpy as np
import pytest

from kfg.evaluation import clusters, metrics, versus
from kfg.evaluation.paired import paired_recall
from kfg.evaluation.predict import Predictions

CLASSES = ("a", "b", "c")
CENTURY = tuple(map(str, range(100)))


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
    assert b["difference"] == pytest.approx({"value": 0.0, "low": -0.308, "high": 0.308}, abs=1e-3) and b["p"] == 1
    assert found["macro_recall"]["difference"]["value"] == pytest.approx((0.2 + 0.0) / 2)
    assert found["loss"]["difference"]["value"] == pytest.approx((-2 * np.log(0.8) + 2 * np.log(0.1)) / 20, rel=1e-5)


def test_the_intervals_of_all_photographs_are_those_of_paired_recall():
    groups = {str(n): n // 2 for n in range(20)}
    mine = versus.compare(FIRST, SECOND, alike=groups, resamples=4000)
    theirs = paired_recall({"none": [FIRST], "more": [SECOND]}, [set()], alike=groups, resamples=4000)
    arm = theirs["groups"]["all"]["arms"]["more"]
    assert mine["clusters"] == theirs["clusters"] == 10
    assert mine["top1"]["difference"] == pytest.approx(arm["difference"], abs=0.011)
    assert mine["top1"]["second"]["value"] == pytest.approx(arm["recall"]["value"])


def test_the_intervals_of_one_model_are_those_of_its_report():
    groups = {str(n): n // 2 for n in range(20)}
    found, report = versus.compare(FIRST, SECOND, alike=groups), metrics.evaluate(SECOND, groups=list(groups.values()))
    for name in ("top1", "macro_recall"):
        assert found[name]["second"] == pytest.approx(report[name])
    assert found["per_class"][0]["second"] == pytest.approx(report["per_class"][0]["recall"])
    assert 0.5 < found["top1"]["second"]["low"] < 0.9 < found["top1"]["second"]["high"] < 1


def test_near_duplicates_count_once():
    labels = [0] * 8
    before, after = answers(labels, [1] * 8), answers(labels, [0] * 6 + [1] * 2)
    alone = versus.compare(before, after)
    together = versus.compare(before, after, alike={str(n): 0 for n in range(6)})
    assert alone["p"] == pytest.approx(2 / 2**6) and together["p"] == 1  # six photographs, or one

    def width(found):
        return found["top1"]["difference"]["high"] - found["top1"]["difference"]["low"]

    assert width(together) > width(alone)


@pytest.mark.parametrize(
    "gained, lost", [(4, 0), (5, 0), (6, 0), (0, 6), (8, 1), (7, 2), (3, 3), (0, 0), (9, 0), (1, 0)]
)
def test_few_changes_exclude_zero_where_the_exact_test_does_and_only_there(gained, lost):
    labels, before, after = [0] * 1000, np.zeros(1000, int), np.zeros(1000, int)
    before[:gained], after[gained : gained + lost] = 1, 1
    found = versus.compare(answers(labels, before), answers(labels, after), resamples=500)
    for figure in (found["top1"], found["macro_recall"], found["per_class"][0]):
        bounds = figure["difference"]
        assert bounds["value"] == pytest.approx((gained - lost) / 1000)
        assert (bounds["low"] > 0 or bounds["high"] < 0) == (found["p"] < 0.05)
        assert bounds["low"] < bounds["value"] < bounds["high"]
    if not gained + lost:
        assert found["top1"]["difference"]["high"] == pytest.approx(3.7 / 1000, rel=0.01)  # Hanley's 3 / n, two-sided


def test_a_rare_class_without_changes_leaves_the_mean_over_classes_uncertain():
    labels = [0] * 990 + [1] * 10
    found = versus.compare(answers(labels, labels), answers(labels, labels), resamples=50)
    rare, mean = found["per_class"][1]["difference"], found["macro_recall"]["difference"]
    assert rare["high"] == pytest.approx(0.308, abs=1e-3) and mean["high"] >= rare["high"] / 2
    assert found["top1"]["difference"]["high"] < 0.01


def test_a_gain_does_not_make_the_interval_narrower_than_none():
    labels, before = [0] * 20, [0] * 20
    widths = []
    for gained in range(3):
        figure = versus.compare(answers(labels, [1] * gained + before[gained:]), answers(labels, before), resamples=500)
        widths.append(figure["top1"]["difference"]["high"] - figure["top1"]["difference"]["low"])
    assert widths == sorted(widths)


@pytest.mark.parametrize("count, gained", [(2, 1), (3, 3), (1, 1), (1, 0)])
def test_no_difference_reaches_beyond_all_photographs(count, gained):
    labels = [0] * count
    found = versus.compare(
        answers(labels, [1] * gained + [0] * (count - gained)), answers(labels, labels), resamples=50
    )
    for figure in (found["top1"], found["macro_recall"], found["per_class"][0]):
        assert -1 <= figure["difference"]["low"] <= figure["difference"]["high"] <= 1


def test_many_classes_take_no_more_room_than_their_photographs(monkeypatch):
    labels, drawn = np.arange(2000) % 100, {}
    guesses = [np.where(np.random.default_rng(seed).random(2000) < 0.8, labels, 0) for seed in (1, 2)]
    both = [
        Predictions(tuple(map(str, range(2000))), np.int32(labels), np.eye(100, dtype=np.float32)[guess], CENTURY)
        for guess in guesses
    ]
    real = clusters.bootstrap
    monkeypatch.setattr(clusters, "bootstrap", lambda sums, *rest: drawn.update(sums) or real(sums, *rest))
    found = versus.compare(*both, resamples=40)
    assert len(drawn) == 102 and sum(one.nnz for one in drawn.values()) <= 3 * 3 * 2000  # dense: 102 x 3 x 2000
    for row in found["per_class"][::10]:
        mine = labels == row["id"]
        shares = [float((guess == labels)[mine].mean()) for guess in guesses]
        assert [row["first"]["value"], row["second"]["value"]] == pytest.approx(shares) and row["images"] == 20
        assert row["gained"] - row["lost"] == pytest.approx(20 * (shares[1] - shares[0]))


def test_sums_of_few_clusters_are_drawn_like_those_of_all():
    cluster, right = np.array([0, 2, 2, 5]), np.array([[1, 0, 1, 1], [1, 1, 1, 0]])
    dense = clusters.sums_of(cluster, right, 7)
    at, number = np.unique(cluster, return_inverse=True)
    few = clusters.among(at, clusters.sums_of(number, right, len(at)), 7)
    np.testing.assert_array_equal(few.toarray(), dense)
    drawn = [clusters.bootstrap({"all": one}, 7, 50, 0)["all"] for one in (dense, few)]
    np.testing.assert_array_equal(*drawn)


def test_other_photographs_are_refused():
    with pytest.raises(ValueError, match="same photographs"):
        versus.compare(FIRST, answers(LABELS[::-1], [0] * 20))
