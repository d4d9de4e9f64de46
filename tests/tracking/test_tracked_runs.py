"""Runs with both logs: the same weights as without, every epoch once whatever was killed when."""

import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from wandb.proto.wandb_internal_pb2 import Record

from kfg.data import pipeline, stores
from kfg.errors import InputError
from kfg.figures import curves, drawing
from kfg.tracking import logs
from kfg.tracking import wandb as wandb_log
from kfg.training import checkpoint, fit
from kfg.training.callbacks import COLUMNS
from kfg.training.schedules import Cosine

pytestmark = pytest.mark.usefixtures("untraced")
COUNT, BATCH, EPOCHS = 12, 4, 3
LABELS = np.repeat([0, 1], 6).astype(np.int32)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 5, 3), dtype=np.uint8)
SETTINGS = {"seed": 3, "config": {"learning_rate": 0.5, "image_size": [4, 5], "freeze": None, "flip": True}}
REPORT = {"images": 6, "top1": {"value": 0.75}, "auc": {"value": None}, "figures": {"seconds_to_trained": {"value": 9}}}
BOTH = ("tensorboard", "wandb")


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Keep wandb from what this machine knows, and from the network: nothing listens on port 9."""
    tf.config.experimental.enable_op_determinism()
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "NETRC"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SETTINGS))
    return folder


def train(run_dir, log, *, stage="", resume=False):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 5, 3)), keras.layers.Flatten(), keras.layers.Dropout(0.3)]
    model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=0.001))
    store = stores.Images(IMAGES)
    fit.train(
        model,
        lambda first: pipeline.training_batches(
            store, LABELS, batch_size=BATCH, seed=1, first_epoch=first, epochs=EPOCHS
        ),
        pipeline.evaluation_batches(store, LABELS, batch_size=5),
        workdir=run_dir / stage,
        epochs=EPOCHS,
        steps_per_epoch=3,
        resume=resume,
        schedule=Cosine(),
        callbacks=log.callbacks(),
        verbose=0,
    )
    return model.get_weights()


def opened(run_dir, *, wanted=BOTH):
    return logs.opened(wanted, run_dir, name="demo/row/seed-3")


def finish(run_dir, log, *, drawn=False):
    path = run_dir / "learning_curves.png"
    if drawn:
        drawing.save(curves.learning_curves(curves.read_history(run_dir / "history.csv")), path)
    else:
        Image.new("RGB", (3, 2)).save(path)
    log.results(REPORT)


def events(run_dir):
    found = EventAccumulator(str(run_dir / "tensorboard"), size_guidance={"tensors": 0})
    return found.Reload()


def scalars(found):
    """Return tag -> [(step, value)] of all scalars in event files."""
    tags = found.Tags()["tensors"]
    kinds = {tag: found.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags}
    return {
        tag: [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in found.Tensors(tag)]
        for tag in tags
        if kinds[tag] == "scalars"
    }


def records(path):
    """Yield the records of a .wandb file: 7 bytes of its own, then LevelDB's log in blocks of 32 KiB."""
    data, position, whole = path.read_bytes(), 7, b""
    while position + 7 <= len(data):
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
        if kind in (1, 4):  # a full record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def sent(run_dir):
    """Return the rows, the config, the summary and the run that the one offline log of a run folder holds."""
    (path,) = run_dir.glob("wandb/offline-run-*/*.wandb")
    rows, config, summary, run = [], {}, {}, None

    def plain(items):
        return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}

    for record in records(path):
        if record.HasField("history"):
            rows.append(plain(record.history.item))
        if record.HasField("summary"):
            summary |= plain(record.summary.update)
        if record.HasField("run"):
            run = record.run
            config |= plain(record.run.config.update)
    return rows, config, summary, run


def expected(run_dir, stage=""):
    """Return the rows of a stage's history.csv."""
    columns = curves.read_history(run_dir / stage / "history.csv")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def assert_complete(run_dir, stages=("",)):
    """Each epoch of each stage is in both logs, once, with the history's values; and so are results and settings."""
    in_events = scalars(events(run_dir))
    rows, config, summary, run = sent(run_dir)
    for stage in stages:
        history = expected(run_dir, stage)
        assert [row["epoch"] for row in history] == [1, 2, 3]
        for name in COLUMNS[1:]:
            assert in_events[stage + name] == [(row["epoch"], pytest.approx(row[name])) for row in history]
        mine = [row for row in rows if f"{stage}loss" in row]
        assert [{name: row[stage + name] for name in COLUMNS} for row in mine] == history
    assert [row["_step"] for row in rows] == list(range(1, 3 * len(stages) + 2))
    assert rows[-1]["learning_curves/_type"] == "image-file"
    assert in_events["test/top1"] == [(3, 0.75)] and in_events["test/seconds_to_trained"] == [(3, 9)]
    assert "test/auc" not in in_events and "test/images" not in in_events
    assert summary["test/top1"] == 0.75 and "test/auc" not in summary
    assert config["config"] == SETTINGS["config"] and config["seed"] == 3
    assert (run.project, run.display_name) == ("kfg", "demo/row/seed-3")


