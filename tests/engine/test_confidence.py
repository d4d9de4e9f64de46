"""A run that says how sure its model may be, in its own files, in its export and through `kfg predict`."""

import csv
import json
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_recipe

from kfg.__main__ import main
from kfg.data import stores
from kfg.data.index import make_index
from kfg.engine import confidence, runner
from kfg.evaluation import calibration, predict
from kfg.exporting import classifiers
from kfg.exporting import confidence as verdicts
from kfg.models import calibrated
from kfg.repairing.manner import Manner
from kfg.reporting import doubt


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert runner.main(tiny_recipe.RECIPE, ["--data", str(photos), "--out", str(out)]) == 0
    return out / "tiny" / "net" / "seed-0"


def content(run):
    return json.loads((run / "confidence.json").read_text())


def predicted(run, photos, capsys, *words):
    code = main(["predict", str(run), str(photos), *words])
    told = capsys.readouterr()
    return code, list(csv.DictReader(told.out.splitlines(), delimiter="\t")), told.err


def test_the_saved_model_is_calibrated_on_the_validation_images_and_names_the_same_classes(run):
    model, said = keras.saving.load_model(run / "model.keras"), content(run)
    assert calibrated.temperature_of(model) == said["temperature"]
    assert said["model"] == calibrated.fingerprint(model, np.load(run / "strangeness.npz")["bank"])
    answers = predict.read_csv(run / "val_predictions.csv")
    before = calibration.scaled(answers.probabilities, 1 / said["temperature"])
    assert abs(np.log(calibration.temperature(before, answers.labels) / said["temperature"])) < 0.05
    assert (before.argmax(axis=1) == answers.predicted).all()
    test = predict.read_csv(run / "predictions.csv")
    after = calibration.of_answers(test.probabilities, test.labels)["value"]
    assert abs(said["calibration"]["after"]["value"] - after) < 1e-3
    assert said["found_on"] == {"images": len(answers), "kind": "validation images"} == said["temperature_found_on"]


