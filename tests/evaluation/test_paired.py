import json
import time

import numpy as np
import pytest
import scipy.stats

from kfg.errors import InputError
from kfg.evaluation.paired import paired, paired_recall, runs_needed, still_needed
from kfg.evaluation.predict import Predictions
from kfg.reporting import arms


def answered(labels, right, paths=None, num_classes=3) -> Predictions:
    """Predictions that name the true class where `right`, else the next one."""
    labels = np.asarray(labels, dtype=np.int32)
    guess = np.where(right, labels, (labels + 1) % num_classes)
    paths = tuple(paths if paths is not None else (f"{i:05}.jpg" for i in range(len(labels))))
    names = tuple(f"c{i}" for i in range(num_classes))
    return Predictions(paths, labels, np.eye(num_classes, dtype=np.float32)[guess], names)


def test_paired_is_the_t_interval_of_scipy():
    differences = [0.08, 0.12, 0.05, 0.10, 0.02]
    expected = scipy.stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    result = paired(differences, 0.9)
    assert (result["low"], result["high"]) == pytest.approx((expected.low, expected.high))
    assert result["sd"] == pytest.approx(np.std(differences, ddof=1)) and result["n"] == 5


@pytest.mark.parametrize("runs, folds, factor", [(9, 3, 2.3452), (5, 5, 1.5), (6, 2, np.sqrt(7)), (9, 1, 1)])
def test_folds_that_share_training_images_widen_the_interval_as_nadeau_and_bengio_have_it(runs, folds, factor):
    differences = np.random.default_rng(0).normal(0.1, 0.05, runs)
    plain, corrected = paired(differences), paired(differences, folds=folds)
    assert corrected["mean"] == plain["mean"] and corrected["sd"] == plain["sd"]
    wider = (corrected["high"] - corrected["low"]) / (plain["high"] - plain["low"])
    assert wider == pytest.approx(factor, abs=1e-4)


def test_no_folds_at_all_are_refused():
    with pytest.raises(ValueError, match="folds must be at least 1"):
        paired([0.1, 0.2], folds=0)


def test_one_difference_has_no_interval_and_none_no_mean():
    assert paired([0.1]) == {"mean": 0.1, "sd": None, "n": 1, "low": None, "high": None}
    assert paired([])["mean"] is None
    with pytest.raises(ValueError, match="finite"):
        paired([0.1, float("nan")])


def test_identical_arms_differ_by_no_more_than_so_few_images_could_hide():
    labels, right = [0, 0, 1, 1, 2, 2], [1, 0, 1, 0, 1, 1]
    runs = [answered(labels, right), answered(labels, right[::-1])]
    result = paired_recall({"none": runs, "copy": runs}, [{0}, {1}])
    for group in result["groups"].values():
        difference = group["arms"]["copy"]["difference"]
        assert difference["value"] == 0 and difference["high"] == -difference["low"] > 0.4
        assert group["arms"]["copy"]["over_runs"] == {"mean": 0, "sd": 0, "n": 2, "low": None, "high": None}
        recall = group["arms"]["copy"]["recall"]
        assert recall["low"] < recall["value"] < recall["high"]  # the recall itself is uncertain


def test_a_table_worked_by_hand():
    labels = [0, 0, 1, 1]
    none = [answered(labels, [1, 0, 1, 1]), answered(labels, [0, 0, 1, 0])]
    more = [answered(labels, [1, 1, 1, 1]), answered(labels, [1, 0, 0, 1])]
    result = paired_recall({"none": none, "more": more}, [{0}, {0}])
    targeted, other = (result["groups"][name]["arms"] for name in ("targeted", "other"))
    assert (targeted["none"]["recall"]["value"], targeted["more"]["recall"]["value"]) == (1 / 4, 3 / 4)
    assert (other["none"]["recall"]["value"], other["more"]["recall"]["value"]) == (3 / 4, 3 / 4)
    assert targeted["more"]["by_run"] == [1.0, 0.5] and targeted["none"]["by_run"] == [0.5, 0.0]
    assert targeted["more"]["difference"]["value"] == 0.5
    assert targeted["more"]["over_runs"]["mean"] == 0.5 and targeted["more"]["over_runs"]["sd"] == 0
    assert result["groups"]["all"]["arms"]["more"]["difference"]["value"] == 0.25
    assert targeted["none"]["difference"] is None
    assert (result["images"], result["runs"], result["groups"]["targeted"]["images"]) == (4, 2, 2)
    assert result["groups"]["targeted"]["answers"] == 4
    json.dumps(result, allow_nan=False)


def test_treated_arms_are_compared_with_each_other_too():
    labels = [0, 0, 1, 1]
    arms = {
        "targeted": [answered(labels, [1, 1, 1, 0])],
        "none": [answered(labels, [0, 0, 1, 1])],
        "uniform": [answered(labels, [1, 0, 1, 1])],
    }
    result = paired_recall(arms, [{0}])["groups"]["targeted"]["arms"]
    assert list(result) == ["none", "targeted", "uniform"]  # the control first
    assert result["uniform"]["against"]["targeted"]["difference"]["value"] == -0.5
    assert result["uniform"]["against"]["targeted"]["over_runs"]["mean"] == -0.5
    assert result["uniform"]["difference"]["value"] == 0.5
    assert result["none"]["against"] == {} and result["targeted"]["against"] == {}