def test_both_logs_hold_the_history_and_the_weights_are_those_of_a_run_without(run_dir, tmp_path, capfd):
    with opened(tmp_path, wanted=()) as log:
        plain = train(tmp_path / "plain", log)
    with opened(run_dir) as log:
        tracked = train(run_dir, log)
        finish(run_dir, log, drawn=True)
    for one, other in zip(plain, tracked, strict=True):
        np.testing.assert_array_equal(one, other)
    assert_complete(run_dir)
    assert capfd.readouterr().out == ""
    found = events(run_dir)
    *_size, png = tf.make_ndarray(found.Tensors("learning_curves")[0].tensor_proto)
    assert png == tf.io.encode_png(tf.io.decode_png((run_dir / "learning_curves.png").read_bytes(), 3)).numpy()
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    chosen = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert chosen["config.learning_rate"].number_value == 0.5 and chosen["config.flip"].bool_value
    assert chosen["config.image_size"].string_value == "[4, 5]"
    assert '"learning_rate": 0.5' in tf.make_ndarray(found.Tensors("config")[0].tensor_proto).item().decode()


@pytest.mark.parametrize("when", ["before the log", "after the log"])
def test_a_run_killed_and_resumed_has_every_epoch_once(when, run_dir, monkeypatch):
    log_epochs = logs.Logs.epochs

    def die(log):
        if when == "after the log":
            log_epochs(log)
        if checkpoint.read(run_dir / "checkpoint" / "last.npz")["epoch"] == 2:
            raise KeyboardInterrupt
        return log_epochs(log)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), opened(run_dir) as log:
        patch.setattr(logs.Logs, "epochs", die)
        train(run_dir, log)
    steps = [step for step, _ in scalars(events(run_dir))["loss"]]
    assert steps == ([1] if when == "before the log" else [1, 2])
    with opened(run_dir) as log:
        train(run_dir, log, resume=True)
        finish(run_dir, log)
    assert_complete(run_dir)


def test_two_stages_keep_apart_and_what_is_complete_is_not_written_again(run_dir):
    with opened(run_dir) as log:
        train(run_dir, log, stage="head/")
        train(run_dir, log)
        finish(run_dir, log)
    assert_complete(run_dir, stages=("head/", ""))
    before = sorted(run_dir.rglob("*"))
    with opened(run_dir) as log:
        finish(run_dir, log)
    assert sorted(run_dir.rglob("*")) == before
    assert_complete(run_dir, stages=("head/", ""))


def test_a_finished_run_can_be_logged_afterwards(run_dir):
    with opened(run_dir, wanted=()) as log:
        train(run_dir, log)
        finish(run_dir, log)
    assert not (run_dir / "tensorboard").exists() and not (run_dir / "wandb").exists()
    with opened(run_dir) as log:
        finish(run_dir, log)
    assert_complete(run_dir)


def test_a_server_that_does_not_answer_is_a_line_and_an_offline_log(run_dir, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(wandb_log, "PATIENCE", 1)
    with opened(run_dir, wanted=("wandb",)) as log:
        train(run_dir, log)
    assert len(sent(run_dir)[0]) == EPOCHS
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("kfg.")]
    assert line.startswith("wandb: no answer from the server (") and line.endswith("); logging offline")


@pytest.mark.parametrize(
    ("name", "value"), [("WANDB_API_KEY", "abc"), ("WANDB_PROJECT", "a/b"), ("WANDB_MODE", "sometimes")]
)
def test_what_wandb_does_not_take_is_one_line_before_training(name, value, run_dir, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=value if name != "WANDB_API_KEY" else name) as raised, opened(run_dir):
        pytest.fail("the block is not entered")
    assert "\n" not in str(raised.value)


def test_a_disabled_wandb_is_not_begun_and_can_be_later(run_dir, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with opened(run_dir, wanted=("wandb",)) as log:
        train(run_dir, log)
        finish(run_dir, log)
    assert [path.name for path in (run_dir / "wandb").iterdir()] == ["kfg.json"]
    monkeypatch.delenv("WANDB_MODE")
    with opened(run_dir) as log:
        finish(run_dir, log)
    assert_complete(run_dir)


@pytest.mark.parametrize(
    ("mode", "known", "chosen"),
    [
        (None, False, "offline"),
        (None, True, "online"),
        ("offline", True, "offline"),
        ("online", True, "online"),
        ("disabled", True, "disabled"),
        ("online", False, "needs a key"),
        ("sometimes", True, "'sometimes' is not one of"),
    ],
)
def test_the_mode_is_that_of_the_environment_and_nobody_is_asked(mode, known, chosen, monkeypatch):
    def login(*, prompt, verify):
        assert prompt is False and verify is False
        return known

    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    fake = types.SimpleNamespace(login=login, Settings=dict, setup=lambda settings: None)
    if chosen in wandb_log.MODES:
        assert wandb_log.chosen_mode(fake) == chosen
    else:
        with pytest.raises(InputError, match=f"WANDB_MODE: .*{chosen}"):
            wandb_log.chosen_mode(fake)
