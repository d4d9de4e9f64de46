import json
import time

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import binomtest

from kfg.errors import InputError
from kfg.evaluation import auc
from kfg.evaluation.intervals import effective_counts
from kfg.evaluation.metrics import evaluate, true_rank, wilson
from kfg.evaluation.predict import Predictions

HEADLINE = ("loss", "top1", "top5", "macro_recall", "macro_f1", "auc")


def made(labels, probabilities) -> Predictions:
    probabilities = np.asarray(probabilities, dtype=np.float32)
    names = tuple(f"c{i}" for i in range(probabilities.shape[1]))
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Predictions(paths, np.asarray(labels, dtype=np.int32), probabilities, names)


def drawn(labels, num_classes, signal=2.0, seed=0) -> Predictions:
    scores = np.random.default_rng(seed).normal(size=(len(labels), num_classes))
    scores[np.arange(len(labels)), labels] += signal
    scores = np.exp(scores)
    return made(labels, scores / scores.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("successes, n", [(0, 10), (1, 10), (8, 10), (10, 10), (1313, 2704)])
def test_wilson_agrees_with_scipy(successes, n):
    expected = binomtest(successes, n).proportion_ci(0.9, method="wilson")
    assert wilson(successes, n, 0.9) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_the_study_s_net_4_is_the_1_9_points_it_is_said_to_be():
    low, high = wilson(1313, 2704)
    assert (high - low) / 2 == pytest.approx(0.019, abs=5e-4)


def test_wilson_of_arrays_and_of_nothing():
    low, high = wilson(np.array([0, 5]), np.array([0, 10]))
    assert (low[0], high[0]) == (0, 1)
    assert (low[1], high[1]) == pytest.approx(wilson(5, 10))
    with pytest.raises(ValueError, match="successes"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 95)


def test_a_table_worked_by_hand():
    result = evaluate(made([0, 0, 1, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]]))
    assert (result["images"], result["classes"]) == (5, 2)
    assert result["confusion"] == [[1, 1], [1, 2]]
    assert result["top1"]["value"] == 3 / 5
    assert result["macro_recall"]["value"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert result["macro_f1"]["value"] == pytest.approx((1 / 2 + 2 / 3) / 2)  # 2 TP / (support + predicted)
    assert result["loss"]["value"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.3, 0.9]).mean(), rel=1e-6)
    assert result["auc"]["value"] == pytest.approx(5 / 6)  # of 6 pairs one is out of order: 0.4 on a c0, 0.7 on a c1
    assert result["majority_share"] == 3 / 5
    assert result["per_class"][1]["recall"]["value"] == 2 / 3
    assert (result["per_class"][1]["recall"]["low"], result["per_class"][1]["recall"]["high"]) == wilson(2, 3)
    assert [pair["rate"] for pair in result["most_confused"]] == [1 / 2, 1 / 3]


def test_figures_agree_with_scikit_learn_at_real_scale():
    labels = np.random.default_rng(1).integers(0, 258, 3000)
    predictions = drawn(labels, 258)
    assert len(set(labels)) == 258
    began = time.process_time()
    result = evaluate(predictions)
    assert time.process_time() - began < 20  # takes about 1 s; minutes would be a bootstrap of the AUC
    p, predicted = predictions.probabilities.astype(np.float64), predictions.predicted
    p /= p.sum(axis=1, keepdims=True)
    expected = {
        "loss": sklearn.metrics.log_loss(labels, p),
        "top1": sklearn.metrics.accuracy_score(labels, predicted),
        "top5": sklearn.metrics.top_k_accuracy_score(labels, p, k=5),
        "macro_recall": sklearn.metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "auc": sklearn.metrics.roc_auc_score(labels, p, multi_class="ovr", average="macro"),
    }
    for name, value in expected.items():
        assert result[name]["value"] == pytest.approx(value, abs=1e-6), name
        assert result[name]["low"] < value < result[name]["high"], name
    json.dumps(result, allow_nan=False)


