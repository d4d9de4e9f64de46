"""fruit3 from the command line on generated photographs, and its rows against the report's tables."""

import json

import numpy as np
import pytest
from PIL import Image

from kfg import __main__
from kfg.data import folder, stats
from kfg.engine import fitting, orders, runner, selection
from kfg.models import backbones
from kfg.models.catalogue import shapes_only
from kfg.recipes import fruit3


def recipe(photos, out, *options):
    return runner.main(fruit3.RECIPE, ["--data", str(photos), "--out", str(out), "--smoke", *options])


def test_odd_sizes_are_left_out_counted_and_copies_are_made_of_training_images_alone(
    photos, tmp_path, capsys, monkeypatch
):
    parts = []

    def train(job, training, validation, **settings):
        parts.append((len(training.labels), len(training.store), len(validation.labels), len(validation.store)))
        return fitting.train(job, training, validation, **settings)

    monkeypatch.setattr(fruit3, "train", train)
    data = tmp_path / "data"
    for path in photos.rglob("*.jpg"):
        (data / path.parent.name).mkdir(parents=True, exist_ok=True)
        (data / path.parent.name / path.name).write_bytes(path.read_bytes())
    Image.new("RGB", (41, 50), (200, 60, 40)).save(data / "red" / "odd.jpg")
    assert recipe(data, tmp_path / "out", "--rows", "cnn") == 0
    said = "36 of 37 images are used; the most common size is 40 x 50, and 1 of other sizes are left out (red 1)"
    assert said in capsys.readouterr().out
    run = tmp_path / "out" / "fruit3" / "cnn" / "seed-0"
    page = (run / "report.html").read_text()
    assert said in page and "What the model looks at" in page and (run / "gradcam.png").is_file()
    assert "odd.jpg" not in (run / "split.csv").read_text()
    row = json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert sum(row["parts"].values()) == 36 and row["data"]["images"] == 37
    trained, judged = row["parts"]["train"], row["parts"]["val"]
    assert parts == [(8 * trained, 8 * trained, judged, judged)]
    assert row["parameters"]["trained"] == row["parameters"]["total"] > 50_000 and row["epochs"] == 1
    assert __main__.main(["predict", str(run), str(data / "red" / "odd.jpg")]) == 0
    answer = capsys.readouterr().out.splitlines()[1].split("\t")[1]
    assert any(name in answer for name in ("blue", "green", "red"))  # perhaps none of these, but most like one


@pytest.mark.usefixtures("without_export")
def test_a_frozen_trunk_trains_its_head_and_the_test_set_may_stop_the_training(photos, tiny_trunk, tmp_path):
    options = ("--rows", "lite0-frozen", "--set", f"net={tiny_trunk}", "--weights", "none")
    assert recipe(photos, tmp_path, *options, "--set", "val_is_test=True", "--set", "eightfold=none") == 0
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert row["parameters"]["trained"] == 8 * 3 + 3 < row["parameters"]["total"]
    assert row["config"]["weights"] == "none"
    run = tmp_path / "fruit3" / "lite0-frozen" / "seed-0"
    answers = [(run / name).read_text() for name in ("val_predictions.csv", "predictions.csv")]
    assert answers[0] == answers[1] and len(answers[0].splitlines()) == 1 + row["parts"]["val"] > 1


@pytest.mark.parametrize(
    "options, named",
    [
        (("--set", "eightfold=twofold"), "eightfold"),
        (("--set", "stop_patience=0"), "stop_patience"),
        (("--rows", "lite0", "--set", "freeze=some"), "freeze"),
        (("--max-params", "few"), "few"),
        (("--max-params", "1k"), "1,000 are allowed"),
        (("--rows", "lite0", "--weights", "nowhere.h5"), "nowhere.h5"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(photos, tmp_path, capsys, options, named):
    assert recipe(photos, tmp_path, *options) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and named in error


def test_weights_are_for_rows_with_a_pretrained_trunk():
    args = orders.read(fruit3.RECIPE, ["--data", "x", "--rows", "all", "--weights", "some.h5"])
    rows = selection.configured(fruit3.RECIPE, args)
    assert rows["vgg16"].config.weights == rows["lite2"].config.weights == "some.h5"
    assert rows["cnn"].config.weights == rows["mlp"].config.weights == "none"


def test_every_row_of_the_study_has_its_printed_figures():
    printed = {name: row.reported for name, row in fruit3.ROWS.items() if row.reported}
    assert {name: round(100 * figures["top1"], 3) for name, figures in printed.items()} == {
        "mlp": 51.63,
        "cnn": 74.548,
        "cnn-no-dropout": 75.513,
        "cnn-batch64": 71.653,
        "cnn-batch256": 65.983,
        "cnn-rate1e-5": 63.21,
        "cnn-rate1e-3": 67.19,
        "cnn-rate1e-2": 33.53,
        "vgg16": 93.73,
        "resnet50": 92.88,
        "efficientnet-b2": 97.59,
    }
    assert sum(figures["minutes"] is not None for figures in printed.values()) == len(printed)


@pytest.mark.parametrize(
    "name, total, trained",
    [
        ("cnn", 9_966_691, 9_966_691),
        ("cnn-no-dropout", 9_966_691, 9_966_691),
        ("mlp", 68_851_023, 68_851_023),
        ("resnet50", 23_587_712 + 525_315, 525_315),
    ],
)
def test_the_models_have_the_printed_sizes(name, total, trained):
    config = fruit3.dataclasses.replace(fruit3.ROWS[name].config, weights="none")
    model = fruit3.NETS.get(config.net, fruit3.transfer)(config, 3)
    assert model.count_params() == total
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == trained


def test_the_studys_efficientnet_drops_features_as_its_port_does():
    dropped = {name: row.config.features_dropout for name, row in fruit3.ROWS.items()}
    assert {name for name, share in dropped.items() if share} == {"efficientnet-b2", "efficientnet-b2-as-printed"}
    config = fruit3.dataclasses.replace(fruit3.ROWS["efficientnet-b2"].config, weights="none")
    assert shapes_only(lambda: fruit3.transfer(config, 3)).get_layer("features_dropout").rate == 0.3


def test_every_trunk_is_known():
    for row in fruit3.ROWS.values():
        assert row.config.net in fruit3.NETS or row.config.net in backbones.BACKBONES


@pytest.mark.realdata
def test_the_studys_arithmetic_holds_for_this_copy_of_its_photographs(real_data):
    index = folder.scan(real_data / "fruit3")
    assert index.classes == fruit3.CLASSES
    kept, size = stats.of_commonest_size(index)
    said = fruit3.left_out(index, kept, size)
    assert f"{len(index) - 53} of {len(index)} images are used" in said
