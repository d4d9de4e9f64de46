"""Why classes are weak: planted causes are named, a clean set has none."""

import csv
import dataclasses
import itertools
import json
import math
import shutil
import types

import numpy as np
import pytest
from bare import bare_runs
from PIL import Image, ImageFilter

from kfg.__main__ import main
from kfg.data import folder
from kfg.data.fingerprints import Fingerprint
from kfg.data.index import make_index
from kfg.data.stores import Images
from kfg.errors import InputError
from kfg.evaluation.intervals import wilson
from kfg.repairing import after_training, causes, diagnosis, findings, looking, looks, outcome, page, weakness
from kfg.repairing import crossed as crossed_module
from kfg.repairing.crossed import Crossed, crossed
from kfg.repairing.manner import Manner
from kfg.repairing.trunks import Trunk
from kfg.reviewing import suspicions
from kfg.training.losses import CrossEntropy

CLASSES = ("ant", "bee", "cat", "dog")
EACH = 40


def index_of(labels, *, groups=None):
    paths = [f"{CLASSES[label]}/{i}.jpg" for i, label in enumerate(labels)]
    return make_index("photos", paths, labels, CLASSES, parts=["train"] * len(labels), groups=groups)


def separable(labels, *, seed=0):
    """Return features as a trunk gives them: 64 numbers, the classes well apart."""
    centres = 2.7 * np.random.default_rng(9).normal(0, 1, (len(CLASSES), 64))
    return (centres[labels] + np.random.default_rng(seed).normal(0, 1, (len(labels), 64))).astype(np.float32)


def told(index, given):
    """Return photographs of which each is firmly taken for the class given."""
    answers = np.eye(len(CLASSES), dtype=np.float32)[given]
    return Crossed(index, answers, answers)


def evidence(labels, features=None, *, groups=None, print_of=lambda i: {}, sharpness=lambda labels, sharp: sharp):
    """Return what the causes look at; without features every photograph is recognised."""
    labels, rng, index = np.asarray(labels), np.random.default_rng(1), index_of(labels, groups=groups)
    found = told(index, labels) if features is None else crossed(index, features, Manner(CrossEntropy()))
    plain = {"format": "JPEG"}
    prints = [Fingerprint(str(i), **{"size": (100, 80 + i), **plain, **print_of(i)}) for i in range(len(labels))]
    sharp, bright, rich = (rng.uniform(low, high, len(labels)) for low, high in ((0.02, 0.2), (80, 160), (30, 60)))
    return causes.Evidence(found, prints, looks.Looks(sharpness(labels, sharp), bright, rich))


def kinds(found):
    """Return the first cause of each class."""
    of_class = {name: causes.of_class(found, label) for label, name in enumerate(CLASSES)}
    return {name: [cause.kind for cause in found[:1]] for name, found in of_class.items()}


TRUE = np.repeat(np.arange(4), EACH)
NONE = {name: [] for name in CLASSES}


def test_a_clean_set_has_no_cause_and_no_suspect():
    found = evidence(TRUE, separable(TRUE))
    assert kinds(found) == NONE
    assert len(found.crossed.suspects()) == 0


def test_wrong_labels_are_the_suspects_and_the_cause_of_their_class():
    given, wrong = TRUE.copy(), np.array([0, 1, 2, 3, 4, 80, 81, 82, 83, 84])
    given[wrong] = 1  # ants and cats that are called bees
    found = evidence(given, separable(TRUE))
    assert sorted(found.crossed.suspects().tolist()) == wrong.tolist()
    assert set(found.crossed.likelier[wrong].tolist()) == {0, 2}
    assert kinds(found) == {**NONE, "bee": ["labels"]}
    cause, *_ = causes.of_class(found, 1)
    assert "10 of its 50 photographs seem to be labelled wrongly" in cause.said and set(cause.photographs) == set(wrong)


