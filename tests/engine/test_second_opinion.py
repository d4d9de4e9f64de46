"""How much a second opinion counts is found on validation images."""

import types

import numpy as np
import pytest

from kfg.engine import second_opinion
from kfg.engine.second_opinion import share_of_second
from kfg.errors import InputError
from kfg.evaluation import posthoc
from kfg.models import opinions
from kfg.recipes.folder_settings import Config
from kfg.runs import choices, results_file


def answers(labels, *, strength, seed):
    """Return probabilities (N, 3) that favour the labels by `strength` log-odds, beside noise."""
    noise = np.random.default_rng(seed).normal(size=(len(labels), 3))
    return posthoc.softmax(noise + strength * np.eye(3)[labels])


LABELS = np.random.default_rng(0).integers(0, 3, 300)


@pytest.mark.parametrize("strength, low, high", [(0.0, 0.0, 0.0), (1.0, 0.1, 0.4), (2.0, 0.4, 0.6), (3.0, 0.55, 0.8)])
def test_the_better_a_second_opinion_the_more_it_counts(strength, low, high):
    net, second = answers(LABELS, strength=2.0, seed=1), answers(LABELS, strength=strength, seed=2)
    assert low <= share_of_second(net, second, LABELS) <= high


def test_a_few_images_hardly_move_the_weight_from_one_half():
    few = LABELS[:4]
    net, second = answers(few, strength=9.0, seed=1), answers(few, strength=0.0, seed=2)
    assert 0.25 <= share_of_second(net, second, few) <= 0.5
    assert share_of_second(net, net, few) == 0.5


def test_the_scale_of_both_together_does_not_matter():
    net, second = answers(LABELS, strength=2.0, seed=1), answers(LABELS, strength=1.5, seed=2)
    firmer = [posthoc.softmax(3 * np.log(one)) for one in (net, second)]
    assert share_of_second(*firmer, LABELS) == pytest.approx(share_of_second(net, second, LABELS), abs=0.051)


def test_where_classes_count_the_same_a_rare_one_has_its_say():
    labels = np.array([0] * 280 + [1] * 20)
    rare = np.where(labels == 1, 4.0, 0.0)[:, None] * np.eye(3)[labels]  # only the second net knows the rare class
    net, second = answers(labels, strength=2.0, seed=1), answers(labels, strength=0.0, seed=2)
    second = posthoc.softmax(np.log(second) + rare)
    assert share_of_second(net, second, labels, equal=True) > share_of_second(net, second, labels) + 0.1


def test_both_nets_together_keep_to_the_parameters_allowed():
    config = Config(image_size=(32, 32), weights="none", second_opinion="efficientnet-lite2")
    nets = [second_opinion.net(name, config, 40, 0) for name in (config.backbone, config.second_opinion)]
    whole = opinions.averaged(*nets).count_params()
    for allowed in (None, whole):
        second_opinion.check_budget(config, types.SimpleNamespace(max_params=allowed), 40)
    with pytest.raises(InputError, match=f"{whole:,}"):
        second_opinion.check_budget(config, types.SimpleNamespace(max_params=whole - 1), 40)


@pytest.mark.parametrize(
    ("left", "trunk", "told_apart_by"), [(199, "", {"second opinion": ""}), (201, "efficientnet-lite2", {})]
)
def test_runs_without_time_for_a_second_opinion_are_told_apart(monkeypatch, left, trunk, told_apart_by):
    for module, name in ((second_opinion, "net"), (second_opinion, "_learned"), (second_opinion.stores, "Chosen")):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(second_opinion.halves, "front", lambda _: None)
    monkeypatch.setattr(second_opinion.features, "seconds", lambda *_, **__: 80.0)
    monkeypatch.setattr(second_opinion.features, "rate", lambda *_: 30.0)  # 10 s for three passes over 100 images
    monkeypatch.setattr(second_opinion.planning, "head_rate", lambda *_: 4000.0)  # 10 s for 40 epochs
    job = types.SimpleNamespace(seed=0, model=None, data=types.SimpleNamespace(cache_dir=None))
    parts = {"train": range(1000), "val": range(100)}
    index = types.SimpleNamespace(classes=("a", "b"), where=parts.get)
    config = Config(second_opinion="efficientnet-lite2")
    learning = {"optimizer": lambda: None, "loss": None, "batch_size": 64, "epochs": 40, "schedule": None}
    plan = second_opinion.planned(config, job, index, None, left=left, **learning)
    assert plan["trunk"] == trunk and plan["seconds expected"] == 100
    assert results_file.choices({"config": {}, "choices": {choices.SECOND: plan}}) == told_apart_by