def test_the_report_shows_errors_thresholds_and_the_diagram(run):
    page, said = (run / "report.html").read_text(), content(run)
    assert "How sure the model may be" in page and "expected calibration error" in page
    assert f"{said['calibration']['after']['value']:.3f}" in page and "Prediction sets for 90%" in page
    assert (run / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_the_export_judges_as_the_keras_model_does(run, photos):
    loaded = tf.saved_model.load(str(run / "export"))
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    probabilities, strangeness = loaded.judge(images)
    model = keras.saving.load_model(run / "model.keras")
    judge = calibrated.judge(model, np.load(run / "strangeness.npz")["bank"])
    np.testing.assert_allclose(probabilities, judge(images)[0], atol=1e-5)
    np.testing.assert_allclose(strangeness, judge(images)[1], atol=1e-5)
    np.testing.assert_allclose(loaded.serve(images), probabilities, atol=1e-6)
    assert json.loads((run / "export" / "confidence.json").read_text()) == content(run)


@pytest.mark.parametrize("place", ["", "export", "model.keras"])
def test_every_way_to_the_model_gives_the_same_verdicts(run, photos, place):
    paths = sorted(photos.rglob("*.jpg"))[:20]
    wanted = list(classifiers.load(run).predict(paths))
    found = list(classifiers.load(run / place).predict(paths))
    assert [one.verdict for one in found] == [one.verdict for one in wanted]
    assert {one.verdict for one in wanted} <= {"", "unsure", "none of these"}


def test_predict_tells_verdicts_and_sets(run, photos, capsys):
    code, rows, told = predicted(run, photos, capsys, "--sets", "90%", "--precision-of-answers", "0.6")
    assert "marked as unsure" in told and "60%" in told
    least = classifiers.load(run).confidence.with_sets(0.9).least_likely
    assert code == 0 and {"verdict", "set"} <= rows[0].keys()
    for row in rows:
        names = row["set"].split(" | ") if row["set"] else []
        name = row["class"].removeprefix("none of these (most like ").removesuffix(")")
        assert (float(row["probability"]) >= least) == (name in names)
    code, rows, told = predicted(run, photos, capsys)
    assert "set" not in rows[0] and "marked as unsure" in told  # the threshold is said without being asked for


def test_a_photograph_far_from_all_is_none_of_these(run, tmp_path, photos, capsys):
    said = content(run)
    changed = tmp_path / "run"
    shutil.copytree(run, changed)
    said["none_of_these"]["threshold"] = -1.0  # everything is stranger than this
    (changed / "confidence.json").write_text(json.dumps(said))
    _, rows, _ = predicted(changed, photos, capsys)
    assert {row["verdict"] for row in rows} == {"none of these"}
    assert all(row["class"].startswith("none of these (most like ") for row in rows)  # before the class
    out = tmp_path / "answers.csv"
    assert main(["predict", str(changed), str(photos), "--out", str(out)]) == 0
    count = len(rows)
    assert (
        capsys.readouterr().out == f"{out}: answers for {count} photographs: 0 sure, 0 unsure, {count} none of these\n"
    )
    with open(out, newline="") as file:
        assert {row["class"] for row in csv.DictReader(file)} <= {"blue", "green", "red"}  # in a file as before
    said["none_of_these"]["threshold"], said["unsure"]["threshold"] = 3.0, None
    (changed / "confidence.json").write_text(json.dumps(said))
    _, rows, _ = predicted(changed, photos, capsys)
    assert {row["verdict"] for row in rows} == {"unsure"}


def test_the_thresholds_of_another_model_and_damaged_ones_are_refused(run, tmp_path, photos, capsys):
    changed = tmp_path / "run"
    shutil.copytree(run, changed)
    path = changed / "confidence.json"
    whole = path.read_text()
    for text, words in (
        (json.dumps({**json.loads(whole), "model": "0" * 64}), "holds the thresholds of another model"),
        (json.dumps({**json.loads(whole), "unsure": {}}), "damaged"),
        (whole[: len(whole) // 2], "damaged"),
    ):
        path.write_text(text)
        for place in (changed, changed / "model.keras"):
            code, rows, error = predicted(place, photos, capsys)
            assert code == 2 and not rows and f"{path}: {words}" in error and error.count("\n") == 1
    path.unlink()
    (changed / "export" / "confidence.json").unlink()
    (changed / "export" / "digests.json").unlink()
    code, rows, _ = predicted(changed, photos, capsys)
    assert code == 0 and {row["verdict"] for row in rows} == {""}  # a model of which nothing is known is taken as it is
    code, _, error = predicted(changed, photos, capsys, "--sets", "90%")
    assert code == 2 and "this model has no confidence.json" in error


def test_a_share_that_cannot_be_promised_is_explained_with_a_lower_one_that_can():
    held = {"probability": [0.9] * 60, "true": [0.9] * 60, "right": [1.0] * 59 + [0.0], "weights": [1.0] * 60}
    unsure = {"threshold": 0.9, "precision": 0.95}
    known = verdicts.of_content(
        {"model": "m", "unsure": unsure, "none_of_these": {"threshold": None}, "held_out": held}
    )
    assert known.told() == (
        "Answers with a probability below 0.9000 are marked as unsure, so that 95% of the others are right. On 60 "
        "photographs that the model has not learned from, these were 0.0% of the answers (95% interval 0.0% to "
        "6.0%)."
    )
    assert known.precise(0.99).told() == (
        "All answers are marked as unsure: on 60 photographs that the model has not learned from, even the most "
        "certain answers are wrong too often, or are too few, to promise that 99% are right. Ask for less with "
        "--precision-of-answers 95%. For more, look for wrong labels first (kfg review), then add photographs and "
        "train again."
    )


@pytest.mark.parametrize("words", [("--sets", "0"), ("--sets", "100%"), ("--precision-of-answers", "high")])
def test_a_share_that_is_none_is_refused_before_anything_is_loaded(words, tmp_path, capsys):
    assert main(["predict", str(tmp_path), str(tmp_path), *words]) == 2
    assert f"{words[0]}: expected a share above 0 and below 100%" in capsys.readouterr().err


def of_few(count):
    """Return an index of 60 training images and so many for validation and for test, and answers on all of them."""
    parts = ["train"] * 60 + ["val"] * count + ["test"] * count
    labels = np.arange(len(parts)) % 3
    index = make_index("photos", [f"{n}.jpg" for n in range(len(parts))], labels.tolist(), list("abc"), parts=parts)
    answers = np.random.default_rng(0).dirichlet([1, 1, 1], len(parts)).astype(np.float32)
    answers[np.arange(len(parts)), labels] += 1
    return index, answers / answers.sum(axis=1, keepdims=True)


def settled(count, manner):
    """Return the content of confidence.json of a net with so many validation images, and what the heads answered."""
    index, answers = of_few(count)
    plain = {}
    for part in ("val", "test"):
        at = index.where(part)
        paths = tuple(index.paths[one] for one in at)
        plain[part] = predict.Predictions(paths, index.labels[at], answers[at], index.classes)
    at = np.concatenate([index.where("train"), index.where("val")])
    crossed = confidence.OutOfFold(at, answers[at], raised=manner.raised)
    strangeness = {part: np.linspace(0, 1, count) for part in plain}
    _, content = confidence.thresholds(plain, index, crossed, strangeness=strangeness)
    return content, answers[at], index.labels[at]


def test_with_few_validation_images_the_heads_answers_are_raised_as_the_nets_are():
    manner = Manner(None, bias=np.array([0, 0, 2.0]))
    content, answers, labels = settled(9, manner)
    scaled = calibration.scaled(answers, calibration.temperature(answers, labels))
    assert not np.allclose(manner.raised(scaled), scaled, atol=0.1)
    expected = manner.raised(scaled)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(content["held_out"]["true"], expected, atol=1e-5)


def test_what_the_temperature_was_found_on_is_told_apart_from_the_thresholds():
    content, *_ = settled(9, Manner(None))
    assert (content["temperature_found_on"]["images"], content["found_on"]["images"]) == (9, 69)
    told = str(doubt._calibration(content))
    assert "It was found on 9 images: validation images, which are few, so what was found for simpler" in told
    assert "The thresholds for unsure answers and for sets were found on 69 images: training and validation" in told
    content, *_ = settled(50, Manner(None))
    assert content["temperature_found_on"] == content["found_on"] and content["found_on"]["images"] == 50
    assert "thresholds" not in str(doubt._calibration(content))


@pytest.mark.parametrize("count, share, told", [(9, 0.1, "10%"), (19, 0.05, "5%"), (60, 0.05, "5%")])
def test_fewer_false_alarms_than_the_images_allow_are_not_promised(count, share, told):
    found = settled(count, Manner(None))[0]["none_of_these"]
    assert found["false_alarms"] == pytest.approx(share)
    assert f"{count} validation images to give false alarms for {told}." in doubt._none(found)[0]


def test_heads_out_of_fold_are_shown_each_class_as_often_as_the_run_shows_it(monkeypatch):
    index, _ = of_few(9)
    index = index.take(np.flatnonzero((index.labels != 2) | (np.arange(len(index)) % 4 == 0)))
    asked = {}
    monkeypatch.setattr(confidence.halves, "front", lambda _: None)
    monkeypatch.setattr(confidence.features, "cached", lambda *_, **__: np.zeros((len(index), 2), np.float32))
    monkeypatch.setattr(confidence.out_of_fold, "answers", lambda *_, **given: asked.update(given))
    job = types.SimpleNamespace(model=None, loss=None, data=types.SimpleNamespace(cache_dir=None))
    manner = Manner(None, sampling="balanced", bias=np.zeros(3))
    crossed = confidence.heads_out_of_fold(job, index, None, manner=manner)
    shown = np.bincount(index.labels[crossed.at][asked["shown"](0)])
    assert np.ptp(shown) <= 1 < np.ptp(np.bincount(index.labels[crossed.at]))
    assert crossed.raised == manner.raised
    assert confidence.heads_out_of_fold(job, index, None).raised(3) == 3 and asked["shown"] is None


class Settled(Exception):
    """Stops `settle` once it has asked the model."""


def test_strangeness_is_told_of_each_photograph_once(monkeypatch, tmp_path):
    parts = ["train"] * 20 + ["val"] * 5 + ["test"] * 7  # no multiples of the batch size
    paths = [f"{n}.jpg" for n in range(len(parts))]
    index = make_index("photos", paths, [n % 2 for n in range(len(parts))], ["a", "b"], parts=parts)
    pixels = np.random.default_rng(0).integers(0, 256, (len(parts), 4, 4, 3), dtype=np.uint8)
    images = keras.Input((4, 4, 3))
    features = keras.layers.Flatten(name="features")(images)
    model = keras.Model(images, keras.layers.Dense(2, activation="softmax")(features))

    def thresholds(plain, *_, strangeness):
        raise Settled({name: (len(plain[name]), len(strangeness[name])) for name in plain})

    monkeypatch.setattr(confidence, "thresholds", thresholds)
    with pytest.raises(Settled) as told:
        confidence.settle(model, index, stores.Images(pixels), batch_size=4, cache_dir=tmp_path)
    assert told.value.args[0] == {"val": (5, 5), "test": (7, 7)}
