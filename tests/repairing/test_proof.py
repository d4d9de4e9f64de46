"""What is called proven: beyond doubt over runs and photographs, for the number of remedies, at no one's cost."""

import dataclasses

import numpy as np
import pytest

from kfg.repairing import proof

CLASSES, EACH, RUNS, FOLDS = 6, 60, 3, 5
WEAK = (0, 1)


def asked(*, groups=None):
    labels = np.repeat(np.arange(CLASSES), EACH)
    fold_of = np.stack([np.random.default_rng(run).permutation(len(labels)) % FOLDS for run in range(RUNS)])
    return proof.Asked(labels, fold_of, np.arange(len(labels)) if groups is None else groups, CLASSES, WEAK)


def predicted(one, *, weak, others, seed=0, common=0):
    """Return answers of which about a share is right, in every run others, the same photographs with one `common`."""
    rng = np.random.default_rng(common)
    hard = rng.uniform(size=len(one.labels))[None] + 0.15 * np.random.default_rng(seed).normal(
        size=(RUNS, len(one.labels))
    )
    share = np.where(np.isin(one.labels, WEAK), weak, others)
    return np.where(hard < share, one.labels, (one.labels + 1) % CLASSES).astype(np.int32)


def judged(one, **remedies):
    base = {
        "none": predicted(one, weak=0.5, others=0.9, seed=1),
        "bias": predicted(one, weak=0.55, others=0.9, seed=2),
    }
    return {found.name: found for found in proof.verdicts(one, base | remedies, controls=("none", "bias"))}


def test_a_remedy_that_lifts_the_weak_classes_and_costs_nothing_is_proven():
    one = asked()
    found = judged(one, trunk=predicted(one, weak=0.75, others=0.92, seed=3))
    assert found["trunk"].kept and found["trunk"].p["weak"] < 0.05 and proof.best(list(found.values())).name == "trunk"
    against = found["trunk"].against["bias"]["weak"]
    assert against["low"] > 0 and against["n"] == RUNS * FOLDS and 0.1 < against["mean"] < 0.3
    assert found["trunk"].over_images["weak"]["low"] > 0
    assert not found["none"].kept and found["none"].p == {}


def test_what_takes_from_the_others_is_not_proven():
    one = asked()
    found = judged(one, robber=predicted(one, weak=0.8, others=0.8, seed=3))
    assert found["robber"].against["bias"]["others"]["mean"] < -0.05 and not found["robber"].kept
    assert proof.best(list(found.values())) is None


def test_noise_is_not_proven_however_many_are_tried():
    one = asked()
    kept = 0
    for trial in range(5):
        noise = {f"n{i}": predicted(one, weak=0.55, others=0.9, seed=100 * trial + i, common=0) for i in range(8)}
        kept += sum(found.kept for found in judged(one, **noise).values())
    assert kept == 0


def test_more_remedies_ask_for_more():
    one = asked()
    alone = judged(one, small=predicted(one, weak=0.62, others=0.9, seed=3))["small"].p["weak"]
    others = {f"n{i}": predicted(one, weak=0.55, others=0.9, seed=50 + i) for i in range(9)}
    assert judged(one, small=predicted(one, weak=0.62, others=0.9, seed=3), **others)["small"].p["weak"] > alone


def test_copies_of_a_photograph_are_one_photograph():
    labels = np.repeat(np.arange(CLASSES), EACH)
    copies = labels * 100 + np.arange(len(labels)) % 6  # each class has six different ones
    loose, tight = asked(), asked(groups=copies)
    mended = np.isin(copies, (0, 2, 101))  # three of the twelve are recognised by the remedy alone
    remedy = np.where(mended, labels, predicted(loose, weak=0.5, others=0.9, seed=1))
    width = {
        name: np.ptp([judged(one, x=remedy)["x"].over_images["weak"][key] for key in ("low", "high")])
        for name, one in (("loose", loose), ("tight", tight))
    }
    assert width["tight"] > 1.5 * width["loose"]


def test_one_figure_must_be_clear_in_every_way():
    one = asked()
    found = judged(one, trunk=predicted(one, weak=0.75, others=0.92, seed=3))["trunk"]
    torn = {"weak": {**found.over_images["weak"], "low": -0.1}, "all": found.over_images["all"]}
    doubtful = dataclasses.replace(found, over_images=torn, p={"weak": 0.001, "all": 0.9})
    assert found.clear("weak") and not doubtful.clear("weak") and not doubtful.clear("all")


def test_a_single_weak_class_is_weighed_as_it_is():
    labels = np.repeat(np.arange(3), 40)
    one = proof.Asked(labels, np.tile(np.arange(120) % 5, (2, 1)), np.arange(120), 3, (0,))
    control = np.where((labels == 0) & (np.arange(120) % 2 == 0), 1, labels)[None].repeat(2, axis=0)
    remedy = np.where((labels == 0) & (np.arange(120) % 4 == 0), 1, labels)[None].repeat(2, axis=0)
    found = proof._over_images(one, remedy == labels, control == labels)["weak"]
    assert found["value"] == pytest.approx(0.25)
    spread = (found["high"] - found["low"]) / 2
    assert spread == pytest.approx(1.96 * np.sqrt(0.25 * 0.75 / 40), rel=0.12)  # a quarter of 40 is gained


def test_holm_is_monotone_and_capped():
    assert proof.holm([0.5, 0.9, 0.01]) == pytest.approx([1.0, 1.0, 0.03])
    assert proof.holm([]) == []
