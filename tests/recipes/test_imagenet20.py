"""The recipe from the command line, end to end, on a few generated JPEGs."""

import csv
import dataclasses
import html
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from bare import bare_runs

from kfg import __main__, reaugment
from kfg.augment.policies import ClassTargeted, Policy
from kfg.data import imagenet20 as photographs_of_the_study
from kfg.data import splitcsv
from kfg.engine import fitting, orders, runner, selection
from kfg.errors import InputError
from kfg.evaluation import predict
from kfg.exporting import classifiers
from kfg.models import calibrated
from kfg.recipes import imagenet20
from kfg.runs import results_file
from kfg.training import checkpoint

ARMS = "arm-none,arm-uniform,arm-targeted"
ARM_SETTINGS = ("--set", "weak_count=1", "--set", "rounds=({'count': 12},)")
EPOCHS = "16"  # of the runs that are cut off: enough that they have not ended by then


def recipe(photos, out, *options):
    return runner.main(imagenet20.RECIPE, ["--data", str(photos), "--out", str(out), *options])


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    words = ("--smoke", "--set", "weak_count=1", "--rows")
    with bare_runs(traced=True):  # only the last one's export is looked at
        assert recipe(photos, out, *words, "convnet4") == 0
    assert recipe(photos, out, *words, "convnet5") == 0
    return out


