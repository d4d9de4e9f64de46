"""retail258 from the command line on a lopsided set of generated photographs, and its rows against the report."""

import json
import shutil

import pytest

from kfg.augment.views import Changed
from kfg.engine import fitting, runner
from kfg.engine.job import Job
from kfg.models import backbones
from kfg.recipes import retail258

SMALL = ("--set", "net=cnn5", "--set", "weights=none")


def recipe(photos, out, *options):
    return runner.main(retail258.RECIPE, ["--data", str(photos), "--out", str(out), "--smoke", *options])


@pytest.fixture(scope="module")
def lopsided(photos, tmp_path_factory):
    """Return the photographs with all but four of one class left out."""
    data = tmp_path_factory.mktemp("lopsided") / "data"
    shutil.copytree(photos, data)
    for path in sorted((data / "red").iterdir())[4:]:
        path.unlink()
    return data


def test_the_baseline_reports_rare_classes_and_the_data_sets_figures(lopsided, tmp_path):
    assert recipe(lopsided, tmp_path, "--rows", "cnn5", "--set", "rare_limit=10") == 0
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert set(row["metrics"]["rare_accuracy"]) == {"value", "low", "high"}
    run = tmp_path / "retail258" / "cnn5" / "seed-0"
    page = (run / "report.html").read_text()
    for words in ("fewer than 10 images: 1 classes, 1 tested", "Mean image", "0.2112, 0.1898, 0.1821", "Average acc"):
        assert words in page, words
    figures = json.loads((run / "report.json").read_text())["figures"]
    assert figures["rare_accuracy"]["value"] in (0.0, 1.0) and figures["other_accuracy"]["high"] <= 1


@pytest.mark.usefixtures("without_export")
def test_crops_a_thousand_outputs_and_random_tests_run_through(lopsided, tmp_path, monkeypatch):
    tested, finish = [], Job.finish
    monkeypatch.setattr(
        Job,
        "finish",
        lambda self, index, images, **named: tested.append(images) or finish(self, index, images, **named),
    )
    options = ("--set", "head_classes=7", "--set", "random_test=True")
    assert recipe(lopsided, tmp_path, "--rows", "resnet50-1000way", *SMALL, *options) == 0
    run = tmp_path / "retail258" / "resnet50-1000way" / "seed-0"
    assert json.loads((run / "classes.json").read_text())[2:] == ["red", *(f"(unused {i})" for i in range(3, 7))]
    assert "as random crops" in (run / "report.html").read_text()
    assert [type(images) for images in tested] == [Changed]


@pytest.mark.parametrize(
    "row, weighted, adjusted, sampling",
    [
        ("lite0-weighted", True, False, None),
        ("lite0-balanced", False, False, "balanced"),
        ("lite0-adjusted", False, True, None),
    ],
)
@pytest.mark.usefixtures("without_export")
def test_rows_for_rare_classes_learn_by_their_loss_or_sampling(
    lopsided, tmp_path, monkeypatch, row, weighted, adjusted, sampling
):
    seen = []

    def train(job, *parts, **settings):
        given = (getattr(job.loss, name, None) for name in ("class_weights", "log_prior"))
        seen.append((*(value is not None for value in given), settings["sampling"]))
        return fitting.train(job, *parts, **settings)

    monkeypatch.setattr(retail258, "train", train)
    assert recipe(lopsided, tmp_path, "--rows", row, *SMALL) == 0
    assert seen == [(weighted, adjusted, sampling)]
    assert (tmp_path / "retail258" / row / "seed-0" / "report.html").is_file()


@pytest.mark.parametrize(
    "options, named",
    [
        (("--set", "loss=focal"), "loss: expected one of plain, weighted, adjusted, got 'focal'"),
        (("--set", "optimizer=lion"), "optimizer"),
        (("--rows", "lite0-balanced", *SMALL, "--set", "sampling=even"), "sampling"),
        (("--rows", "resnet50", "--set", "policy={'scale': (0, 2)}"), "scale"),
        (("--rows", "inception-v3", "--set", "image_size=(32, 32)"), "75 pixels"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(lopsided, tmp_path, capsys, options, named):
    assert recipe(lopsided, tmp_path, *options) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and named in error


def test_every_figure_of_the_study_has_its_row():
    printed = {name: row.reported for name, row in retail258.ROWS.items() if row.reported}
    assert list(printed) == ["cnn5", "resnet50", "resnet50-256", "resnet50-adam", "inception-v3"]
    table = printed["resnet50"]
    assert [table[f"train_{name}"] for name in ("top1", "top5", "average")] == [0.95, 0.99, 0.95]
    assert [table[name] for name in ("top1", "top5", "average")] == [0.91, 0.95, 0.92]
    assert [printed[name]["loss"] for name in ("resnet50", "resnet50-256", "inception-v3")] == [0.3322, 0.6592, 0.5148]
    adams = [retail258.OPTIMIZERS["adam"](retail258.ROWS[name].config).epsilon for name in ("resnet50-adam", "lite0")]
    assert adams == [1e-8, 1e-7]  # torch's, and Keras's
    assert {"vgg16", "vgg19", "inception-resnet-v2"} < set(retail258.ROWS)
    assert all(row.config.net == "cnn5" or row.config.net in backbones.BACKBONES for row in retail258.ROWS.values())