def test_the_weak_set_may_change_from_run_to_run():
    labels = [0, 1, 2]
    runs = [answered(labels, [0, 1, 1]), answered(labels, [1, 0, 1])]
    result = paired_recall({"none": runs, "more": runs}, [{0}, {1, 0}])
    assert result["groups"]["targeted"]["arms"]["none"]["by_run"] == [0.0, 0.5]
    assert result["targeted_classes"] == [{"name": "c0", "runs": 2}, {"name": "c1", "runs": 1}]


def test_the_order_of_images_does_not_matter():
    labels, right = np.array([0, 1, 2, 0]), np.array([1, 0, 1, 0])
    paths, order = np.array(["d", "b", "a", "c"]), [2, 0, 3, 1]
    straight = answered(labels, right, paths)
    mixed = answered(labels[order], right[order], paths[order])
    result = paired_recall({"none": [straight], "more": [mixed]}, [{0}])
    assert result["groups"]["all"]["arms"]["more"]["difference"]["value"] == 0


def test_few_changed_images_exclude_zero_only_where_the_exact_test_does():
    """Four of 1,000 images gained and none lost: McNemar's exact test has p = 0.125."""
    for gained, clear in ((4, False), (6, True)):
        before = answered([0] * 1000, np.arange(1000) >= gained)
        result = paired_recall({"none": [before], "more": [answered([0] * 1000, [1] * 1000)]}, [{0}])
        difference = result["groups"]["all"]["arms"]["more"]["difference"]
        assert difference["value"] == pytest.approx(gained / 1000) and (difference["low"] > 0) == clear


def test_runs_that_agree_exactly_have_no_interval():
    found = paired([0.1, 0.1, 0.1])
    assert found == {"mean": pytest.approx(0.1), "sd": 0.0, "n": 3, "low": None, "high": None}
    assert still_needed(found) == ""
    line = arms.finding(
        "more", "none", "all", {"difference": {"value": 0.1, "low": 0.0, "high": 0.2}, "over_runs": found}
    )
    assert "as the 3 runs agree exactly, nothing is known about training again" in line[1]
    assert arms._over_runs(found, 1) == "+10.0 in each of 3 runs, so there is no interval over runs"


def test_a_group_without_images_says_so():
    runs = [answered([0, 1], [1, 0])]
    result = paired_recall({"none": runs, "more": runs}, [set()])
    arm = result["groups"]["targeted"]["arms"]["more"]
    assert arm["recall"]["value"] is None and arm["difference"]["low"] is None and arm["over_runs"]["n"] == 0
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    "arms, weak, message",
    [
        ({"more": 1}, [{0}], "control"),
        ({"none": 1, "more": 2}, [{0}], "arm more: has 2 runs"),
        ({"none": 0, "more": 0}, [], "no runs"),
    ],
)
def test_what_does_not_match_is_named(arms, weak, message):
    run = answered([0, 1], [1, 0])
    with pytest.raises(InputError, match=message):
        paired_recall({name: [run] * count for name, count in arms.items()}, weak)


@pytest.mark.parametrize("paths, labels", [(["a", "x"], [0, 1]), (["a", "b"], [0, 2]), (["a"], [0])])
def test_arms_tested_on_other_images_are_refused(paths, labels):
    arms = {
        "none": [answered([0, 1], [1, 1], ["a", "b"])],
        "more": [answered(labels, np.ones(len(labels)), paths)],
    }
    with pytest.raises(InputError, match="arm more, run 0: was tested on other images"):
        paired_recall(arms, [{0}])


def simulated(rng, images, seeds):
    """Two arms whose chance of a right answer depends on image and arm, the same for every seed; gain 0.1."""
    chance = np.clip(rng.choice([0.05, 0.95], size=(2, images)), 0, 1)
    chance[1] = np.where(rng.random(images) < 0.2, 0.95, chance[1])  # 0.05 -> 0.95 in half of a fifth: + 0.09
    labels = np.zeros(images, dtype=int)
    draws = rng.random((2, seeds, images)) < chance[:, None]
    return {
        name: [answered(labels, draws[a, s]) for s in range(seeds)] for a, name in enumerate(("none", "more"))
    }, draws


def test_the_interval_holds_the_truth_where_one_that_takes_seeds_for_images_does_not():
    rng, truth, seeds, images = np.random.default_rng(0), 0.09, 6, 150
    held, naive = [], []
    for _ in range(150):
        arms, draws = simulated(rng, images, seeds)
        difference = paired_recall(arms, [{0}] * seeds, resamples=300)["groups"]["targeted"]["arms"]["more"][
            "difference"
        ]
        held.append(difference["low"] <= truth <= difference["high"])
        flat = (draws[1].astype(float) - draws[0]).ravel()
        naive.append(abs(flat.mean() - truth) <= 1.96 * flat.std() / np.sqrt(flat.size))
    assert 0.9 <= np.mean(held) <= 0.99
    assert np.mean(naive) < 0.8