def test_classes_that_are_hard_but_rightly_labelled_are_not_called_mislabelled():
    rng = np.random.default_rng(4)
    features = separable(TRUE)
    features[: 2 * EACH] = rng.normal(0, 0.2, (2 * EACH, 64))
    features[: 2 * EACH, 0] = rng.normal(np.where(TRUE[: 2 * EACH] == 0, 80, -80), 80)  # ants and bees overlap
    found = evidence(TRUE, features)
    assert 0.6 < found.crossed.right[: 2 * EACH].mean() < 0.95
    assert len(found.crossed.suspects())  # some are far on the other side
    assert "labels" not in {kind for of_class in kinds(found).values() for kind in of_class}


@pytest.mark.parametrize("few, many", [(40, 400), (20, 200), (8, 100), (2, 60)])
def test_a_rare_class_that_a_large_one_swallows_is_not_called_the_same_class(few, many):
    labels = np.repeat([0, 1, 2, 3], [few, many, many, many])
    answers = np.eye(4, dtype=np.float32)[labels] * 0.9
    answers[:few, 1], answers[:few, 0] = 0.7, 0.3  # every ant is taken for a bee, though bees look less like ants
    found = Crossed(index_of(labels), answers, answers)
    assert causes.one_class(causes.Evidence(found, [], None), 0) is None


def test_what_is_known_of_each_photograph_is_computed_once_and_not_for_each_class(monkeypatch):
    given = np.where(np.arange(len(TRUE)) % EACH < 6, (TRUE + 1) % 4, TRUE)  # six of each class look like the next
    found, calls = told(index_of(TRUE), given), []
    real = crossed_module._others
    monkeypatch.setattr(crossed_module, "_others", lambda *given: calls.append(1) or real(*given))
    seen = causes.Evidence(found, None, None)
    assert next(cause.kind for cause in causes.of_all(seen)[2]) == "labels" and len(calls) <= 2
    queue = types.SimpleNamespace(crossed=found, index=found.index)
    assert len(list(suspicions.labels(queue))) == 24 and len(calls) <= 2


def test_two_classes_that_are_one_are_named_and_not_called_mislabelled():
    labels = np.repeat(np.arange(4), 100)
    features = separable(np.where(labels == 0, 1, labels))  # ants look like bees
    assert kinds(evidence(labels, features)) == {**NONE, "ant": ["one-class"], "bee": ["one-class"]}


@pytest.mark.parametrize("each, found", [(10, False), (100, True)])
def test_two_classes_of_few_photographs_are_not_called_one_by_chance(each, found):
    """The right one of each pair is picked in 60% of the cases; of ten photographs each that may be 75% as well."""
    labels = np.repeat([0, 1], each)
    even = np.tile(np.linspace(0.3, 0.7, each), 2)
    answers = np.stack([even + np.where(labels == 0, 0.09, 0), 1 - even, 0 * even, 0 * even], axis=1).astype(np.float32)
    seen = causes.Evidence(Crossed(index_of(labels), answers, answers), None, None)
    cause = causes.one_class(seen, 0)
    assert (cause is not None) == found
    assert not found or "picked in 60% of the cases (95% interval 52% to 68%)" in cause.said


def test_near_duplicates_do_not_count_as_photographs():
    groups = np.arange(len(TRUE))
    groups[:30] = groups[:30] // 10 * 10  # 40 ants, of which 30 are three
    found = evidence(TRUE, groups=groups)
    assert kinds(found) == {**NONE, "ant": ["alike"]}
    assert "only 13 of its 40 photographs are different" in causes.of_class(found, 0)[0].said


def test_a_class_of_few_photographs_is_named_and_a_small_set_is_not():
    few = np.concatenate([TRUE[: EACH * 3], [3] * 8])
    assert kinds(evidence(few)) == {**NONE, "dog": ["few"]}
    small = np.repeat(np.arange(4), 12)
    assert kinds(evidence(small)) == NONE


def test_a_blurred_class_is_named():
    found = evidence(TRUE, sharpness=lambda labels, sharp: np.where(labels == 2, sharp / 30, sharp))
    assert kinds(found) == {**NONE, "cat": ["quality"]}
    assert "blurred" in causes.of_class(found, 2)[0].said


