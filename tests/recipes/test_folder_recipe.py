"""kfg train: from a folder of photographs to a model, and what it decides on the way."""

import json
import math
import shutil
import unittest.mock

import numpy as np
import pytest
from bare import bare_runs

from kfg import time_budgets
from kfg.__main__ import main
from kfg.augment.mixing import CutMix
from kfg.data import fingerprints
from kfg.data.index import make_index
from kfg.engine import clock, confidence, own_photographs, planning, second_opinion
from kfg.engine.judged import Judged
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.evaluation.predict import Predictions
from kfg.exporting.classifiers import load
from kfg.models import backbones, saved
from kfg.recipes import folder as recipe
from kfg.recipes import folder_stages
from kfg.repairing import after_training
from kfg.runs import choices
from kfg.training import callbacks, checkpoint, features, imbalance

pytestmark = pytest.mark.usefixtures("tiny_trunk")

TINY = ("image_size=(32, 32)", "weights=none", "head_epochs=3", "epochs=1", "views=1", "batch_size=16", "backbone=tiny")


def train(data, out, *words, settings=()):
    words = [str(word) for word in words]
    for setting in (*TINY, *settings):
        words += ["--set", setting]
    return main(["train", str(data), "--out", str(out), *words])


def test_from_photographs_to_a_prediction(photos, tmp_path, capsys):
    assert train(photos, tmp_path, settings=("min_errors=0",)) == 0
    said = capsys.readouterr().out
    run = tmp_path / "folder" / "transfer" / "seed-0"
    assert "audit: " in said
    assert "Epochs of fine-tuning: 1 (as the settings say)." in said
    settings = json.loads((run / "config.json").read_text())
    choices = settings["choices"]
    assert (choices["fine-tuning"]["epochs"], choices["fine-tuning"]["why"]) == (1, "as the settings say")
    assert (choices["head"]["views"], choices["head"]["epochs"], choices["head"]["why"]) == (
        1,
        3,
        "as the settings say",
    )
    assert choices["end"]["kept"] in ("the head", "the fine-tuned network")
    assert settings["config"]["time_budget"] == 720
    report = json.loads((run / "report.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert rows[0]["metrics"]["top1"] == report["top1"]
    assert clock.closing(run / "clock.json") > 0  # the time of test, report and export, for a repair
    image = next(photos.rglob("*.jpg"))
    name, probability = load(run).top1(image)
    assert name in json.loads((run / "classes.json").read_text())
    assert 0 < probability <= 1
    page = (run / "report.html").read_text()
    assert "How it was trained" in page
    assert page.rindex("<h2>") == page.index("<h2>What to do next</h2>")  # a report ends so, below the Grad-CAM
    assert [line[:11] for line in said.splitlines() if line.startswith("Step ")] == [
        f"Step {number} of 5" for number in range(1, 6)
    ]
    kept = sorted((tmp_path / "cache").glob("features-*"))
    assert [path.suffix for path in kept] == [".float32", ".lock", ".float32", ".lock"]
    assert "the features exist from an earlier run" not in said
    run.rename(tmp_path / "moved")
    with bare_runs():
        assert train(photos, tmp_path, settings=("min_errors=0",)) == 0  # takes its features from the first run
    assert "(as the settings say; the features exist from an earlier run)" in capsys.readouterr().out
    assert sorted((tmp_path / "cache").glob("features-*")) == kept
    assert train(photos, tmp_path, "--seeds", 2, settings=("epochs=0",)) == 2  # seed 0 has other settings
    assert "another value of epochs (1, now 0); give another --out, or remove it" in capsys.readouterr().err


def some_of(photos, data, **counts):
    """Copy the first photographs of each class into a folder of its own; return it."""
    for name, count in counts.items():
        (data / name).mkdir(parents=True)
        for path in sorted((photos / name).iterdir())[:count]:
            shutil.copy(path, data / name)
    return data


@pytest.mark.usefixtures("without_export")
def test_photographs_are_read_once_and_unequal_classes_are_treated_as_such(photos, tmp_path, capsys, monkeypatch):
    data = some_of(photos, tmp_path / "data", blue=12, green=12, red=2)
    read, read_one = [], fingerprints._read_one
    monkeypatch.setattr(fingerprints, "_read_one", lambda root, path: read.append(path) or read_one(root, path))
    monkeypatch.setattr(imbalance, "IMBALANCE", 5)
    assert train(data, tmp_path / "out", "--weights", "none", "--max-params", "1M", settings=("epochs=0",)) == 0
    assert sorted(read) == sorted(set(read)) and len(read) == 26
    said = "Unequal class sizes are handled by the method 'adjusted' (the largest class has 9.0 times as many"
    printed = capsys.readouterr().out
    assert said in printed and f"Use the model with `kfg predict {tmp_path / 'out'} new-photographs`." in printed
    row = json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert row["treatment"] == "adjusted"
    assert row["parameters"]["trained"] == 8 * 3 + 3 < row["parameters"]["total"]  # the head's alone
    run = tmp_path / "out" / "folder" / "transfer" / "seed-0"
    assert main(["evaluate", str(run), "--posthoc"]) == 0
    assert "adjusted to the class counts (imbalance=adjusted)" in capsys.readouterr().out


def test_a_class_of_one_photograph_is_named_and_nothing_is_made(photos, tmp_path, capsys):
    data = some_of(photos, tmp_path / "data", blue=12, green=1, red=1)
    assert train(data, tmp_path / "out") == 2
    assert "class 'green' (and 1 more such classes) has only one photograph" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def die_after(monkeypatch, deaths):
    """Let training die as a kill would, when the file of a stage is saved for the epoch that `deaths` names."""
    save = checkpoint.save

    def save_and_die(path, model, companions=(), *, epoch):
        save(path, model, companions, epoch=epoch)
        if deaths and (path.parent.parent.name, epoch) == deaths[0]:
            deaths.pop(0)
            raise RuntimeError("killed")

    monkeypatch.setattr(checkpoint, "save", save_and_die)


@pytest.mark.usefixtures("without_export")
def test_mixed_images_fine_tune_the_net_and_a_cut_run_ends_as_the_whole_one(photos, tmp_path, monkeypatch):
    settings = ("min_errors=0", "epochs=2", "mixing=cutmix", "mixing_alpha=0.5", "learning_rate=1e-2")
    last, seen = "folder/transfer/seed-0/checkpoint/last.npz", []
    apply = CutMix.apply
    monkeypatch.setattr(CutMix, "apply", lambda self, *args, **draw: seen.append(self) or apply(self, *args, **draw))
    assert train(photos, tmp_path / "whole", settings=settings) == 0
    assert set(seen) == {CutMix(alpha=0.5)}
    deaths = [("seed-0", 1)]
    die_after(monkeypatch, deaths)
    with pytest.raises(RuntimeError, match="killed"):
        train(photos, tmp_path / "cut", settings=settings)
    assert not deaths
    made = json.loads((tmp_path / "cut/folder/transfer/seed-0/config.json").read_text())["choices"]
    assert train(photos, tmp_path / "cut", "--resume", settings=settings) == 0
    again = json.loads((tmp_path / "cut/folder/transfer/seed-0/config.json").read_text())["choices"]
    assert again.items() > made.items()
    whole, cut = (checkpoint.read(tmp_path / out / last) for out in ("whole", "cut"))
    assert whole["epoch"] == cut["epoch"] == 2
    assert whole["arrays"].keys() == cut["arrays"].keys()
    for name, array in whole["arrays"].items():
        np.testing.assert_array_equal(array, cut["arrays"][name])


@pytest.mark.usefixtures("without_export")
def test_where_an_epoch_takes_too_long_the_last_stage_learns_on_stored_outputs_and_a_cut_run_ends_alike(
    photos, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(planning, "_training_pace", lambda *_: (0.01, 0.0))  # images/s; seconds of the first step
    settings = ("min_errors=0", "epochs=4")
    assert train(photos, tmp_path / "whole", settings=settings) == 0
    plan = choices_of(tmp_path / "whole")["fine-tuning"]
    assert (plan["epochs"], plan["views"], plan["after"]) == (4, 1, "block4_relu")
    said = capsys.readouterr().out
    assert (
        "Epochs of fine-tuning: 4 (as many as fit into the time budget; only the last stage learns, on outputs" in said
    )
    deaths = [("seed-0", 2)]
    die_after(monkeypatch, deaths)
    with pytest.raises(RuntimeError, match="killed"):
        train(photos, tmp_path / "cut", settings=settings)
    assert not deaths
    assert train(photos, tmp_path / "cut", "--resume", settings=settings) == 0
    whole, cut = (tmp_path / out / "folder/transfer/seed-0" for out in ("whole", "cut"))
    arrays = [checkpoint.read(run / checkpoint.LAST)["arrays"] for run in (whole, cut)]
    assert arrays[0].keys() == arrays[1].keys()
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][name])
    counts = json.loads((whole / "env.json").read_text())["parameters"]
    assert counts["trained"] < counts["total"] / 2


def test_a_second_opinion_is_averaged_into_the_run_and_a_killed_run_ends_alike(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES["tiny"])
    settings = ("min_errors=0", "second_opinion=other", "mirror_averaged=true", "class_bias=(('red', 2),)")
    assert train(photos, tmp_path / "whole", settings=settings) == 0
    assert "Second opinion: other (as the settings say)." in capsys.readouterr().out
    run = tmp_path / "whole/folder/transfer/seed-0"
    both = saved.load(run / "model.keras")
    assert {"head", "head_2", "features", "features_2", "mean_of_two_opinions", "mean_of_both"} <= {
        layer.name for layer in both.layers
    }
    parameters = json.loads((run / "env.json").read_text())["parameters"]
    assert parameters["total"] == both.count_params() > parameters["trained"]
    assert json.loads((run / "export_check.json").read_text())["passed"]
    deaths = [("second_opinion", 1)]
    die_after(monkeypatch, deaths)
    with bare_runs(traced=True):
        with pytest.raises(RuntimeError, match="killed"):
            train(photos, tmp_path / "cut", settings=settings)
        assert not deaths
        assert train(photos, tmp_path / "cut", "--resume", settings=settings) == 0
    assert choices_of(tmp_path / "cut")[choices.WEIGHT] == choices_of(tmp_path / "whole")[choices.WEIGHT]
    other = saved.load(tmp_path / "cut/folder/transfer/seed-0/model.keras")
    for one, again in zip(both.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, again)


@pytest.mark.usefixtures("without_export")
def test_what_the_clock_decides_for_the_first_seed_holds_for_all(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES["tiny"])
    why = "as many as fit into the time budget"  # on a machine that slows down between the two seeds
    plans = {
        (planning, "head_stage"): [{"views": 1, "epochs": 3, "why": why}, {"views": 0, "epochs": 3, "why": why}],
        (planning, "fine_tuning"): [{"epochs": 2, "why": why}, {"epochs": 1, "why": why}],
        (second_opinion, "planned"): [
            {"trunk": "other", "why": "as the settings say", "seconds expected": 1},
            {"trunk": "", "why": "it would take more than half of what is left of the time budget"},
        ],
    }
    for place, made in plans.items():
        monkeypatch.setattr(*place, unittest.mock.Mock(side_effect=made))
    settings = ("min_errors=0", "epochs=2", "second_opinion=other")
    assert train(photos, tmp_path, "--seeds", 2, settings=settings) == 0
    first, second = (
        json.loads((tmp_path / f"folder/transfer/seed-{seed}/config.json").read_text())["choices"] for seed in (0, 1)
    )
    for name, made in {
        "head": {"views": 1},
        "fine-tuning": {"epochs": 2},
        "second opinion": {"trunk": "other"},
    }.items():
        assert first[name] == {**first[name], **made} and "decided by" not in first[name]
        assert second[name] == {**first[name], "decided by": "seed-0"}
    assert "mean ± sd of all runs" in capsys.readouterr().out


@pytest.mark.usefixtures("without_export")
def test_a_second_opinion_that_the_validation_images_speak_against_is_left_out(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES["tiny"])
    monkeypatch.setattr(second_opinion, "share_of_second", lambda *_, **__: 0.0)
    first = ("min_errors=0", "epochs=0")
    assert train(photos, tmp_path / "first", settings=first) == 0
    run = "folder/transfer/seed-0"
    again = ("second_opinion=other", f"net_of={tmp_path / 'first' / run}", "class_bias=(('red', 2),)")
    assert train(photos, tmp_path / "again", settings=(*first, *again)) == 0
    assert "The second opinion is left out: by the validation images" in capsys.readouterr().out
    assert choices.heard(json.loads((tmp_path / "again" / run / "config.json").read_text())) == ""
    before, after = (saved.load(tmp_path / name / run / "model.keras") for name in ("first", "again"))
    assert [layer.name for layer in after.layers] == [layer.name for layer in before.layers]
    assert json.loads((tmp_path / "again" / run / "env.json").read_text())["parameters"]["trained"] == 0


@pytest.mark.parametrize(
    "words, second",
    [((), "efficientnet-lite2"), (("--set", "backbone=efficientnet-lite2"), "efficientnet-lite0"),
     (("--set", "second_opinion=vgg16"), "vgg16")],
)  # fmt: skip
def test_a_second_opinion_is_asked_for_by_one_word(photos, monkeypatch, capsys, words, second):
    asked_for = []

    def prepared(*_, settings, **__):
        asked_for.append(settings["second_opinion"])
        raise InputError("nothing is trained here")

    monkeypatch.setattr(own_photographs, "prepared", prepared)
    assert main(["train", str(photos), "--second-opinion", *words]) == 2
    assert asked_for == [second]
    assert main(["train", str(photos), "--second-opinion", *words, "--weights", "none"]) == 2
    assert "--second-opinion: needs pretrained weights" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["mixing=blend", "mixing_alpha=0.5"])
