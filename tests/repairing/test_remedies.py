"""Remedies tried out of fold: what a head answers does not depend on what it must not see."""

import dataclasses
import types

import numpy as np
import pytest

from kfg.repairing import pictures, screening
from kfg.repairing.case import Case, Mixed, Seen
from kfg.repairing.manner import Manner, shifted
from kfg.repairing.remedies import REMEDIES, controls, labels, seeing
from kfg.training.losses import CrossEntropy

CLASSES, EACH, WIDTH, FOLDS = 3, 20, 6, 4


def case_of(*, labels=None, weak=(0,), seed=0, spread=0.6):
    """Return three classes of which two overlap, with everything that remedies need."""
    rng = np.random.default_rng(1)
    true = np.repeat(np.arange(CLASSES), EACH)
    centres = np.array([[1.0, 0, 0, 0, 0, 0], [0.6, 0.6, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0]])

    def looked():
        return (centres[true] + spread * rng.normal(size=(len(true), WIDTH))).astype(np.float32)

    first = np.tile(np.arange(EACH), 2)
    mixed = Mixed(looked()[:40], first, first + EACH, np.full(40, 0.5))
    seen = Seen(
        looked(), views=np.stack([looked(), looked()]), mirrored=looked(), second=looked(), second_mirrored=looked(),
        larger=looked(), mixed=mixed,
    )  # fmt: skip
    fold_of = np.arange(len(true)) % FOLDS
    return Case(seen, true if labels is None else labels, CLASSES, fold_of, weak, {0: 1}, Manner(CrossEntropy()), seed)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_answers_are_probabilities_that_the_labels_of_the_same_fold_do_not_touch(remedy):
    case = case_of()
    found = remedy.answers(case)
    assert found.shape == (len(case), CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-4)
    assert np.mean(found.argmax(axis=1) == case.labels) > 0.6
    labels, at = case.labels.copy(), np.flatnonzero(case.fold_of == 2)
    labels[at] = np.roll(labels[at], 7)  # the same counts, all in other places
    assert (labels[at] != case.labels[at]).any()
    np.testing.assert_allclose(remedy.answers(case_of(labels=labels))[at], found[at], atol=1e-6)


def test_remedies_are_told_apart_by_name_and_say_what_they_do():
    names = [remedy.name for remedy in REMEDIES]
    assert len(set(names)) == len(names) >= 18
    assert all(remedy.said and not remedy.said.endswith(".") for remedy in REMEDIES)
    assert {remedy.name for remedy in REMEDIES if remedy.control} == {"none", "bias", "uniform"}


def test_inner_answers_have_seen_neither_of_two_folds():
    case = case_of()
    inner = case.inner
    assert all(np.isnan(inner[fold, case.fold_of == fold]).all() for fold in range(FOLDS))
    assert all(np.isfinite(inner[fold, case.fold_of != fold]).all() for fold in range(FOLDS))
    labels = case.labels.copy()
    hidden = np.flatnonzero(np.isin(case.fold_of, (0, 1)))
    labels[hidden] = np.roll(labels[hidden], 9)
    np.testing.assert_allclose(
        case_of(labels=labels).inner[0, case.fold_of == 1], inner[0, case.fold_of == 1], atol=1e-6
    )


def test_extra_images_are_of_weak_classes_or_as_many_of_all():
    from kfg.repairing.remedies import augmenting

    case = case_of(weak=(0, 2))
    targeted, uniform = augmenting.extra_of_weak(case), augmenting.extra_of_all(case)
    assert len(targeted) == len(uniform) == 2 * 2 * EACH
    assert set(case.labels[targeted % len(case)].tolist()) == {0, 2} and targeted.min() >= len(case)
    assert set(case.labels[uniform % len(case)].tolist()) == {0, 1, 2} and len(set(uniform.tolist())) == len(uniform)