def test_a_blurred_part_of_a_class_is_named_if_it_is_recognised_less_often():
    blurred = np.flatnonzero(TRUE == 2)[: EACH // 4]
    looked = evidence(TRUE, sharpness=lambda labels, sharp: np.where(np.isin(np.arange(len(TRUE)), blurred), 0, sharp))
    assert kinds(looked) == NONE  # these are recognised like the others
    given = TRUE.copy()
    given[blurred[1:]] = [0, 1, 3, 0, 1, 3, 0, 1, 3][: len(blurred) - 1]
    found = dataclasses.replace(looked, crossed=told(index_of(TRUE), given))
    (cause,) = (one for one in causes.of_class(found, 2) if one.kind == "quality")
    assert cause.photographs[: len(blurred)] == tuple(blurred.tolist())  # then two that are poor by chance
    assert "12 of its 40 photographs are blurred" in cause.said
    assert "25% of these are recognised, but 100% of its better ones" in cause.said
    film = np.arange(len(TRUE))
    film[blurred] = blurred[0]  # one burst of a camera: not ten photographs, but one
    groups = dataclasses.replace(index_of(TRUE), groups=film)
    burst = dataclasses.replace(looked, crossed=told(groups, given))
    assert "quality" not in {one.kind for one in causes.of_class(burst, 2)}


@pytest.mark.parametrize(
    "of_class, word",
    [({"grey": True}, "are grey"), ({"format": "PNG"}, "are PNG files"), ({"size": (64, 64)}, "64 x 64 pixels")],
)
def test_something_besides_the_object_that_tells_a_class_is_named(of_class, word):
    found = evidence(TRUE, print_of=lambda i: of_class if i < EACH else {})
    assert kinds(found) == {**NONE, "ant": ["shortcut"]}
    assert word in causes.of_class(found, 0)[0].said
    everywhere = evidence(TRUE, print_of=lambda i: of_class)
    assert kinds(everywhere) == NONE


def test_a_class_that_another_takes_is_told_which():
    given = np.where(np.arange(4 * EACH) < 12, 1, TRUE)  # 12 of 40 ants are taken for bees, no bee for an ant
    found = told(index_of(TRUE), given)
    taken = causes.look_alike(causes.Evidence(found, [], None), 0)
    assert (taken.kind, taken.other, taken.photographs) == ("look-alike", 1, tuple(range(12)))
    assert taken.said == "30% of its photographs are taken for bee, and 0% of the photographs of bee are taken for it"
    assert causes.look_alike(causes.Evidence(found, [], None), 1) is None


@pytest.mark.parametrize(
    "bees, back, kinds_found", [(90, 0, ["prior", "look-alike"]), (90, 36, ["look-alike"]), (60, 0, ["look-alike"])]
)
def test_a_class_that_a_larger_one_takes_is_outnumbered(bees, back, kinds_found):
    labels = np.repeat([0, 1, 2, 3], [40, bees, 40, 40])
    given = labels.copy()
    given[:12] = 1  # of 40 ants, 12 are taken for bees
    given[40 : 40 + back] = 0
    found = causes.of_class(causes.Evidence(told(index_of(labels), given), [], None), 0)
    found = [cause for cause in found if cause.kind != "labels"]  # these answers are too firm for mistakes
    assert [cause.kind for cause in found] == kinds_found
    if "prior" in kinds_found:
        assert found[0].said.startswith(
            "30% of its 40 photographs are taken for bee, of which there are 90: in case of"
        )


def answers(hits, images):
    """Return answers of which so many of a class are right, the others going to the next class."""
    labels = np.repeat(np.arange(4), images)
    pairs = enumerate(zip(hits, images, strict=True))
    given = np.concatenate([np.where(np.arange(n) < k, c, (c + 1) % 4) for c, (k, n) in pairs])
    return told(index_of(labels), given)


def diagnosed(answered, why=None, *, target=None, left_out=(), second="", said=()):
    """Return the Diagnosis of answered photographs of which nothing else was measured; `why` are the causes."""
    eyes = looking.Eyes(answered.index, Trunk("efficientnet-lite0", (32, 32), second=second), None, None)
    evidence, recalls = causes.Evidence(answered, None, None), weakness.recalls(answered, target=target)
    why = {label: [] for label in range(4)} if why is None else why
    return findings.Diagnosis(evidence, recalls, why, left_out, target, eyes, Manner(CrossEntropy()), said)


def test_weak_is_what_lies_below_the_mean_with_its_whole_interval():
    found = weakness.recalls(answers([60, 95, 95, 2], [100, 100, 100, 4]))
    assert [one.weak for one in found] == [True, False, False, False]  # two of four could be chance
    assert (found[0].right, found[0].images, found[0].value) == (60, 100, 0.6)
    assert found[0].low == pytest.approx(0.502, abs=0.001) and found[0].high == pytest.approx(0.691, abs=0.001)
    assert not any(one.weak for one in weakness.recalls(answers([95, 95, 95, 95], [100] * 4)))
    assert all(one.weak for one in weakness.recalls(answers([90, 90, 90, 90], [100] * 4), target=0.99))


def test_copies_of_few_photographs_do_not_make_a_class_weak():
    """Three of ten photographs are not recognised; ten copies of each say no more than one."""
    found = answers([70, 95, 95, 95], [100, 100, 100, 100])
    groups = np.arange(400)
    groups[:100] = groups[:100] // 10
    copied = dataclasses.replace(found, index=dataclasses.replace(found.index, groups=groups))
    plain, grouped = (weakness.recalls(one)[0] for one in (found, copied))
    assert plain.weak and not grouped.weak
    assert (grouped.low, grouped.high) == pytest.approx(wilson(7, 10))


def test_sharpness_is_measured_at_one_size_and_blur_is_seen():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    sharp = np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC))
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(6)))
    large = np.asarray(coarse.resize((1024, 1024), Image.Resampling.BICUBIC))  # many pixels are no blur
    of = [looks.of_store(Images(image[None])) for image in (sharp, blurred, large, np.full_like(sharp, 7))]
    assert of[0].sharpness[0] > 3 * of[1].sharpness[0]
    assert of[2].sharpness[0] == pytest.approx(of[0].sharpness[0], rel=0.1)
    assert (of[3].sharpness[0], of[3].contrast[0]) == (0, 0) and of[3].brightness[0] == pytest.approx(7, abs=0.01)


