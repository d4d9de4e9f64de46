"""--track through a recipe: both stages of kfg train, and a finished run."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kfg.__main__ import main

pytestmark = pytest.mark.usefixtures("tiny_trunk", "without_export")

TINY = (
    "backbone=tiny",
    "image_size=(32, 32)",
    "weights=none",
    "head_epochs=3",
    "epochs=2",
    "views=1",
    "batch_size=16",
    "min_errors=0",
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")


def train(photos, out, *words):
    settings = [word for setting in TINY for word in ("--set", setting)]
    assert main(["train", str(photos), "--out", str(out), *settings, *words]) == 0
    return out / "folder" / "transfer" / "seed-0"


def events(run):
    return EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0}).Reload()


def steps(run):
    found = events(run)
    return {tag: [event.step for event in found.Tensors(tag)] for tag in found.Tags()["tensors"]}


def test_a_tracked_run_logs_both_stages_once_also_when_it_ended_before(photos, tmp_path, capsys):
    run = tmp_path / "folder" / "transfer" / "seed-0"
    (run / "wandb").mkdir(parents=True)  # of other settings, of which nothing was trained
    (run / "wandb" / "kfg.json").write_text('{"id": "stale", "complete": true}')
    (run / "config.json").write_text('{"seed": 99}')
    assert train(photos, tmp_path, "--track", "tensorboard", "--track", "wandb") == run
    logged = steps(run)
    assert logged["head/loss"] == [1, 2, 3] and logged["loss"] == logged["val_accuracy"] == [1, 2]
    assert logged["test/top1"] == logged["confusion"] == logged["learning_curves"] == [2]
    *_size, png = tf.make_ndarray(events(run).Tensors("confusion")[0].tensor_proto)
    image = tf.io.decode_png((run / "confusion.png").read_bytes(), channels=3)
    np.testing.assert_array_equal(tf.io.decode_png(png), image)
    assert len(list(run.glob("wandb/offline-run-*"))) == 1
    assert json.loads((run / "wandb" / "kfg.json").read_text())["id"] != "stale"
    assert "track" not in (run / "config.json").read_text()

    files = sorted(run.rglob("*"))
    train(photos, tmp_path, "--track", "tensorboard,wandb")
    assert "already finished, so it is not repeated" in capsys.readouterr().out
    assert sorted(run.rglob("*")) == files
    shutil.rmtree(run / "tensorboard")
    train(photos, tmp_path, "--track", "tensorboard")  # logged afterwards
    assert steps(run) == logged