def test_near_duplicates_are_drawn_together():
    """Ten copies of each image are no ten images: the interval is that of the originals alone."""
    rng = np.random.default_rng(0)
    right = {name: rng.random(40) < rate for name, rate in (("none", 0.4), ("more", 0.6))}

    def compared(times, alike=None):
        arms = {name: [answered(np.zeros(40 * times, int), np.repeat(found, times))] for name, found in right.items()}
        result = paired_recall(arms, [{0}], alike=alike)
        return result, result["groups"]["all"]["arms"]["more"]["difference"]

    originals = compared(1)[1]
    copies = {f"{i:05}.jpg": i // 10 for i in range(400)}
    grouped, naive = compared(10, copies), compared(10)
    width = [one["high"] - one["low"] for one in (originals, grouped[1], naive[1])]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] < 0.5 * width[0]
    assert (grouped[0]["clusters"], grouped[0]["images"], naive[0]["clusters"]) == (40, 400, None)


def test_folds_reach_the_interval_over_runs():
    labels = [0, 0, 1, 1]
    none = [answered(labels, [1, 0, 1, 1]), answered(labels, [0, 0, 1, 0])]
    more = [answered(labels, [1, 1, 1, 1]), answered(labels, [0, 0, 1, 0])]
    plain, folded = (
        paired_recall({"none": none, "more": more}, [{0}, {0}], folds=folds)["groups"]["all"]["arms"]["more"]
        for folds in (1, 2)
    )
    assert folded["over_runs"]["high"] > plain["over_runs"]["high"]
    assert folded["difference"] == plain["difference"]


def test_recalls_and_differences_without_a_spread_keep_a_width():
    labels = [0] * 10
    arms = {"none": [answered(labels, [0] * 10)], "more": [answered(labels, [1] * 10)]}
    found = paired_recall(arms, [{0}])["groups"]["all"]["arms"]
    assert (found["none"]["recall"]["low"], found["more"]["recall"]["high"]) == (0, 1)
    assert found["none"]["recall"]["high"] == pytest.approx(1 - found["more"]["recall"]["low"])
    assert found["none"]["recall"]["high"] > 0.2
    difference = found["more"]["difference"]
    assert difference["value"] == 1 and 0.5 < difference["low"] < 0.7


def test_nets_that_name_one_class_are_counted_apart_from_those_that_learned():
    labels = np.arange(30) % 3
    one_class = answered(labels, labels == 0)
    one_class.probabilities[:] = np.eye(3)[0]
    arms = {"none": [one_class, one_class], "more": [answered(labels, [1] * 30), one_class]}
    assert paired_recall(arms, [{0}, {0}])["beaten"] == {"none": 0, "more": 1}


def test_the_scale_of_a_real_comparison_takes_seconds():
    rng = np.random.default_rng(0)
    labels = np.arange(1870) % 20
    runs = lambda: [answered(labels, rng.random(1870) < 0.5, num_classes=20) for _ in range(6)]  # noqa: E731
    arms = {"none": runs(), "uniform": runs(), "targeted": runs()}
    began = time.process_time()
    result = paired_recall(arms, [{1, 2, 3}] * 6)
    assert time.process_time() - began < 30
    interval = result["groups"]["targeted"]["arms"]["targeted"]["difference"]
    assert interval["high"] - interval["low"] < 0.1  # six seeds of 280 images: under 5 points each way


@pytest.mark.parametrize(("effect", "sd", "folds"), [(2.0, 2.0, 1), (-1.0, 2.0, 1), (0.3, 0.1, 1), (5.0, 2.0, 3)])
def test_as_many_runs_as_are_needed_exclude_zero_and_one_fewer_does_not(effect, sd, folds):
    count = runs_needed(effect, sd, folds=folds)

    def excludes_zero(n):
        drawn = np.linspace(-1, 1, n)
        found = paired(effect + sd * (drawn - drawn.mean()) / drawn.std(ddof=1), folds=folds)
        return found["low"] > 0 or found["high"] < 0

    assert excludes_zero(count)
    assert count == 2 or not excludes_zero(count - 1)


def test_what_no_number_of_runs_can_show_is_said():
    assert runs_needed(2.0, 2.0, folds=3) is None and runs_needed(0.0, 0.0) is None and runs_needed(1.0, 0.0) == 2
    assert "more folds may" in still_needed(paired([0.0, 4.0, 2.0], folds=3), folds=3)
    assert "takes about 6 runs" in still_needed(paired([0.0, 4.0, 3.0]))
    assert still_needed(paired([2.0, 2.1, 2.2])) == "" and still_needed(paired([2.0])) == ""