@pytest.fixture(scope="module")
def finished(photos, tiny_trunk, tmp_path_factory):
    """Return the folder of a finished run on coloured images."""
    out = tmp_path_factory.mktemp("repair")
    words = ["--out", str(out), "--weights", "none", "--time-budget", "1h", f"--set=backbone={tiny_trunk}"]
    settings = [f"--set={one}" for one in ("image_size=(32,32)", "head_epochs=1", "epochs=0", "views=0")]
    with bare_runs():
        assert main(["train", str(photos), *words, *settings]) == 0
    return out / "folder" / "transfer" / "seed-0"


@pytest.fixture
def small_trunk(tiny_trunk, monkeypatch):
    """Let a small trunk with random weights do: colours are told apart all the same."""
    small = Trunk(tiny_trunk, (32, 32), "none")
    monkeypatch.setattr(diagnosis, "trunk_of", lambda _: small)
    return small


def test_a_run_is_diagnosed_without_its_test_photographs(finished, photos, small_trunk, tmp_path, capsys):
    # of as few photographs as these, even if none is recognised, no class is weak at 1%
    assert main(["repair", str(finished), "--out", str(tmp_path / "found"), "--target", "0.01"]) == 0
    said = capsys.readouterr().out
    with open(finished / "split.csv", newline="", encoding="utf-8") as file:
        parts = [row["part"] for row in csv.DictReader(file)]
    judged = sum(part != "test" for part in parts)
    assert f"{judged} training and validation photographs" in said
    found = json.loads((tmp_path / "found" / "repair.json").read_text())
    assert found["photographs"] == judged and [one["name"] for one in found["classes"]] == ["blue", "green", "red"]
    assert (tmp_path / "found" / "suspects.csv").read_text().startswith("path,class,likelier,score\n")