def test_views_are_shown_as_often_as_their_chance():
    case = case_of()
    chances = np.where(case.labels == 1, 0.0, case.usual_chance)
    shown = np.stack([case.any_view(epoch, chances) for epoch in range(300)])
    assert (shown % len(case) == np.arange(len(case))).all()
    view = shown // len(case)
    assert not view[:, case.labels == 1].any()
    others = view[:, case.labels != 1]
    assert [round(float(np.mean(others == one)), 1) for one in range(3)] == [0.3, 0.3, 0.3]


def test_a_bias_is_tuned_for_the_mean_recall_and_only_on_weak_classes():
    labels = np.array([0] * 10 + [1] * 10)
    answers = np.where(labels[:, None] == 1, [0.1, 0.9], [0.35, 0.65])  # every photograph of class 0 just misses
    assert controls.tuned(answers, labels, (0,)).tolist() == [0.75, 0]
    assert controls.tuned(answers, labels, (1,)).tolist() == [0, 0]
    assert controls.affordable(answers, answers, labels, (0,)) == 2.0  # the most that costs class 1 nothing
    np.testing.assert_allclose(shifted(answers, np.array([np.log(2), 0]))[0], [0.7 / 1.35, 0.65 / 1.35], rtol=1e-6)


def tuned_by_softmax(answers, labels, weak):
    """Return what `controls.tuned` returned when it computed all probabilities anew at each step."""
    bias, counts = np.zeros(answers.shape[1]), np.bincount(labels, minlength=answers.shape[1])
    each = 1 / counts[labels] / np.count_nonzero(counts)
    for _ in range(controls.ROUNDS):
        for label in weak:
            tried = [np.where(np.arange(len(bias)) == label, step, bias) for step in controls.STEPS]
            recalls = [float(each[shifted(answers, one).argmax(axis=1) == labels].sum()) for one in tried]
            bias[label] = controls.STEPS[int(np.argmax(recalls))]
    return bias


@pytest.mark.parametrize("seed", range(6))
def test_a_bias_is_tuned_as_if_all_probabilities_were_computed_at_each_step(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 12, 600)
    answers = rng.dirichlet(np.full(12, 0.3), 600).astype(np.float32)
    answers[np.arange(600), labels] += 0.4
    answers[:, :3] *= 0.3  # the weak classes are named too seldom
    answers[::7] = 0  # equal ones, and probabilities below the smallest
    answers[::7, seed] = answers[::7, 5] = 0.5
    answers = (answers / answers.sum(axis=1, keepdims=True)).astype(np.float32)
    weak = (0, 1, 2, 11)
    found = controls.tuned(answers, labels, weak)
    assert found.tolist() == tuned_by_softmax(answers, labels, weak).tolist() and found[[0, 1, 2]].any()


def test_half_of_what_the_others_gained_is_spent_on_weak_classes():
    labels = np.array([0] * 4 + [1] * 10)
    odds = np.concatenate([np.full(4, -3.0), np.linspace(0.1, 2.8, 10)])  # log-odds of class 1; class 0 is never named
    answers = np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)
    untreated = answers.copy()
    untreated[4:8] = untreated[4:8, ::-1]  # the remedy gained 4 of 10
    step = controls.affordable(answers, untreated, labels, (0,))
    assert controls.others_recall(shifted(answers, np.array([step, 0])), labels, (0,)) == 0.8
    assert step == 0.5 and controls.affordable(untreated, answers, labels, (0,)) == 0.0  # nothing was gained


def test_two_opinions_are_averaged_as_the_model_averages_them():
    case = case_of()
    one, other = case.untreated, case.answers(case.lesson(case.seen.second), asked=[case.seen.second])
    mean = np.sqrt(one * other)
    np.testing.assert_allclose(seeing.second_opinion(case), mean / mean.sum(axis=1, keepdims=True), atol=1e-5)