def test_a_mixing_that_is_none_is_one_line(photos, tmp_path, capsys, setting):
    assert train(photos, tmp_path, settings=(setting,)) == 2
    error = capsys.readouterr().err.strip()
    assert "mixing" in error and "\n" not in error


def choices_of(out):
    return json.loads((out / "folder/transfer/seed-0/config.json").read_text())["choices"]


@pytest.mark.usefixtures("without_export")
def test_a_head_that_hardly_errs_is_left_alone(photos, tmp_path, capsys):
    assert train(photos, tmp_path, settings=("min_errors=1000",)) == 0
    assert "Epochs of fine-tuning: 0 (the head makes too few errors for a gain to show)." in capsys.readouterr().out
    plan = choices_of(tmp_path)["fine-tuning"]
    split = (tmp_path / "folder/transfer/seed-0/split.csv").read_text().splitlines()[1:]
    judged = [line for line in split if line.split(",")[2] != "test"]
    assert plan["images"] == len(judged) > 3 * sum(line.split(",")[2] == "val" for line in judged)
    assert 0 <= plan["errors"] <= plan["images"]


@pytest.mark.usefixtures("without_export")
def test_however_short_the_time_the_head_gets_its_epochs(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(features, "rate", lambda *_, **__: 1.0)  # images/s: a very slow machine
    monkeypatch.setattr(time_budgets, "SHORTEST", 1)
    monkeypatch.setattr(after_training, "SHARE", 0.0)
    assert train(photos, tmp_path, "--time-budget", "1s", settings=("min_errors=0", "head_epochs=7")) == 0
    said = capsys.readouterr().out
    assert "It is trained completely anyway" in said
    assert "wrong labels were not looked for, for lack of time" in said
    assert "Augmented views of each image: 0 (1 do not fit into the time budget); epochs of the head: 7." in said
    assert "Epochs of fine-tuning: 0 (" in said
    assert (tmp_path / "folder/transfer/seed-0/head/history.csv").read_text().count("\n") == 1 + 7


def test_a_budget_without_a_unit_is_minutes_and_said(photos, tmp_path, capsys, monkeypatch):
    orders = []
    monkeypatch.setattr(recipe, "command", lambda order: orders.append(order) or 0)
    assert train(photos, tmp_path, "--time-budget", "3", settings=("epochs=0",)) == 0
    assert "A number without a unit means minutes: the time budget is 3.0 min." in capsys.readouterr().out
    assert orders[0].settings["time_budget"] == 180


@pytest.mark.usefixtures("without_export")
def test_the_budget_is_a_total_over_all_sessions(photos, tmp_path, monkeypatch):
    settings = ("min_errors=0", "epochs=2")
    die_after(monkeypatch, [("head", 1)])
    with pytest.raises(RuntimeError, match="killed"):
        train(photos, tmp_path, "--time-budget", "1h", settings=settings)
    note = tmp_path / "folder/transfer/seed-0/clock.json"
    earlier = json.loads(note.read_text())["seconds"]
    assert 0 < earlier < 600
    note.write_text('{"seconds": 3600.5}')  # as if the killed session had taken this long
    assert train(photos, tmp_path, "--time-budget", "1h", "--resume", settings=settings) == 0
    assert choices_of(tmp_path)["fine-tuning"] == {"epochs": 0, "why": "the time budget is used up"}
    report = json.loads((tmp_path / "folder/transfer/seed-0/report.json").read_text())
    assert report["figures"]["seconds_to_trained"]["value"] > 3600.5


@pytest.mark.usefixtures("without_export")
def test_what_a_session_chose_before_its_first_epoch_stands_after_a_resume(photos, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise RuntimeError("killed")

    settings, run = ("epochs=0",), tmp_path / "folder/transfer/seed-0"
    with monkeypatch.context() as patch:
        patch.setattr(planning, "head_stage", lambda *_, **__: {"views": 0, "epochs": 3, "why": "a slow machine"})
        patch.setattr(folder_stages, "train_head", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(photos, tmp_path, settings=settings)
    assert not (run / "head").exists() and (run / "clock.json").is_file()
    assert train(photos, tmp_path, "--resume", settings=settings) == 0
    assert choices_of(tmp_path)["head"] == {"views": 0, "epochs": 3, "why": "a slow machine"}


@pytest.mark.usefixtures("without_export")
def test_photographs_left_out_of_training_count_nowhere_as_training_photographs(photos, tmp_path):
    run = "folder/transfer/seed-0"
    assert train(photos, tmp_path / "all", settings=("epochs=0", "views=0")) == 0
    listed = [line.split(",") for line in (tmp_path / "all" / run / "split.csv").read_text().splitlines()[1:]]
    training = [path for path, _, part, *_ in listed if part == "train"]
    settings = ("epochs=0", "views=0", f"left_out={tuple(training[:3])}")
    assert train(photos, tmp_path / "fewer", settings=settings) == 0
    for out, count in (("all", len(training)), ("fewer", len(training) - 3)):
        assert json.loads((tmp_path / out / "results.jsonl").read_text())["parts"]["train"] == count
        assert len(np.load(tmp_path / out / run / "strangeness.npz")["bank"]) == count


@pytest.mark.usefixtures("without_export")
def test_the_heads_for_calibration_learn_and_answer_as_the_run_does(photos, tmp_path, monkeypatch):
    manners = []
    monkeypatch.setattr(confidence, "heads_out_of_fold", lambda *_, manner, **__: manners.append(manner))
    settings = ("epochs=0", "views=0", "imbalance=balanced", "class_bias=(('red', 2),)")
    assert train(photos, tmp_path, settings=settings) == 0
    assert [(manner.sampling, np.ptp(manner.bias)) for manner in manners] == [("balanced", 2)]


@pytest.mark.usefixtures("without_export")
def test_a_budget_without_an_end_is_not_counted_down(photos, tmp_path, capsys):
    assert train(photos, tmp_path, "--time-budget", "1000000000s", settings=("epochs=0", "views=0")) == 0
    said = capsys.readouterr().out
    assert "Step 4 of 5" in said and "of the time for training left" not in said


@pytest.mark.usefixtures("without_export")
def test_a_head_that_diverges_is_told_by_its_own_setting(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(callbacks.StopOnNaN, "_loss", lambda self: float("nan"))
    assert train(photos, tmp_path, settings=("epochs=0", "views=0")) == 2
    assert "error: head_learning_rate: " in capsys.readouterr().err


@pytest.mark.usefixtures("without_export")
def test_unequal_classes_are_judged_by_macro_recall_from_the_choice_of_the_stage_on(photos, tmp_path, capsys):
    assert train(photos, tmp_path, settings=("min_errors=0", "imbalance=adjusted")) == 0
    assert choices_of(tmp_path)["end"]["judged by"] == "loss on the validation images, each class counted alike"
    assert "validation images are right; macro recall" in capsys.readouterr().out


@pytest.mark.parametrize("aim, common, rare", [("top-1", 0.8, 0.8), ("macro recall", 0.5, 0.875)])
def test_a_stage_is_ranked_by_the_aim(aim, common, rare, monkeypatch):
    labels = np.array([0] * 8 + [1] * 2)

    def judged(right):
        """Return the stage whose answers, each of probability 0.8, are right where it is said."""
        probabilities = np.where(np.arange(2) == np.where(right, labels, 1 - labels)[:, None], 0.8, 0.2)
        answers = Predictions([f"{i}.jpg" for i in range(10)], labels, probabilities, ("common", "rare"))
        monkeypatch.setattr(predict, "predict", lambda *_, **__: answers)
        return Judged("stage", unittest.mock.Mock(), unittest.mock.Mock(), index, batch_size=8, aim=aim)

    index = make_index("photos", [f"{i}.jpg" for i in range(10)], labels, ("common", "rare"), parts=["val"] * 10)
    for share, right in ((common, [True] * 8 + [False] * 2), (rare, [True] * 6 + [False] * 2 + [True] * 2)):
        stage = judged(np.array(right))
        assert stage.score == pytest.approx(share)
        assert stage.loss == pytest.approx(-share * math.log(0.8) - (1 - share) * math.log(0.2))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--seeds", "0"), "--seeds"),
        (("--time-budget", "soon"), "--time-budget"),
        (("--set", "epochs=-1"), "epochs"),
        (("--set", "imbalance=Auto"), "one of auto, none"),
    ],
)
def test_wrong_use_is_one_line(photos, tmp_path, capsys, words, complaint):
    assert main(["train", str(photos), "--out", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert complaint in error
    assert "\n" not in error


def test_a_broken_photograph_is_named_before_anything_is_trained(photos, tmp_path, capsys):
    broken = some_of(photos, tmp_path / "data", blue=12, green=12, red=12)
    victim = next(broken.rglob("*.jpg"))
    victim.write_bytes(victim.read_bytes()[:300])
    assert main(["train", str(broken), "--out", str(tmp_path / "out")]) == 2
    assert victim.name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_budget_too_short_for_anything_is_one_line_that_says_what_is_possible(photos, tmp_path, capsys):
    assert main(["train", str(photos), "--out", str(tmp_path / "out"), "--time-budget", "10s"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: --time-budget: 10s is too short; give at least 30s")
    assert said.err.count("\n") == 1 and said.out == ""
    assert not (tmp_path / "out").exists()
    assert time_budgets.seconds_of("30s") == 30
    assert train(photos, tmp_path / "out", settings=("time_budget=10",)) == 2
    said = "error: --set time_budget=10: write --time-budget instead, for example --time-budget 12m\n"
    assert capsys.readouterr().err == said and not (tmp_path / "out").exists()


def test_the_settings_that_a_search_found_bring_their_own_time(photos, tmp_path, monkeypatch):
    orders, best = [], tmp_path / "best.json"
    monkeypatch.setattr(recipe, "command", lambda order: orders.append(order) or 0)
    best.write_text(json.dumps({"settings": {"time_budget": 1e9, "dropout": 0.4}}))
    assert train(photos, tmp_path / "out", settings=(f"@{best}",)) == 0
    assert (orders[0].settings["time_budget"], orders[0].settings["dropout"]) == (1e9, 0.4)


@pytest.mark.parametrize("seeds", ["0", "1001", str(10**30)])
def test_a_number_of_runs_that_nobody_can_mean_is_one_line(photos, tmp_path, capsys, seeds):
    assert main(["train", str(photos), "--out", str(tmp_path / "out"), "--seeds", seeds]) == 2
    assert capsys.readouterr().err == f"error: --seeds: must be from 1 to 1,000, got {seeds}\n"


@pytest.mark.parametrize("text", ["", "0m", "0", "-1m", "10 minutes", "nan", "0.5s", "1e3h", "\u0663m"])
def test_times_that_are_none(text):
    with pytest.raises(InputError, match="--time-budget"):
        time_budgets.seconds_of(text)