def test_copies_of_an_image_make_no_interval_narrower():
    single, copies = drawn(np.arange(60) % 6, 6, signal=1.0), np.repeat(np.arange(60), 10)
    tenfold = made(single.labels[copies], single.probabilities[copies])
    plain, grouped = evaluate(single), evaluate(tenfold, groups=copies)
    assert grouped["intervals"]["effective_images"] == 60 and plain["intervals"]["effective_images"] is None
    for name in ("top1", "top5", "macro_recall"):
        assert grouped[name] == pytest.approx(plain[name])
    for name in ("macro_recall", "macro_f1"):
        widths = [result[name]["high"] - result[name]["low"] for result in (grouped, plain, evaluate(tenfold))]
        assert widths[0] == pytest.approx(widths[1], rel=0.06) and widths[2] < 0.4 * widths[1]
    for mine, own in zip(grouped["per_class"], plain["per_class"], strict=True):
        assert mine["recall"] == pytest.approx(own["recall"]) and mine["precision"] == pytest.approx(own["precision"])
    assert grouped["baseline"]["interval"] == pytest.approx([plain["top1"]["low"], plain["top1"]["high"]])
    assert evaluate(single, groups=np.arange(60))["per_class"] == plain["per_class"]  # no copies: nothing changes


def test_a_wilson_interval_of_an_effective_number_keeps_the_share_and_the_exact_ends():
    assert wilson(80, 100, effective=10) == pytest.approx(wilson(8, 10))
    assert wilson(7, 7, effective=49 / 13)[1] == 1.0 and wilson(0, 7, effective=49 / 13)[0] == 0.0
    assert effective_counts([3, 3, 3, 8], [0, 0, 2, 2], 4).tolist() == [1, 0, 2, 0]
    assert effective_counts(np.r_[np.zeros(9, int), np.arange(1, 10)])[0] == pytest.approx(18**2 / (81 + 9))


def test_the_level_is_that_of_every_interval():
    narrow, wide = (evaluate(drawn(np.arange(60) % 3, 3, signal=1.0), confidence=level) for level in (0.5, 0.95))
    for name in (*HEADLINE, "calibration_error"):
        if name != "top5":
            assert narrow[name]["high"] < wide[name]["high"], name


def test_the_same_seed_gives_the_same_bounds_and_another_gives_others():
    predictions = drawn(np.arange(60) % 3, 3)
    assert evaluate(predictions, seed=1) == evaluate(predictions, seed=1)
    assert evaluate(predictions, seed=1)["loss"] != evaluate(predictions, seed=2)["loss"]


@pytest.mark.parametrize("count", [3, 5])
def test_top_5_of_few_classes_is_certain(count):
    assert evaluate(drawn(np.arange(30) % count, count))["top5"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert evaluate(drawn(np.arange(30) % 6, 6, signal=0))["top5"]["value"] < 1


def test_of_equal_probabilities_the_lower_id_leads_as_in_argmax():
    predictions = made([0, 1, 2], np.full((3, 3), 1 / 3))
    assert true_rank(predictions).tolist() == [0, 1, 2]
    assert (true_rank(predictions) == 0).tolist() == (predictions.predicted == predictions.labels).tolist()


def test_absent_classes_are_left_out_of_the_means_and_named():
    result = evaluate(made([0, 0, 1], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]]))
    assert result["auc_classes_skipped"] == ["c2"]
    assert result["macro_recall"]["value"] == 0.75
    assert result["macro_f1"]["value"] == pytest.approx((2 / 3 + 1) / 2)
    absent = result["per_class"][2]
    assert (absent["support"], absent["recall"]["value"], absent["auc"]) == (0, None, None)
    assert absent["precision"]["value"] == 0  # it was predicted once, wrongly