def test_the_whole_chain_leaves_report_export_and_predictions(finished, photos, capsys):
    rows = [json.loads(line) for line in (finished / "results.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == ["convnet2", "convnet4", "convnet5"]
    run = finished / "imagenet20" / "convnet5" / "seed-0"
    assert "Extra training images" in (run / "report.html").read_text()
    for name in (
        "config.json",
        "env.json",
        "classes.json",
        "split.csv",
        "history.csv",
        "model.keras",
        "predictions.csv",
        "report.json",
        "report.html",
        "model_card.md",
        "export/saved_model.pb",
        "checkpoint/last.npz",
        "weak_classes.json",
    ):
        assert (run / name).is_file(), name
    report = json.loads((run / "report.json").read_text())
    tested = [line for line in (run / "split.csv").read_text().splitlines() if ",test," in line]
    assert report["images"] == len(tested) == rows[-1]["parts"]["test"]
    assert set(report["top1"]) == {"value", "low", "high"}
    assert __main__.main(["predict", str(run), str(photos / "red"), "--top", "2"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split("\t") == ["path", "class", "probability", "class 2", "probability 2", "verdict"]
    assert len(lines) == 12 and all(len(line.split("\t")) == 6 for line in lines)


def test_the_report_names_the_weak_classes(finished):
    run = finished / "imagenet20" / "convnet5" / "seed-0"
    (weak,) = json.loads((run / "weak_classes.json").read_text())["weak"]
    assert f"On validation images of convnet4, weak classes: {weak['name']}." in (run / "report.html").read_text()


def test_the_demo_judges_every_class():
    from kfg.data import demo

    counts = demo.counts(demo.IMAGES_PER_CLASS).values()
    val_images = round(min(counts) * imagenet20.Config().val_fraction)
    assert imagenet20.RECIPE.quick["min_support"] <= val_images < imagenet20.Config().min_support


def test_the_saved_predictions_are_those_of_the_export(finished, photos):
    run = finished / "imagenet20" / "convnet5" / "seed-0"
    saved = predict.read_csv(run / "predictions.csv")
    answers = list(classifiers.load(run).predict([photos / path for path in saved.paths]))
    np.testing.assert_allclose([a.probabilities for a in answers], saved.probabilities, atol=1e-5)


def test_convnet4_goes_on_from_convnet2(finished):
    runs = finished / "imagenet20"
    before, after = (
        checkpoint.read(runs / row / "seed-0" / "checkpoint" / "last.npz") for row in ("convnet2", "convnet4")
    )
    steps = [int(state["arrays"]["optimizer0"]) for state in (before, after)]
    assert steps[1] == 2 * steps[0] > 0


def test_a_finished_run_is_not_repeated(finished, photos, capsys):
    assert recipe(photos, finished, "--smoke", "--set", "weak_count=1", "--rows", "convnet5") == 0
    assert capsys.readouterr().out.count("already finished, so it is not repeated") == 3
    assert len((finished / "results.jsonl").read_text().splitlines()) == 3


def test_a_row_lost_between_report_and_results_is_added_again_once(finished, photos):
    results = finished / "results.jsonl"
    before = results.read_text().splitlines()
    results.write_text("\n".join(before[:2]) + "\n")
    for _ in range(2):
        assert recipe(photos, finished, "--smoke", "--set", "weak_count=1", "--rows", "convnet5") == 0
        assert results.read_text().splitlines() == before


def test_a_run_of_other_settings_is_not_overwritten(finished, photos, capsys):
    before = (finished / "imagenet20" / "convnet2" / "seed-0" / "report.json").read_bytes()
    assert (
        recipe(photos, finished, "--smoke", "--set", "weak_count=1", "--set", "dropout=0.3", "--rows", "convnet2") == 2
    )
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "convnet2" in error and "dropout (0.2, now 0.3)" in error
    assert (finished / "imagenet20" / "convnet2" / "seed-0" / "report.json").read_bytes() == before


def test_other_data_under_the_same_folder_is_refused(finished, photos, tmp_path, capsys):
    other = tmp_path / photos.name
    shutil.copytree(photos, other)
    next((other / "red").iterdir()).unlink()
    assert recipe(other, finished, "--smoke", "--set", "weak_count=1", "--rows", "convnet2") == 2
    assert "the photographs are not those it was started on: 1 gone (red/" in capsys.readouterr().err


@pytest.mark.usefixtures("without_export")
def test_three_arms_over_two_folds_test_every_image_once_and_are_compared(photos, tmp_path, capsys):
    assert recipe(photos, tmp_path, "--smoke", "--set", "weak_count=1", "--rows", ARMS, "--folds", "2") == 0
    comparison = json.loads((tmp_path / "imagenet20" / "arms.json").read_text())
    assert comparison["runs"] == 2 and comparison["images"] == 36
    assert comparison["groups"]["targeted"]["answers"] + comparison["groups"]["other"]["answers"] == 36
    said = capsys.readouterr().out
    assert "targeted with uniform" in said
    top1 = [row["metrics"]["top1"]["value"] for row in results_file.read(tmp_path) if row["row"] == "arm-none"]
    mean, spread = 100 * statistics.fmean(top1), 100 * statistics.stdev(top1)
    assert f"arm-none, float32: test top-1 in percent, mean ± sd of all runs: {mean:.2f} ± {spread:.2f} (n = 2)" in said
    assert (tmp_path / "imagenet20" / "arms.html").is_file()


@pytest.fixture(scope="module")
def arms(photos, tmp_path_factory):
    """Return the folder of runs of every arm but the uniform one, and row -> the policy its images were shown by."""
    out, policies = tmp_path_factory.mktemp("arms"), {}

    def fit_on(job, *args, policy, **settings):
        policies[job.row] = policy
        return fitting.fit_on(job, *args, policy=policy, **settings)

    rows = "arm-targeted,arm-targeted-policy,arm-prior-neutral,arm-weaker,arm-mirrored"
    with pytest.MonkeyPatch.context() as patch, bare_runs():
        patch.setattr(imagenet20, "fit_on", fit_on)
        assert recipe(photos, out, "--smoke", *ARM_SETTINGS, "--rows", rows) == 0
    return out, policies


def test_the_policy_arm_augments_its_weak_classes_and_no_others(arms):
    out, policies = arms
    run = run_of(out, "targeted-policy")
    (weak,) = json.loads((run / "weak_classes.json").read_text())["weak"]
    targeted = ClassTargeted(default=Policy(), by_class={weak["id"]: imagenet20.ROUND_ARMS.policy})
    assert (policies["arm-none"], policies["arm-targeted-policy"]) == (Policy(), targeted)
    assert "Extra training images" not in (run / "report.html").read_text()


def test_arms_that_correct_spare_or_mirror_do_that_and_nothing_else(arms):
    out, policies = arms
    nets = {row: load_model(out, row) for row in ("none", "targeted", "prior-neutral", "mirrored")}
    shift = nets["prior-neutral"].layers[-1].bias.numpy() - nets["targeted"].layers[-1].bias.numpy()
    (weak,) = json.loads((run_of(out, "targeted") / "weak_classes.json").read_text())["weak"]
    with open(run_of(out, "none") / "split.csv", newline="", encoding="utf-8") as file:
        own = sum(row["class"] == weak["name"] and row["part"] == "train" for row in csv.DictReader(file))
    expected = np.zeros(3)
    expected[weak["id"]] = -np.log((own + 12) / own)
    np.testing.assert_allclose(shift, expected, atol=1e-5)
    images = np.random.default_rng(0).integers(0, 256, (4, 40, 37, 3)).astype(np.uint8)
    plain = nets["none"](images), nets["none"](images[:, :, ::-1])
    np.testing.assert_allclose(nets["mirrored"](images), (plain[0] + plain[1]) / 2, atol=1e-5)
    assert policies["arm-mirrored"] == policies["arm-targeted"] == Policy()
    takers = reaugment.strong_takers(predict.read_csv(run_of(out, "none") / "val_predictions.csv"), [weak["id"]])
    assert takers and weak["id"] not in takers
    expected = ClassTargeted(default=imagenet20.ROUND_1.policy, by_class=dict.fromkeys(takers, Policy()))
    assert policies["arm-weaker"] == expected


def run_of(out, arm):
    return out / "imagenet20" / f"arm-{arm}" / "seed-0"


def load_model(out, arm):
    """Return an arm's net as it was trained: each is calibrated by a temperature of its own."""
    return calibrated.without_temperature(keras.models.load_model(run_of(out, arm) / "model.keras"))


def test_a_policy_of_a_class_that_is_not_there_is_refused_before_training(photos, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise InputError("far enough")

    monkeypatch.setattr(imagenet20, "fit_on", stop)
    words = ["--smoke", "--rows", "convnet1", "--set"]
    assert recipe(photos, tmp_path, *words, "policy={'by_class': {'rad': {'rotation': 45}}}") == 2
    error = capsys.readouterr().err.strip()
    assert error == "error: policy: no class 'rad'; choose from blue, green, red"
    assert recipe(photos, tmp_path, *words, "policy={'by_class': {'red': {'rotation': 45}}}") == 2
    assert capsys.readouterr().err == "error: far enough\n"


@pytest.mark.usefixtures("without_export")
def test_arms_of_other_settings_are_not_compared(photos, arms, tmp_path, caplog):
    shutil.copytree(arms[0], tmp_path / "out")
    assert recipe(photos, tmp_path / "out", "--smoke", "--set", "dropout=0.7", "--rows", "arm-uniform") == 0
    assert "left out of the comparison (1)" in caplog.text and "dropout is 0.2 instead of 0.7" in caplog.text
    assert not (tmp_path / "out" / "imagenet20" / "arms.json").exists()


def start(photos, out, *options):
    command = [
        sys.executable,
        "-m",
        "kfg.recipes.imagenet20",
        "--data",
        photos,
        "--out",
        out,
        "--smoke",
        "--rows",
        "convnet1",
        "--epochs",
        EPOCHS,
        *options,
    ]
    command, pipe = [str(part) for part in command], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def stop_after_an_epoch(process, run, sign):
    deadline = time.monotonic() + 120
    while not (run / "checkpoint" / "last.npz").is_file() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(sign)
    return process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_killed_or_interrupted_and_resumed_is_the_same_run(photos, tmp_path, capsys):
    with bare_runs(traced=True):
        run = tmp_path / "cut" / "imagenet20" / "convnet1" / "seed-0"
        killed = start(photos, tmp_path / "cut")
        stop_after_an_epoch(killed, run, signal.SIGKILL)
        assert recipe(photos, tmp_path / "cut", "--smoke", "--rows", "convnet1", "--epochs", EPOCHS) == 2
        assert "--resume" in capsys.readouterr().err
        (run / "checkpoint" / "last.npz").rename(run / "checkpoint" / "first.npz")
        os.link(run / "checkpoint" / "first.npz", run / "checkpoint" / "last.npz")
        assert recipe(photos, tmp_path / "cut", "--smoke", "--rows", "convnet1", "--epochs", EPOCHS, "--resume") == 0
        assert checkpoint.read(run / "checkpoint" / "first.npz")["epoch"] < int(EPOCHS)
        assert recipe(photos, tmp_path / "whole", "--smoke", "--rows", "convnet1", "--epochs", EPOCHS) == 0
    whole = tmp_path / "whole" / "imagenet20" / "convnet1" / "seed-0"
    states = [checkpoint.read(folder / "checkpoint" / "last.npz") for folder in (run, whole)]
    assert states[0]["epoch"] == states[1]["epoch"] == int(EPOCHS)
    for name, array in states[1]["arrays"].items():
        np.testing.assert_array_equal(states[0]["arrays"][name], array, err_msg=name)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_ends_with_a_line_and_a_usable_run_folder(photos, tmp_path):
    run = tmp_path / "imagenet20" / "convnet1" / "seed-0"
    process = start(photos, tmp_path)
    _, errors = stop_after_an_epoch(process, run, signal.SIGINT)
    assert process.returncode == 130
    assert "Traceback" not in errors and "--resume" in errors
    assert classifiers.load(run).top1(photos / "red" / "000.jpg")[0] in ("blue", "green", "red")


@pytest.mark.parametrize(
    "options, named",
    [
        (("--rows", "convnet9"), "convnet9"),
        (("--rows", ","), "--rows"),
        (("--seeds", "a"), "--seeds"),
        (("--seeds", "1,1"), "--seeds"),
        (("--seeds", "-1"), "--seeds"),
        (("--seeds", "99999999999"), "0 to 2147483647, got '99999999999'"),
        (("--memory-budget", "nan"), "--memory-budget: must be gigabytes from 0 up, got nan"),
        (("--memory-budget", "inf"), "--memory-budget"),
        (("--memory-budget", "1e300"), "--memory-budget"),
        (("--memory-budget", "-1"), "--memory-budget"),
        (("--set", "colour=3"), "colour"),
        (("--set", "epochs=many"), "epochs"),
        (("--epochs", "0"), "--epochs"),
        (("--epochs", "half"), "--epochs"),
        (("--epochs", "0%"), "--epochs"),
        (("--folds", "0"), "--folds"),
        (("--folds", "1000000000000"), "--folds"),
        (("--set", "batch_size=0"), "batch_size"),
        (("--set", "stop_patience=abc"), "stop_patience"),
        (("--set", "policy={'rotation': -1}"), "rotation"),
        (("--set", "policy={'colour': 1}"), "colour"),
        (("--set", "policy={'by_class': {'red': {'rotation': -1}}}"), "by_class: red: rotation"),
        (("--set", "rounds=(500,)"), "rounds: expected each like {'count': 500}, got 500"),
        (("--set", "rounds={'count': 500}"), "rounds: expected tuple"),
        (("--set", "rounds=({'count': 0},)"), "rounds: count"),
        (("--set", "rounds=({'number': 5},)"), "number"),
        (("--set", "rounds=({'policy': {'rotation': -1}},)"), "rotation"),
        (("--set", "rounds=({'policy': 45},)"), "rounds: policy"),
        (("--set", "arm=targeted", "--rows", "arm-none"), "--set arm: targeted needs weak_from"),
        (("--set", "arm=some"), "'some' is not one of none, uniform, targeted"),
        (("--precision", "double"), "double"),
        (("--weights", "none"), "--weights: imagenet20 has no pretrained trunk"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(photos, tmp_path, capsys, options, named):
    assert recipe(photos, tmp_path, "--smoke", *options) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and named in error
    assert not (tmp_path / "imagenet20").exists()


@pytest.mark.usefixtures("without_export")
def test_set_gives_the_number_of_extra_images(photos, tmp_path):
    words = ["--set", "rounds=({'count': 9, 'policy': {'rotation': 20}},)"]
    args = orders.read(imagenet20.RECIPE, ["--data", "x", "--rows", "arm-uniform", *words])
    (one,) = selection.configured(imagenet20.RECIPE, args)["arm-uniform"].config.rounds
    assert one == reaugment.Round(count=9, policy=dataclasses.replace(imagenet20.ROUND_1.policy, rotation=20))
    assert recipe(photos, tmp_path, "--smoke", "--rows", "arm-uniform", *words) == 0
    assert recipe(photos, tmp_path, "--smoke", "--rows", "arm-uniform", *words) == 0  # config.json holds the same
    page = (tmp_path / "imagenet20" / "arm-uniform" / "seed-0" / "report.html").read_text()
    section = page.split("Extra training images</h2>")[1].split("</section>")[0]
    assert sum(map(int, re.findall(r"<td[^>]*>(\d+)</td>", section))) == 9


def test_a_row_to_go_on_from_without_its_checkpoint_is_one_line(finished, photos, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "out")
    runs = tmp_path / "out" / "imagenet20"
    shutil.rmtree(runs / "convnet2" / "seed-0" / "checkpoint")
    shutil.rmtree(runs / "convnet4")
    assert recipe(photos, tmp_path / "out", "--smoke", "--set", "weak_count=1", "--rows", "convnet4") == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "start_from: there is no checkpoint" in error and "convnet2" in error


def test_epochs_in_percent_scale_each_rows_own():
    args = orders.read(imagenet20.RECIPE, ["--data", "x", "--rows", "all", "--epochs", "50%"])
    rows = selection.configured(imagenet20.RECIPE, args)
    assert [rows[name].config.epochs for name in ("convnet1", "convnet2", "convnet4")] == [16, 24, 10]


def test_set_reaches_into_the_policy_and_keeps_the_rest():
    words = ["--data", "x", "--rows", "convnet2", "--set", "policy={'rotation': 20}", "--epochs", "3"]
    args = orders.read(imagenet20.RECIPE, words)
    config = selection.configured(imagenet20.RECIPE, args)["convnet2"].config
    assert config.policy == Policy(rotation=20)
    assert (config.epochs, config.plateau_factor) == (3, 0.75)


def test_set_is_for_the_rows_that_run_whatever_others_make_of_it():
    words = ["--data", "x", "--rows", "convnet4", "--set", "val_is_test=True"]  # convnet5 would refuse it
    rows = selection.configured(imagenet20.RECIPE, orders.read(imagenet20.RECIPE, words))
    assert [(name, row.config.val_is_test) for name, row in rows.items()] == [("convnet2", True), ("convnet4", True)]


@pytest.mark.usefixtures("without_export")
def test_a_row_that_repeats_a_mistake_says_so_in_its_report(photos, tmp_path):
    assert recipe(photos, tmp_path, "--smoke", "--rows", "convnet1-val-is-test") == 0
    run = tmp_path / "imagenet20" / "convnet1-val-is-test" / "seed-0"
    note = imagenet20.ROWS["convnet1-val-is-test"].note
    page = (run / "report.html").read_text()
    assert html.escape(note) in page and "validation images are also the test images" in page
    parts = [row["part"] for row in splitcsv.split_rows(run / "split.csv")[0]]
    assert set(parts) == {"train", "val+test"}
    answers = [(run / name).read_text() for name in ("val_predictions.csv", "predictions.csv")]
    assert answers[0] == answers[1] and len(answers[0].splitlines()) == 1 + parts.count("val+test")
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert row["parts"]["val"] == row["parts"]["test"] == parts.count("val+test")


def test_missing_data_and_an_unwritable_out_are_named(photos, tmp_path, capsys):
    assert recipe(tmp_path / "nowhere", tmp_path, "--smoke") == 2
    assert "nowhere" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert recipe(photos, tmp_path / "file" / "out", "--smoke") == 2
    assert "--out" in capsys.readouterr().err


def test_a_corrupt_image_is_named_before_training(photos, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    bad = data / "red" / "003.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    assert recipe(data, tmp_path / "out", "--smoke", "--rows", "convnet1") == 2
    error = capsys.readouterr().err.strip()
    assert "003.jpg" in error and "\n" not in error


def test_every_row_of_the_study_has_its_printed_figures():
    reported = {name: row.reported.get("top1") for name, row in imagenet20.ROWS.items() if row.reported}
    assert reported == {
        "convnet1": 0.47189,
        "convnet2": 0.48854,
        "convnet3": 0.42086,
        "convnet4": 0.48558,
        "convnet5": 0.51701,
        "convnet5-1150": 0.51072,
    }
    assert len(photographs_of_the_study.CLASSES) == 20
    for row in imagenet20.ROWS.values():
        needed = {row.config.start_from, row.config.weak_from} - {""}
        assert needed == set(row.after)


def test_support_that_no_class_has_is_refused_before_anything_is_trained(photos, tmp_path, capsys):
    words = ("--smoke", "--set", "weak_count=1", "--set", "min_support=50", "--rows", "convnet5")
    assert recipe(photos, tmp_path, *words) == 2
    captured = capsys.readouterr()
    assert "error: min_support: no class has 50 validation images" in captured.err
    assert "Run 1 of" not in captured.out and not list(tmp_path.rglob("checkpoint"))
