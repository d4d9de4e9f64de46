"""cub200 from the command line on generated photographs, its misread split, and its rows against the report."""

import gc
import hashlib
import json
import weakref

import pytest

from kfg.data.index import make_index
from kfg.engine import runner
from kfg.engine.job import Job
from kfg.figures import tradeoff_figure
from kfg.models import backbones, freezing
from kfg.recipes import cub200
from kfg.runs import comparison

pytestmark = pytest.mark.usefixtures("tiny_trunk")


def recipe(photos, out, *options):
    words = ["--data", str(photos), "--out", str(out), "--smoke", "--set", "net=tiny"]
    return runner.main(cub200.RECIPE, [*words, *options])


def test_a_row_runs_to_its_report_and_into_the_picture(photos, tmp_path, capsys, monkeypatch):
    drawn, draw = [], tradeoff_figure.draw
    monkeypatch.setattr(tradeoff_figure, "draw", lambda points, **named: drawn.extend(points) or draw(points, **named))
    assert recipe(photos, tmp_path, "--rows", "b2-frozen-dropout0.2", "--max-params", "10M") == 0
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert 0 < row["parameters"]["trained"] < row["parameters"]["total"] < 10_000_000
    (point,) = (one for one in drawn if one["data"] == photos.name)
    assert (point["name"], point["top1"]) == ("b2-frozen-dropout0.2", row["metrics"]["top1"]["value"])
    assert (tmp_path / "cub200" / "parameters.png").stat().st_size > 5_000
    assert "accuracy over parameters" in capsys.readouterr().out


@pytest.mark.usefixtures("without_export")
def test_a_command_of_many_rows_keeps_one_model_in_memory(photos, tmp_path, monkeypatch):
    made, compile_model = [], Job.compile
    monkeypatch.setattr(
        Job, "compile", lambda self, *args, **named: made.append(weakref.ref(compile_model(self, *args, **named)))
    )
    assert recipe(photos, tmp_path, "--rows", "lite0-head", "--seeds", "0,1") == 0
    gc.collect()
    assert [model() for model in made] == [None, None]


@pytest.mark.usefixtures("without_export")
def test_cutmix_goes_by_images_even_where_only_the_head_is_trained(photos, tmp_path):
    assert recipe(photos, tmp_path, "--rows", "lite0-cutmix", "--set", "freeze=head", "--weights", "none") == 0
    assert json.loads((tmp_path / "results.jsonl").read_text())["config"]["mixing"] == "cutmix"
    assert not list((tmp_path / "cache").glob("features-*"))


def test_a_model_over_budget_is_refused_before_training(photos, tmp_path, capsys):
    assert recipe(photos, tmp_path, "--rows", "lite0", "--max-params", "1k") == 2
    error = capsys.readouterr().err.strip()
    assert "1,000 are allowed" in error and "\n" not in error
    assert not (tmp_path / "cub200" / "lite0" / "seed-0" / "history.csv").exists()


@pytest.mark.parametrize(
    "options, named",
    [
        (("--set", "split=mine"), "split"),
        (("--set", "mixing=blend"), "mixing"),
        (("--set", "logits_dropout=0.5"), "logits_activation"),
        (("--rows", "b0-frozen-no-schedule", "--set", "schedule={'gamma': 0.5}"), "schedule"),
        (("--set", "schedule={'speed': 0.5}"), "speed"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(photos, tmp_path, capsys, options, named):
    assert recipe(photos, tmp_path, *options) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and named in error


@pytest.mark.usefixtures("without_export")
def test_a_weights_file_is_known_by_its_content(photos, tmp_path, capsys):
    net = backbones.trunk("tiny", image_size=(32, 32), weights="none")
    path = tmp_path / "trunk.weights.h5"
    net.save_weights(path)
    begin = ("--rows", "lite0-head", "--weights", str(path))
    assert recipe(photos, tmp_path / "out", *begin) == 0
    run = tmp_path / "out" / "cub200" / "lite0-head" / "seed-0"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert json.loads((run / "config.json").read_text())["weights_sha256"] == digest
    row = json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert len(comparison.by_settings([row, {**row, "seed": 1}])) == 1
    assert len(comparison.by_settings([row, {**row, "weights_sha256": "of another file"}])) == 2
    net.set_weights([value + 1 for value in net.get_weights()])
    net.save_weights(path)
    assert recipe(photos, tmp_path / "out", *begin, "--resume") == 2
    assert "another value of weights_sha256" in capsys.readouterr().err
    path.unlink()
    assert recipe(photos, tmp_path / "out", *begin) == 0  # a finished run needs it no more
    assert "already finished" in capsys.readouterr().out
    assert recipe(photos, tmp_path / "new", *begin) == 2
    assert "trunk.weights.h5: no such file" in capsys.readouterr().err


def test_the_studys_misreading_moves_flags_between_images_and_keeps_their_number():
    listed = ["a/3.jpg", "a/1.jpg", "a/2.jpg", "b/1.jpg"]  # the lists' order is not the sorted one
    index = make_index("root", listed, [0, 0, 0, 1], ["a", "b"], parts=["train", "test", "test", "train"])
    found = dict(zip(listed, cub200.misread(index).parts, strict=True))
    assert found == {"a/1.jpg": "train", "a/2.jpg": "test", "a/3.jpg": "test", "b/1.jpg": "train"}
    in_order = index.take([1, 2, 0, 3])
    assert cub200.misread(in_order).parts == in_order.parts


def test_every_row_of_the_study_has_its_printed_figures():
    printed = {name: row.reported for name, row in cub200.ROWS.items() if row.reported}
    assert {name: (round(100 * one["top1"], 2), one["epochs"]) for name, one in printed.items()} == {
        "b0": (73.37, 14),
        "b2": (73.92, 19),
        "b0-frozen": (70.76, 20),
        "b2-frozen": (69.80, 17),
        "b2-frozen-dropout0.5": (54.69, 18),
        "b2-frozen-dropout0.2": (69.14, 20),
        "b0-frozen-plateau": (69.61, 11),
        "b0-frozen-no-schedule": (69.09, 11),
        "b0-frozen-leaky-dropout0.2": (68.62, 11),
    }
    assert all(row.config.net in backbones.BACKBONES for row in cub200.ROWS.values())


@pytest.mark.parametrize("name", ["b0", "b0-frozen", "b0-frozen-leaky-dropout0.2"])
def test_what_trains_is_what_the_report_counts(name):
    row = cub200.ROWS[name]
    model = cub200.build(cub200.dataclasses.replace(row.config, weights="none"), 200)
    assert freezing.trainable_count(model) == row.reported["trained"]