def test_what_was_answered_is_not_asked_again_and_another_case_is(tmp_path):
    asked = []

    def count(case):
        asked.append(case.seed)
        return np.eye(CLASSES, dtype=np.float32)[case.labels]

    remedy = dataclasses.replace(REMEDIES[0], answers=count)
    cases = [case_of(seed=0), case_of(seed=1)]
    once = screening.screen(cases, [remedy], folder=tmp_path)
    again = screening.screen(cases, [remedy], folder=tmp_path)
    np.testing.assert_array_equal(once[remedy.name], again[remedy.name])
    assert asked == [0, 1] and once[remedy.name].shape == (2, len(cases[0]))
    screening.screen([dataclasses.replace(cases[0], weak=(1,))], [remedy], folder=tmp_path)
    assert asked == [0, 1, 0]
    for file in tmp_path.glob("*.int32"):
        file.write_bytes(file.read_bytes()[:-1])  # a file cut short is made anew
    screening.screen(cases, [remedy], folder=tmp_path)
    assert asked == [0, 1, 0, 0, 1]


def test_remedies_whose_features_were_not_computed_are_not_tried():
    case = dataclasses.replace(case_of(), seen=Seen(case_of().seen.plain))
    names = {remedy.name for remedy in screening.fitting(REMEDIES, case)[0]}
    assert {"none", "bias", "suspects left out", "adjusted loss"} <= names
    assert not names & {"uniform", "second trunk", "larger images", "CutMix of pairs", "flip-averaged"}


def test_pictures_cut_together_show_both_by_their_share():
    from kfg.data.stores import Images

    photographs = np.stack([np.full((20, 30, 3), 10, np.uint8), np.full((20, 30, 3), 200, np.uint8)])
    boxes, share = pictures.boxes(50, (20, 30))
    store = pictures.CutTogether(Images(photographs), np.zeros(50, int), np.ones(50, int), boxes)
    shown = store.gather(np.arange(50))
    np.testing.assert_allclose((shown == 10).all(axis=3).mean(axis=(1, 2)), share)
    assert share.min() < 0.4 and share.max() > 0.8


def test_partners_are_of_the_class_that_takes():
    labels = np.array([0, 0, 1, 1, 1, 2])
    first, second = pictures.pairs(labels, {0: 1, 2: 0})
    assert sorted(set(first.tolist())) == [0, 1, 5] and len(first) == 2 * 3
    assert set(zip(labels[first].tolist(), labels[second].tolist(), strict=True)) == {(0, 1), (2, 0)}


@pytest.fixture
def one_wrong():
    """A case whose first photograph has a wrong label, of the class that is unlike the others."""
    wrong = np.repeat(np.arange(CLASSES), EACH)
    wrong[0] = 2
    return case_of(labels=wrong, spread=0.1)


def test_labels_that_a_person_has_confirmed_are_never_left_out_or_changed(one_wrong):
    seen = labels.contradicted(one_wrong)
    assert seen[0, 1:].all() and not seen[1:].any()
    sure = dataclasses.replace(one_wrong, confirmed=frozenset({0}))
    assert not labels.contradicted(sure).any()
    by_name = {remedy.name: remedy for remedy in REMEDIES}
    kept = [screening._Kept("folder", case) for case in (one_wrong, sure)]
    for name, other in (("suspects left out", True), ("suspects relabelled", True), ("flip-averaged", False)):
        first, second = (one._path(by_name[name]) for one in kept)
        assert (first != second) is other  # answers that an earlier repair kept are taken where they are the same


def test_a_run_without_suspects_learns_from_photographs_that_were_confirmed(one_wrong):
    index = types.SimpleNamespace(parts=["train"] * len(one_wrong), paths=[f"{i}.jpg" for i in range(len(one_wrong))])
    assert labels.left_out_settings(one_wrong, index, None) == {"left_out": ("0.jpg",)}
    sure = dataclasses.replace(one_wrong, confirmed=frozenset({0}))
    assert labels.left_out_settings(sure, index, None) == {"left_out": ()}
