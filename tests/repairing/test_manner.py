"""A repaired run is judged as it answers: on both trunks, mirror images averaged, some classes raised, as sampled."""

import dataclasses
import json

import numpy as np
import pytest

from kfg.data.sampling import epoch_keys
from kfg.errors import InputError
from kfg.evaluation import calibration
from kfg.models import backbones
from kfg.repairing import diagnosis, retraining, screening
from kfg.repairing.crossed import crossed
from kfg.repairing.manner import Manner, shifted
from kfg.repairing.remedies import REMEDIES, controls
from kfg.repairing.trunks import Trunk, second_trunk
from kfg.runs import found
from kfg.training.losses import CrossEntropy
from tests.repairing.test_remedies import case_of
from tests.repairing.test_repair import CLASSES, TRUE, index_of, separable

SETTINGS = {
    "recipe": "folder",
    "config": {
        "backbone": "efficientnet-lite0", "weights": "imagenet", "image_size": [64, 96],
        "second_backbone": "efficientnet-lite2", "mirror_averaged": True, "class_bias": [["bee", 0.5], ["gone", 1]],
    },
    "choices": {"classes": {"treatment": "balanced"}},
}  # fmt: skip


def test_a_run_is_judged_by_what_it_was_made_with(tiny_trunk, monkeypatch):
    index = index_of(TRUE)
    manner = diagnosis.manner_of(SETTINGS, index)
    assert (manner.sampling, manner.mirrored, manner.bias.tolist()) == ("balanced", True, [0, 0.5, 0, 0])
    assert diagnosis.trunk_of(SETTINGS).second == "efficientnet-lite2"
    opinion = {**SETTINGS["config"], "second_backbone": "", "second_opinion": "efficientnet-lite2"}
    assert diagnosis.trunk_of({**SETTINGS, "config": opinion}).second == "efficientnet-lite2"
    plain = diagnosis.manner_of({**SETTINGS, "recipe": "fruit3"}, index)
    assert (plain.mirrored, plain.bias) == (False, None)
    trunk = Trunk("efficientnet-lite0", (32, 32), "none", "efficientnet-lite1")
    assert second_trunk(trunk) is None and trunk.told == "efficientnet-lite0 and efficientnet-lite1"
    monkeypatch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES[tiny_trunk])
    assert Trunk(tiny_trunk, (32, 32), "none", "other").built().output_shape == (None, 2 * 8)


def test_heads_are_shown_what_the_training_is_shown():
    labels, rows = np.array([0] * 30 + [1] * 10), np.arange(40)
    for name in ("balanced", "square-root"):
        order = Manner(CrossEntropy(), name).order(labels, rows, 3)
        assert order(2).tolist() == (epoch_keys(labels, name, seed=3, epoch=2) % 40).tolist()
    weights = Manner(CrossEntropy(), "balanced").weights(labels)
    assert weights[labels == 0].sum() == pytest.approx(20) and weights[labels == 1].sum() == pytest.approx(20)
    assert Manner(CrossEntropy()).weights(labels).tolist() == [1] * 40
    believed = np.arange(5, 40)
    assert set(Manner(CrossEntropy(), "balanced").order(labels, believed, 0)(0)) <= set(believed)


