"""Nets with a temperature behind the softmax: all that knew their last layer still works."""

import keras
import numpy as np
import pytest

from kfg.evaluation import calibration, gradcam
from kfg.models import backbones, calibrated, folding, mirrored, saved, transfer
from kfg.models.branched import BranchedClassifier
from kfg.runs import corrected_answers

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def net():
    keras.utils.set_random_seed(0)
    return backbones.classifier("tiny", num_classes=3, image_size=(32, 32), weights="none")


@pytest.fixture(scope="module")
def plain(tiny_trunk):
    return net()


@pytest.fixture(scope="module")
def cold(plain):
    return calibrated.with_temperature(plain, 0.4)


def bank(plain):
    return calibrated.unit_rows(calibrated.trunk_with_features(plain)(IMAGES))


def test_it_answers_as_numpy_says_and_undone_as_before(plain, cold):
    np.testing.assert_allclose(cold(IMAGES), calibration.scaled(plain(IMAGES), 0.4), atol=1e-6)
    assert calibrated.temperature_of(cold) == 0.4 and calibrated.temperature_of(plain) is None
    assert cold.name == plain.name
    np.testing.assert_array_equal(calibrated.without_temperature(cold)(IMAGES), plain(IMAGES))


def test_saved_and_loaded_it_is_the_same_model_and_another_one_is_not(tmp_path, plain, cold):
    cold.save(tmp_path / "model.keras")
    loaded, rows = saved.load(tmp_path / "model.keras"), bank(plain)
    np.testing.assert_array_equal(loaded(IMAGES), cold(IMAGES))
    assert calibrated.fingerprint(loaded, rows) == calibrated.fingerprint(cold, rows)
    others = [
        calibrated.fingerprint(cold, rows[:2]),
        calibrated.fingerprint(plain, rows),
        calibrated.fingerprint(calibrated.with_temperature(plain, 0.5), rows),
    ]
    assert len({calibrated.fingerprint(cold, rows), *others}) == 4


def test_grad_cam_folding_and_tau_normalisation_see_through_it(plain, cold):
    labels = np.array([0, 1, 2])
    np.testing.assert_allclose(
        gradcam.heatmaps(cold, IMAGES, labels), gradcam.heatmaps(plain, IMAGES, labels), atol=1e-5
    )
    np.testing.assert_allclose(folding.fold(cold)(IMAGES), cold(IMAGES), atol=1e-5)
    trunk, kernel, bias = corrected_answers.dense_head(cold)
    logits = np.asarray(trunk(IMAGES)) @ kernel + bias
    np.testing.assert_allclose(calibration.scaled(np.exp(logits), 1), cold(IMAGES), atol=1e-5)


def test_another_run_begins_from_it(tmp_path, cold):
    cold.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(1)
    new = net()
    new.layers[2].set_weights([weight * 0 for weight in new.layers[2].get_weights()])
    transfer.begin_from(new, tmp_path / "model.keras", replaced=lambda name: name == "head")
    np.testing.assert_array_equal(new.layers[2].get_weights()[0], cold.layers[2].get_weights()[0])


def test_a_photograph_that_was_seen_is_less_strange_than_another(plain, cold):
    judge = calibrated.judge(cold, bank(plain)[:1])
    probabilities, strangeness = judge(IMAGES)
    np.testing.assert_array_equal(probabilities, cold(IMAGES))
    assert abs(float(strangeness[0])) < 1e-5 < float(strangeness[1])
    np.testing.assert_allclose(folding.fold(judge)(IMAGES)[1], strangeness, atol=1e-5)


def test_with_mirror_images_the_photograph_itself_is_judged(plain):
    both = calibrated.with_temperature(mirrored.averaged(plain), 0.4)
    assert calibrated.has_features(both)
    strangeness = calibrated.judge(both, bank(plain)[:1])(IMAGES)[1]
    np.testing.assert_allclose(strangeness, calibrated.judge(plain, bank(plain)[:1])(IMAGES)[1], atol=1e-5)
    labels = np.array([0, 1, 2])
    np.testing.assert_allclose(
        gradcam.heatmaps(both, IMAGES, labels), gradcam.heatmaps(plain, IMAGES, labels), atol=1e-5
    )


@pytest.mark.parametrize("name", ["fbsd", "mmal"])
def test_a_net_of_several_branches_keeps_them(name, attentive_net, tmp_path):
    plain = attentive_net(name)
    cold = calibrated.with_temperature(plain, 0.4)
    images = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    assert isinstance(cold, BranchedClassifier) and not calibrated.has_features(cold)
    cold.save(tmp_path / "model.keras")
    loaded = saved.load(tmp_path / "model.keras")
    assert isinstance(loaded, BranchedClassifier) and calibrated.temperature_of(loaded) == 0.4
    np.testing.assert_allclose(loaded(images), calibration.scaled(plain(images), 0.4), atol=1e-6)
    labels = np.array([0, 1])
    np.testing.assert_allclose(
        gradcam.heatmaps(loaded, images, labels), gradcam.heatmaps(plain, images, labels), atol=1e-4
    )
    assert loaded.training_graph().output.keys() == plain.training_graph().output.keys()


def test_every_class_has_rows_in_the_bank_and_no_more_than_its_photographs():
    labels = np.array([0] * 500 + [1] * 2 + [2] * 500)
    rows = calibrated.chosen_rows(labels, rows=22)
    assert np.bincount(labels[rows]).tolist() == [10, 2, 10] and len(set(rows.tolist())) == 22
    assert calibrated.chosen_rows(labels).size == 1000 and calibrated.chosen_rows(labels[:30]).size == 30