def test_everything_that_remedies_need_is_seen(photos, small_trunk, tmp_path):
    index = folder.scan(photos)
    eyes = looking.Eyes(index, small_trunk, diagnosis.VIEWS, tmp_path)
    vars(eyes)["other_trunk"] = small_trunk.built()  # its own would be efficientnet-lite2
    seen = looking.look(eyes, takers={0: 1}, left=lambda: math.inf)
    assert not seen.missing
    assert seen.plain.shape == seen.mirrored.shape == seen.larger.shape == (36, 8)
    assert seen.second.shape == seen.second_mirrored.shape == (36, 8)
    assert seen.views.shape == (diagnosis.VIEWS.count, 36, 8)
    assert seen.mixed.rows.shape == (len(seen.mixed.share), 8)
    assert set(index.labels[seen.mixed.first]) == {0} and set(index.labels[seen.mixed.second]) == {1}
    kinds_of = (seen.plain, seen.mirrored, seen.larger, seen.second, *seen.views)
    for one, other in itertools.combinations(kinds_of, 2):  # none is another's by mistake
        assert not np.array_equal(one, other)


def test_photographs_that_changed_or_went_are_named_and_left_out(finished, photos, small_trunk, tmp_path):
    moved = tmp_path / "moved"
    for path in photos.rglob("*.jpg"):
        copy = moved / path.relative_to(photos)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    with open(finished / "split.csv", newline="", encoding="utf-8") as file:
        gone, changed, *_ = [row["path"] for row in csv.DictReader(file) if row["part"] == "train"]
    (moved / gone).unlink()
    Image.new("RGB", (40, 50), (9, 9, 9)).save(moved / changed)
    found = diagnosis.diagnose(finished, data=moved, cache_dir=tmp_path / "cache")
    assert [path for path, _ in found.left_out] == [gone, changed] and found.left_out[1][
        1
    ] == "it has been changed since"
    assert any("Left out: 2 photographs:" in line for line in findings.lines(found))
    with pytest.raises(InputError, match="no such folder; give the folder of the run's photographs with --data"):
        diagnosis.diagnose(finished, data=tmp_path / "nowhere")
    with pytest.raises(InputError, match="has none of the"):
        diagnosis.diagnose(finished, data=tmp_path)
    with pytest.raises(InputError, match="--target: must be a recall above 0 and at most 1, got 2"):
        diagnosis.diagnose(finished, data=moved, target=2)


def test_the_lines_say_what_is_weak_by_what_measure_and_why(monkeypatch):
    found = answers([60, 95, 95, 95], [100, 100, 100, 100])
    why = {label: [] for label in range(4)}
    why[0] = [causes.Cause("few", 0, "it has 1 photograph", "add photographs of it")]

    def said(target, left_out=()):
        return findings.lines(diagnosed(found, why, target=target, left_out=left_out))

    first, weak, because, *_ = said(None)
    assert (
        "400 training and validation photographs" in first
        and "features of efficientnet-lite0: 86.2% are right" in first
    )
    assert weak == (
        "ant is weak: 60 of 100 training and validation photographs are recognised, each by classifiers trained "
        "without it (60%; 95% interval 50% to 69%)."
    )
    assert because == "  Why: it has 1 photograph. What helps: add photographs of it."
    none = "No class is weak: as far as the photographs can tell, the recall of each reaches the 50% asked for."
    assert none in said(0.5)
    assert "Left out: 1 photograph: a.jpg (it has been changed since)." in said(
        None, [("a.jpg", "it has been changed since")]
    )


def diagnosis_of(hits, images):
    return diagnosed(answers(hits, images))


def test_classes_too_small_to_be_judged_are_not_said_to_be_well_recognised(tmp_path):
    some, none = diagnosis_of([20, 20, 1, 0], [20, 20, 4, 9]), diagnosis_of([0, 0, 1, 2], [4, 4, 4, 4])
    some_said = (
        "No class that can be judged is weak: as far as the photographs can tell, the recall of each reaches the share "
        "of all photographs that is recognised. 2 classes have too few photographs to be judged."
    )
    none_said = "No class can be judged: each has fewer than 10 training and validation photographs."
    for found, said in ((some, some_said), (none, none_said)):
        assert said in findings.lines(found)
        assert outcome.sentences(None, found, None, None, None) == [said]
        assert said in page._weak(found)
        assert said in after_training.section(after_training.Judged(found), tmp_path)[1]