def test_mirror_images_and_raised_classes_decide_what_is_answered():
    index, features = index_of(TRUE), separable(TRUE)
    plain = crossed(index, features, Manner(CrossEntropy()))
    raised = crossed(index, features, Manner(CrossEntropy(), bias=np.array([0, 9.0, 0, 0])))
    np.testing.assert_allclose(raised.answers, shifted(plain.answers, np.array([0, 9.0, 0, 0])), rtol=1e-4)
    upside_down = np.roll(features, len(TRUE) // 2, axis=0)  # mirror images that look like another class
    both = crossed(index, features, Manner(CrossEntropy(), mirrored=True), mirrored=upside_down)
    assert plain.right.all() and both.right.mean() < 0.9


def test_remedies_begin_where_the_run_is():
    case = case_of()
    bias = np.array([0.5, 0, 0])
    own = dataclasses.replace(case, manner=Manner(CrossEntropy(), mirrored=True, bias=bias))
    names = {one.name for one in screening.fitting(REMEDIES, own)[0]}
    assert "flip-averaged" not in names and "larger images" not in names and {"none", "bias", "targeted"} <= names
    unraised = dataclasses.replace(case, manner=Manner(CrossEntropy(), mirrored=True))
    temperature = calibration.temperature(unraised.untreated, case.labels)  # the bias is that of calibrated answers
    np.testing.assert_allclose(own.untreated, shifted(unraised.untreated, temperature * bias), atol=1e-5)
    np.testing.assert_allclose(own.inner, shifted(unraised.inner, temperature * bias), atol=1e-5)
    set_anew = dict(controls.bias_settings(own.untreated, own, index_of(TRUE))["class_bias"])
    assert set_anew[CLASSES[0]] >= 0.5  # on top of what the run has
    keys = {screening.digest(one, "") for one in (case, own, unraised)}
    assert len(keys) == 3


def finished(path, *, of=None, stands=None):
    path.mkdir(parents=True)
    for name in ("config.json", "report.json"):
        (path / name).write_text("{}")
    if of is not None:
        told = {"run": f"../../{of}/seed-0", "changed": []} | ({} if stands is None else {"stands": stands})
        (path / "repair_of.json").write_text(json.dumps(told))
    return path


def test_of_a_run_and_its_repairs_the_last_one_is_taken_and_that_is_said(tmp_path, capsys):
    home = tmp_path / "gulls" / "folder"
    finished(home / "transfer" / "seed-0")
    second = finished(home / "repaired" / "seed-0", of="transfer")
    assert found.only(tmp_path) == second
    assert f"using {second}, which is the repair of {home / 'transfer' / 'seed-0'}" in capsys.readouterr().err
    third = finished(home / "repaired-2" / "seed-0", of="repaired")
    assert found.only(tmp_path) == third
    finished(home / "transfer" / "seed-1")
    with pytest.raises(InputError, match="holds 4 finished runs; choose one of"):
        found.only(tmp_path)


def test_a_repair_that_the_test_images_speak_against_is_passed_over(tmp_path, capsys):
    home = tmp_path / "gulls" / "folder"
    first = finished(home / "transfer" / "seed-0")
    second = finished(home / "repaired" / "seed-0", of="transfer", stands=False)
    assert found.only(tmp_path) == first
    assert f"using {first}; the repair {second} is not to be used, as its page says" in capsys.readouterr().err
    third = finished(home / "repaired-2" / "seed-0", of="transfer", stands=True)
    assert found.only(tmp_path) == third
    said = capsys.readouterr().err
    assert f"using {third}, which is the repair of {first}; the repair {second} is not to be used" in said
    assert found.only(home / "repaired") == second  # asked for by name
    fourth = finished(home / "repaired-3" / "seed-0", of="repaired", stands=True)  # of the one that is passed over
    (third / "repair_of.json").write_text(json.dumps({"run": "../../repaired-3/seed-0", "changed": []}))
    assert found.only(tmp_path) == third
    around = '{"run": "../../repaired-3/seed-0", "stands": false}'  # of itself
    for damaged in ('{"run": "\\u0000"}', '{"run": 5}', '{"run": "", "stands": 0}', around):
        (fourth / "repair_of.json").write_text(damaged)
        with pytest.raises(InputError, match="holds 4 finished runs"):
            found.only(tmp_path)


def differences(*, weak, every, high=0.01):
    arms = {"targeted": {"value": weak}, "all": {"value": every, "high": high}}
    return {"groups": {group: {"arms": {"after": {"difference": one}}} for group, one in arms.items()}}


@pytest.mark.parametrize(
    ("difference", "stands"),
    [
        ({"weak": 0.02, "every": -0.004, "high": -0.001}, True),  # within what a remedy may cost
        ({"weak": 0.02, "every": 0.01}, True),
        ({"weak": 0.02, "every": -0.002}, True),
        ({"weak": 0.0, "every": 0.0}, True),  # too few test images to tell
        ({"weak": None, "every": 0.0}, True),
        ({"weak": 0.0, "every": -0.002}, False),
        ({"weak": None, "every": -0.002}, False),
        ({"weak": 0.02, "every": -0.02, "high": -0.006}, False),
    ],
)
def test_a_repair_stands_unless_the_test_images_speak_against_it(difference, stands, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"config": {"second_opinion": ""}}))
    assert retraining.stands(tmp_path, differences(**difference)) is stands


@pytest.mark.parametrize(
    ("choices", "complete"),
    [
        ({"second opinion": {"trunk": "lite"}, "weight of the second opinion": {"share": 0.3}}, True),
        ({"second opinion": {"trunk": "lite"}, "weight of the second opinion": {"share": 0}}, False),
        ({"second opinion": {"trunk": "", "why": "the head makes too few errors"}}, False),
    ],
)
def test_a_repair_without_the_second_opinion_that_belongs_to_it_does_not_stand(choices, complete, tmp_path):
    settings = {"config": {"second_opinion": "lite"}, "choices": choices}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert retraining.stands(tmp_path, differences(weak=0.02, every=0.01)) is complete
