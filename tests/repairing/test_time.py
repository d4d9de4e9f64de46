"""What there is no time for is left out and said; what was computed once is not computed again."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from kfg.data import fingerprints
from kfg.data.stores import Images
from kfg.engine import second_opinion
from kfg.errors import InputError
from kfg.models import opinions
from kfg.recipes.folder_settings import Config
from kfg.repairing import after_training, diagnosis, findings, looking, looks, needs, repair, screening, trial
from kfg.repairing.case import Case, Seen
from kfg.repairing.crossed import crossed
from kfg.repairing.decided import Decided
from kfg.repairing.manner import Manner
from kfg.repairing.remedies import REMEDIES
from kfg.repairing.trunks import Trunk
from kfg.training import out_of_fold
from kfg.training.losses import CrossEntropy
from kfg.training.out_of_fold import Pace, TooLong
from tests.repairing.test_remedies import case_of
from tests.repairing.test_repair import CLASSES, TRUE, answers, diagnosed, index_of, separable

PLAIN = Manner(CrossEntropy())


def test_the_pace_of_the_first_steps_decides_whether_heads_learn(monkeypatch):
    clock = itertools.count()  # a second from one look at it to the next
    monkeypatch.setattr(out_of_fold.time, "monotonic", lambda: next(clock))
    patient = Pace(steps=90, limit=30.0)
    for _ in range(90):
        patient.check(lambda: None)
    with pytest.raises(TooLong) as error:
        for hurried in [Pace(steps=91, limit=30.0)] * 91:
            hurried.check(lambda: None)
    assert error.value.expected == pytest.approx(91 / out_of_fold.TIMED)


@pytest.mark.parametrize(
    "left, divisions, said", [(400, 4, ""), (350, 2, "once, not 2 times."), (150, 1, "that have learned from all")]
)
def test_of_little_time_the_first_pass_makes_most(left, divisions, said, monkeypatch):
    made, clock = [], itertools.count(step=100)  # a pass takes 100 seconds

    def answers(features, labels, fold_of, **options):
        made.append(options["limit"])
        return np.eye(4, dtype=np.float32)[labels]

    monkeypatch.setattr(out_of_fold, "answers", answers)
    monkeypatch.setattr("kfg.repairing.crossed.time.monotonic", lambda: next(clock))
    found = crossed(index_of(TRUE), separable(TRUE), PLAIN, left=left)
    assert len(made) == divisions and made[0] == left and math.inf in [*made[1:], math.inf]
    assert said in found.said and bool(said) == bool(found.said)


class Job:
    """What judging asks of a job: a model with a layer `features`, and a cache."""

    def __init__(self, cache_dir):
        import keras

        images = keras.Input((4, 4, 3))
        rows = keras.layers.Flatten(name="features")(keras.layers.Rescaling(1 / 255)(images))
        self.model = keras.Model(images, keras.layers.Dense(4, activation="softmax")(rows))
        self.data = type("Data", (), {"cache_dir": cache_dir})
        self.workdir = cache_dir / "run"


def test_a_training_judges_its_classes_within_its_share_or_says_that_it_does_not(tmp_path, monkeypatch):
    colours = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [90, 90, 90]], np.uint8)
    pictures = Images(np.repeat(colours[TRUE], 16, axis=0).reshape(-1, 4, 4, 3))
    index, job = index_of(TRUE), Job(tmp_path)
    judged = after_training.diagnosed(job, index, pictures, PLAIN, limit=60)
    assert judged.found.crossed.right.all() and judged.why == ()
    title, body = after_training.section(judged, tmp_path / "seed-0")
    assert title == "What to do next" and "No class is weak" in body
    late = after_training.diagnosed(job, index, pictures, PLAIN, limit=0)
    assert late.found is None
    assert "not looked for, for lack of time: with 160 photographs and 4 classes it takes about" in late.why[0]
    title, body = after_training.section(late, tmp_path / "seed-0")
    assert title == "What to do next" and f"kfg repair {tmp_path / 'seed-0'}" in body and "not looked for" in body
    alike = dataclasses.replace(index, groups=np.zeros(len(index), int))
    assert "near-duplicates of each other" in after_training.diagnosed(job, alike, pictures, PLAIN, limit=60).why[0]


def test_looks_that_take_too_long_are_left_out():
    store = Images(np.zeros((200, 8, 8, 3), np.uint8))
    assert looks.of_store(store, left=0) is None and looks.of_store(store) is not None


def test_curves_are_measured_once_and_not_at_all_without_time(tmp_path, monkeypatch):
    index, features = index_of(TRUE), separable(TRUE)
    with pytest.raises(TooLong):
        needs.measured(index, features, PLAIN, cache_dir=tmp_path, left=0)
    once = needs.measured(index, features, PLAIN, cache_dir=tmp_path)
    monkeypatch.setattr(needs, "_right", lambda *_: pytest.fail("measured again"))
    again = needs.measured(index, features, PLAIN, cache_dir=tmp_path, left=0)
    np.testing.assert_array_equal(once.recall, again.recall)
    assert once.said(0).startswith("classifiers that learn from 20, 40, 60, 80 and 100% of the photographs recognise")
    assert (
        set(once.as_json(0)) == {"recall", "clear rise", "with twice as many"}
        and list(once.as_json(0)["recall"])[-1] == "100%"
    )


def slow(seconds):
    """Return remedies that answer at once by a clock of their own, and the clock."""
    now = [0.0]

    def takes(one, answers):
        def tried(case):
            now[0] += seconds.get(one.name, 1.0)
            return np.eye(case.classes, dtype=np.float32)[case.labels]

        return dataclasses.replace(one, answers=tried)

    return [takes(one, one.answers) for one in REMEDIES], now


def test_remedies_that_promise_most_are_tried_first_and_what_does_not_fit_is_left_out(monkeypatch):
    remedies, now = slow({"flip-averaged": 40.0})
    monkeypatch.setattr(screening.time, "monotonic", lambda: now[0])
    cases = [case_of(seed=0), case_of(seed=1)]
    found = screening.screen(cases, remedies, left=lambda: 60 - now[0])
    tried = set(found)
    assert {"none", "bias", "second opinion"} <= tried  # before the flips, of which one case took 40 s
    assert "flip-averaged" not in tried and "uniform" not in tried  # as slow as the slowest, they would not fit
    assert list(found) == [one.name for one in remedies if one.name in tried]
    assert set(screening.screen(cases, remedies)) == {one.name for one in remedies}


def test_features_that_take_too_long_are_named_with_what_needs_them(tmp_path, monkeypatch, capsys):
    def seconds(trunk, images, *_, views=None, **__):
        return len(images) * (views.count if views else 1) / 2.0

    monkeypatch.setattr(looking.features, "seconds", seconds)
    index = index_of(TRUE)
    eyes = looking.Eyes(index, Trunk("efficientnet-lite0", (32, 32), "none"), diagnosis.VIEWS, tmp_path)
    drawn = Images(np.zeros((160, 32, 32, 3), np.uint8), key="drawn")  # in place of decoded photographs
    vars(eyes).update(images=drawn, larger_images=drawn, first_trunk=None, other_trunk=None)
    monkeypatch.setattr(looking.Eyes, "plain", lambda self: separable(TRUE))
    seen = looking.look(eyes, takers={}, left=lambda: 30.0)
    assert seen.missing["mirrored"] == "for lack of time: mirror images would take about 1.3 min"
    assert "Not tried, for lack of time: mirror images would take about 1.3 min." in capsys.readouterr().out
    assert seen.missing["mixed"] == "no photographs of weak classes are taken for another class"
    case = dataclasses.replace(case_of(), seen=seen)
    flipped = next(one for one in REMEDIES if one.name == "flip-averaged")
    assert screening.unfit(flipped, case) == seen.missing["mirrored"]
    assert not {"images", "larger_images", "first_trunk", "other_trunk"} & vars(eyes).keys()  # gigabytes, not needed


def test_a_second_trunk_with_too_many_parameters_is_not_tried(tmp_path):
    trunk = Trunk("efficientnet-lite0", (32, 32), "none")
    eyes = looking.Eyes(index_of(TRUE), trunk, diagnosis.VIEWS, tmp_path)
    config = Config(image_size=(32, 32), weights="none")
    nets = [second_opinion.net(name, config, len(CLASSES), 0) for name in (trunk.backbone, "efficientnet-lite2")]
    whole = opinions.averaged(*nets).count_params()
    assert looking._no_second(eyes, whole) == looking._no_second(eyes, None) == ""
    said = f"with it the network would have {whole:,} parameters, more than the {whole - 1:,} that are allowed"
    assert looking._no_second(eyes, whole - 1) == said


def test_without_time_for_it_no_training_is_begun(monkeypatch, tmp_path):
    verdict = type("Verdict", (), {"name": "flip-averaged"})
    tried = trial.Trial([], [], 1.0)
    monkeypatch.setattr(trial.Trial, "best", verdict)
    eyes = looking.Eyes(None, None, None, None)
    found = findings.Diagnosis(None, [], {}, [], None, eyes, PLAIN)
    work = repair._Work(tmp_path, tmp_path, found, [], 100.0, 0.0, lambda: 5.0)
    monkeypatch.setattr(trial, "settings", lambda *_: {"mirror_averaged": True})
    monkeypatch.setattr(repair.retraining, "base", lambda *_: diagnosis.Config())
    monkeypatch.setattr(repair.retraining, "keeping_net", lambda run, config, changed: config)
    made, late = work.trained(tried, None)
    assert made is None and late.startswith("For lack of time, it was not applied")


def test_less_time_than_a_look_at_the_photographs_takes_is_refused(tmp_path, monkeypatch):
    trunk = Trunk("efficientnet-lite0", (32, 32), "none")
    eyes = looking.Eyes(index_of(TRUE), trunk, diagnosis.VIEWS, tmp_path)
    vars(eyes)["first_trunk"] = None
    monkeypatch.setattr(looking.decoded, "load", lambda *_, **__: None)
    monkeypatch.setattr(looking.features, "rate", lambda *_, **__: 2.0)
    with pytest.raises(
        InputError, match=r"--time-budget: looking at 160 photographs takes about 1.3 min, but only 10 s"
    ):
        eyes.check_time(10.0)
    eyes.check_time(100.0)


def test_each_photograph_is_read_once(tmp_path, monkeypatch):
    from kfg.repairing.photographs import as_they_were

    read = []

    def one(root, paths, progress=None):
        read.extend(paths)
        return [fingerprints.Fingerprint(path) for path in paths]

    monkeypatch.setattr(fingerprints, "read", one)
    monkeypatch.setattr(fingerprints, "group", lambda prints, known: np.arange(len(prints)))
    (tmp_path / "classes.json").write_text('["ant"]')
    rows = [{"path": f"ant/{i}.jpg", "class": "ant", "part": "train"} for i in range(3)]
    first = as_they_were(tmp_path, tmp_path, rows[:2])
    known = dict(zip(first.index.paths, first.prints, strict=True))
    assert len(as_they_were(tmp_path, tmp_path, rows, known=known).index) == 3
    assert read == ["ant/0.jpg", "ant/1.jpg", "ant/2.jpg"]


def test_what_there_was_no_time_for_is_among_the_lines():
    found = answers([95, 95, 95, 4], [100, 100, 100, 6])
    told = findings.lines(diagnosed(found, second="efficientnet-lite2", said=("No time.",)))
    assert "on features of efficientnet-lite0 and efficientnet-lite2" in told[0] and told[1] == "No time."
    assert "Not judged, because they have fewer than 10 training and validation photographs: dog (6)." in told


@pytest.mark.parametrize("closing, looks, tries, trains", [(0, 50, 75, 75), (40, 100 / 3, 50, 60)])
def test_time_is_kept_for_the_end_of_the_new_run(closing, looks, tries, trains, monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(trial, "tried", lambda found, **asked: given.update(asked))
    repair._Work(None, tmp_path, None, [], 100.0, closing, lambda: 100.0).tried(None)
    assert given["to_look"]() == pytest.approx(looks) and given["left"]() == pytest.approx(tries)
    assert repair._for_training(100.0, closing) == pytest.approx(trains)


@pytest.mark.parametrize(
    "settings, times",
    [
        ({"config": {"mirror_averaged": False}}, 3),
        ({"config": {"mirror_averaged": True}}, 1),
        ({"config": {}, "choices": {"second opinion": {"trunk": "efficientnet-lite2"}}}, 1),
    ],
)
def test_the_end_of_a_run_that_averages_already_is_not_multiplied(settings, times, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert repair._closing(tmp_path) == 0
    (tmp_path / "clock.json").write_text('{"seconds": 100, "closing": 20}')
    assert repair._closing(tmp_path) == 20 * times


def test_what_remedies_share_is_trained_once_and_answers_are_those_of_a_fresh_case(monkeypatch):
    trained, plain = [], Case.taught
    monkeypatch.setattr(Case, "taught", lambda self, *a, **k: trained.append(1) or plain(self, *a, **k))
    case, first = case_of(), sorted(REMEDIES, key=lambda one: one.turn)[:5]
    assert {one.name for one in first} >= {"none", "bias", "second opinion, flip-averaged, raised"}
    answered = [one.answers(case) for one in first]
    assert len(trained) == 4  # heads, and those for the inner answers, on both trunks
    for one, found in zip(first, answered, strict=True):
        np.testing.assert_array_equal(found, one.answers(case_of()))
    case.forget()
    np.testing.assert_array_equal(answered[1], first[1].answers(case))


def test_remedies_know_which_labels_a_person_has_confirmed():
    found = diagnosed(answers([60, 95, 95, 95], [100] * 4))
    sure = dataclasses.replace(found.evidence, decided=Decided(confirmed=frozenset({7})))
    cases = trial.cases_of(dataclasses.replace(found, evidence=sure), Seen(np.zeros((400, 2), np.float32)))
    assert [case.confirmed for case in cases] == [{7}] * screening.SEEDS