def test_one_class_alone_has_no_auc():
    result = evaluate(made([0, 0], [[0.8, 0.2], [0.4, 0.6]]))
    assert result["auc"] is None
    assert result["auc_classes_skipped"] == ["c0", "c1"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda p, y: p.__setitem__((1, 0), np.nan), "1.jpg.*NaN"),
        (lambda p, y: p.__imul__(10), "0.jpg.*sum to 1"),
        (lambda p, y: y.__setitem__(2, 3), r"2.jpg.*outside \[0, 3\)"),
    ],
    ids=["nan", "logits", "label"],
)
def test_what_cannot_be_evaluated_names_the_image(change, message):
    predictions = drawn(np.arange(6) % 3, 3)
    change(predictions.probabilities, predictions.labels)
    with pytest.raises(InputError, match=message):
        evaluate(predictions)


def test_no_images_is_an_error():
    with pytest.raises(InputError, match="no predictions"):
        evaluate(made([], np.zeros((0, 3))))


def test_delong_s_variance_is_that_of_repeated_draws():
    truth, runs = [], []
    labels = np.repeat([0, 1, 2], [20, 40, 60])
    for seed in range(400):
        areas = auc.one_vs_rest(drawn(labels, 3, signal=1.0, seed=seed).probabilities, labels)
        truth.append(np.mean(areas.values))
        runs.append((areas.influence**2).sum())
    assert np.mean(runs) == pytest.approx(np.var(truth), rel=0.25)


@pytest.mark.parametrize("sizes", [np.full(20, 20), np.arange(60) % 8 + 1], ids=["20 each", "1 to 8 each"])
def test_bootstrap_and_delong_bounds_hold_the_truth_about_as_often_as_they_say(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    tests = [evaluate(drawn(labels, len(sizes), seed=seed), resamples=200) for seed in range(120)]
    for name in ("macro_recall", "macro_f1", "auc", "loss"):
        truth = np.mean([test[name]["value"] for test in tests])
        held = np.mean([test[name]["low"] <= truth <= test[name]["high"] for test in tests])
        assert 0.87 <= held <= 0.995, (name, held)


@pytest.mark.parametrize("count", [40, 8], ids=["ten each", "two each"])
def test_bounds_of_a_perfect_model_have_a_width_and_stay_in_range(count):
    labels = np.arange(count) % 4
    result = evaluate(made(labels, np.eye(4)[labels]))
    for name in ("top1", "macro_recall", "macro_f1", "auc"):
        assert result[name]["value"] == 1 and 0 < result[name]["low"] < result[name]["high"] == 1, name
    for name in ("macro_recall", "macro_f1"):
        assert result[name]["low"] == pytest.approx(result["top1"]["low"])
    wrong = 1 - result["top1"]["low"]
    assert result["loss"]["low"] >= 0
    assert result["loss"]["high"] == pytest.approx(wrong * np.log(2), abs=1e-6)  # and not 1e-7, as if certain


def test_an_auc_of_0_is_as_uncertain_as_one_of_1():
    labels = np.arange(20) % 2
    right, wrong = (evaluate(made(labels, np.eye(2)[ids]))["auc"] for ids in (labels, 1 - labels))
    assert (wrong["value"], wrong["low"]) == (0, 0)
    assert wrong["high"] == pytest.approx(1 - right["low"]) and 0.1 < wrong["high"] < 0.4


def test_a_single_image_of_a_class_leaves_its_auc_open():
    labels = np.array([0] * 30 + [1])
    auc_of = evaluate(made(labels, np.eye(2)[labels]))["auc"]
    assert auc_of["value"] == 1 and auc_of["low"] < 0.6


def test_whether_the_model_beats_the_commonest_class_is_among_the_figures():
    labels = np.array([0] * 9 + [1] * 3)
    assert evaluate(made(labels, np.eye(2)[np.zeros(12, int)]))["baseline"]["verdict"] == "no better"
    assert evaluate(made(labels, np.eye(2)[labels]))["baseline"]["commonest"] == "c0"


def test_a_thousand_classes_take_a_moment():
    labels = np.arange(5000) % 1000
    predictions = drawn(labels, 1000)
    began = time.process_time()
    evaluate(predictions, resamples=200)
    assert time.process_time() - began < 20  # about 3 s, nearly all of it the AUC's sorts