def test_a_second_repair_does_not_call_the_test_photographs_unused(tmp_path):
    found, figure = diagnosis_of([60, 95, 95, 95], [100] * 4), {"value": 0.9, "low": 0.8, "high": 0.95}
    arms = {"before": {"recall": figure}, "after": {"recall": figure, "difference": figure}}
    after = {"groups": {group: {"images": 9, "arms": arms} for group in ("targeted", "other", "all")}}
    written = {}
    for again in (False, True):
        page.write(tmp_path, found, title="x", steps=[], trial=None, after=after, said=["a"], again=again)
        written[again] = (tmp_path / findings.PAGE).read_text(encoding="utf-8")
    assert "These were not used before." in written[False] and "earlier repair" not in written[False]
    assert "not used before." not in written[True]
    assert "These have already decided whether the earlier repair stands" in written[True]
    assert "except that they decided whether the earlier repair stands." in written[True]


def test_among_many_classes_the_weak_ones_are_listed_with_how_many_chance_would_list(tmp_path):
    found = diagnosis_of([60, 95, 95, 95], [100] * 4)
    said = "If all 40 classes that were judged were equally good, chance alone would still call about 1.2 of them weak."
    for one, there in ((found, False), (dataclasses.replace(found, recalls=found.recalls * 10), True)):
        one = dataclasses.replace(one, causes={c: [] for c in range(4)})
        assert (said in findings.lines(one)) == there
        assert (said in page._weak(one)) == there
        assert (said in after_training.section(after_training.Judged(one), tmp_path)[1]) == there
    asked = dataclasses.replace(one, target=0.99)  # of which the classes may all fall short, and not by chance
    assert not any("chance alone" in line for line in findings.lines(asked))


def test_a_class_that_ranks_last_is_not_weak_for_that():
    one = diagnosis_of([19, 20, 20, 20], [20] * 4)
    assert one.weak == ()
    last = "ant is recognised least often, 19 of 20 photographs (95%; 95% interval 76% to 99%); this may be chance."
    assert findings.lines(one)[1:] == [
        "No class is weak: as far as the photographs can tell, the recall of each reaches the share of all photographs "
        "that is recognised.",
        last,
    ]
    assert findings.weak_in_name_only(dataclasses.replace(one, recalls=one.recalls[1:])) == ""  # all are alike


@pytest.mark.parametrize(
    "config, trunk, size",
    [
        ({"backbone": "resnet50", "weights": "imagenet", "image_size": [64, 96]}, "resnet50", (64, 96)),
        ({"net": "efficientnet-b0", "weights": "imagenet", "image_size": [64, 64]}, "efficientnet-b0", (64, 64)),
        ({"backbone": "resnet50", "weights": "none", "image_size": [64, 64]}, "efficientnet-lite0", (256, 256)),
        ({"backbone": "resnet50", "weights": "imagenet", "image_size": 7}, "efficientnet-lite0", (256, 256)),
        ([], "efficientnet-lite0", (256, 256)),
    ],
)
def test_the_trunk_is_the_runs_own_where_it_began_with_weights_of_imagenet(config, trunk, size):
    found = diagnosis.trunk_of({"config": config})
    assert (found.backbone, found.image_size) == (trunk, size)


def test_a_folder_that_is_no_run_is_refused_and_not_made(tmp_path, capsys):
    assert main(["repair", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such run; `kfg runs` lists" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["suspects.csv", "repair.json"])
def test_files_of_somebody_else_are_not_written_over(name, finished, tmp_path, capsys):
    (tmp_path / name).write_text("mine")
    assert main(["repair", str(finished), "--out", str(tmp_path)]) == 2
    assert f"{name}: this file exists and is not a file written by kfg repair" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    "name, change, complaint",
    [
        ("split.csv", lambda text: text.replace(",red,", ",rad,"), "split.csv: class 'rad' is not in classes.json"),
        (
            "env.json",
            lambda text: text.replace('"photographs": "', '"x": "'),
            "does not say where its photographs",
        ),
        ("config.json", lambda text: "[]", "config.json"),
    ],
)
def test_a_run_whose_files_were_changed_is_refused_in_a_line(name, change, complaint, finished, tmp_path, capsys):
    run = tmp_path / "seed-0"
    shutil.copytree(finished, run)
    (run / name).write_text(change((run / name).read_text()))
    assert main(["repair", str(run)]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1
