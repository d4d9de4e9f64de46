"""What a run leaves that was interrupted, or refused before it trained anything; and what to type to go on."""

import contextlib
import io
import json
import shlex
import shutil

import keras
import numpy as np
import pytest
from bare import bare_runs

from kfg import time_budgets
from kfg.__main__ import main
from kfg.engine import provenance, recording, runner
from kfg.engine.job import Job
from kfg.engine.options import OF_RECIPES, OF_TRAIN, as_typed, assigned, tuples
from kfg.exporting import classifiers
from kfg.models import backbones, saved
from kfg.recipes import folder
from kfg.recipes.folder_stages import Training
from kfg.training import checkpoint

pytestmark = pytest.mark.usefixtures("tiny_trunk", "without_export")

TINY = ("image_size=(32, 32)", "weights=none", "head_epochs=3", "views=0", "batch_size=16", "backbone=tiny")
TWO_EPOCHS = ("epochs=2", "min_errors=0")
RUN = "folder/transfer/seed-0"


def words(photos, out, *more, settings=()):
    words = ["--data", str(photos), "--out", str(out), *more]
    for setting in (*TINY, *settings):
        words += ["--set", setting]
    return words


def interrupted(monkeypatch, stage, *, before=False):
    """Let Ctrl-C come when the checkpoint of a stage's first epoch is written, or just before that."""
    save = checkpoint.save

    def cut(path, model, companions=(), *, epoch):
        here = path.parent.parent.name == stage
        if here and before:
            raise KeyboardInterrupt
        save(path, model, companions, epoch=epoch)
        if here:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", cut)


def cut(*_, **__):
    raise KeyboardInterrupt


def heads_weights(run):
    """Return the head's kernel in the checkpoint of its stage, and that in model.keras."""
    model = saved.load(run / "model.keras")
    state = checkpoint.read(run / "head" / "checkpoint" / "last.npz")
    kernel = next(layer.kernel.numpy() for layer in reversed(model.layers) if hasattr(layer, "kernel"))
    return next(a for a in state["arrays"].values() if a.shape == kernel.shape), kernel, model, state


def test_ctrl_c_in_the_heads_stage_says_what_is_there_and_keeps_it(photos, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted(patch, "head")
        assert runner.main(folder.RECIPE, words(photos, tmp_path, settings=("epochs=0",))) == 130
    error = capsys.readouterr().err
    assert f"interrupted; {tmp_path / RUN} holds the last finished epoch of the head\n" in error
    assert "to continue, give the same command with --resume" in error
    kept, here, _, state = heads_weights(tmp_path / RUN)
    assert state["epoch"] == 1
    np.testing.assert_array_equal(kept, here)
    assert classifiers.load(tmp_path / RUN).top1(next(photos.rglob("*.jpg")))[0] in ("blue", "green", "red")
    assert runner.main(folder.RECIPE, words(photos, tmp_path, "--resume", settings=("epochs=0",))) == 0


def test_ctrl_c_in_the_first_epoch_of_fine_tuning_keeps_the_head_on_an_untouched_trunk(
    photos, tmp_path, capsys, monkeypatch
):
    settings = ("epochs=2", "min_errors=0", "learning_rate=0.1")
    with monkeypatch.context() as patch:
        interrupted(patch, "seed-0", before=True)
        assert runner.main(folder.RECIPE, words(photos, tmp_path, settings=settings)) == 130
    assert "holds the last finished epoch of the head" in capsys.readouterr().err
    kept, here, model, state = heads_weights(tmp_path / RUN)
    assert state["epoch"] == 3
    np.testing.assert_array_equal(kept, here)
    keras.utils.set_random_seed(0)
    built = backbones.trunk("tiny", image_size=model.input_shape[1:3], weights="none")
    own, new = (net.get_layer("block6_conv").kernel.numpy() for net in (model, built))
    np.testing.assert_array_equal(own, new)  # fine-tuning moves it


def test_ctrl_c_after_a_second_opinion_keeps_the_head(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES["tiny"])
    monkeypatch.setattr(Job, "finish", cut)
    assert runner.main(folder.RECIPE, words(photos, tmp_path, settings=("epochs=0", "second_opinion=other"))) == 130
    assert "holds the last finished epoch of the head" in capsys.readouterr().err
    kept, here, _, _ = heads_weights(tmp_path / RUN)
    np.testing.assert_array_equal(kept, here)


def test_without_an_epoch_it_says_so(photos, tmp_path, capsys, monkeypatch):
    interrupted(monkeypatch, "head", before=True)
    assert runner.main(folder.RECIPE, words(photos, tmp_path)) == 130
    assert f"{tmp_path / RUN} has no finished epoch" in capsys.readouterr().err


@pytest.fixture(scope="module")
def begun(photos, tiny_trunk, tmp_path_factory):
    """Return the output folder of a run that was interrupted after its first epoch of fine-tuning, and what it said."""
    out, said = tmp_path_factory.mktemp("begun"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, bare_runs(), contextlib.redirect_stderr(said):
        interrupted(patch, "seed-0")
        assert runner.main(folder.RECIPE, words(photos, out, settings=TWO_EPOCHS)) == 130
    return out, said.getvalue()


@pytest.mark.parametrize("place", [(Training, "judge_classes"), (Job, "split")])
def test_ctrl_c_before_a_resumed_session_comes_as_far_as_an_earlier_one_leaves_all_as_it_is(
    place, begun, photos, tmp_path, capsys, monkeypatch
):
    out, first = begun
    assert f"interrupted; {out / RUN} holds the last finished epoch\n" in first
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / RUN / "model.keras").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*place, cut)
        assert runner.main(folder.RECIPE, words(photos, tmp_path, "--resume", settings=TWO_EPOCHS)) == 130
    error = capsys.readouterr().err
    assert f"interrupted; {tmp_path / RUN} holds the last finished epoch\n" in error
    assert "to continue, give the same command with --resume" in error
    assert (tmp_path / RUN / "model.keras").read_bytes() == before


def test_ctrl_c_after_the_end_does_not_call_a_finished_run_unfinished(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recording, "record", cut)
    assert runner.main(folder.RECIPE, words(photos, tmp_path, settings=("epochs=0",))) == 130
    assert f"interrupted; {tmp_path / RUN} holds the finished run\n" in capsys.readouterr().err


def test_ctrl_c_before_there_is_a_run_says_nothing_of_one(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runner, "jobs", cut)
    assert runner.main(folder.RECIPE, words(photos, tmp_path)) == 130
    assert capsys.readouterr().err.startswith("interrupted\n")


@pytest.mark.parametrize("setting", ["backbone=WRONG", "freeze=re:nowhere", "image_size=(8, 8)"])
def test_a_run_that_is_refused_before_training_leaves_no_folder(setting, photos, tmp_path, capsys):
    assert runner.main(folder.RECIPE, words(photos, tmp_path / "out", settings=(setting,))) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "out" / "folder").exists()
    if setting == "backbone=WRONG":
        assert "--set backbone=WRONG: expected one of" in error and not (tmp_path / "out").exists()


def test_a_refused_run_takes_nothing_of_anothers_with_it(photos, tmp_path):
    (tmp_path / RUN).mkdir(parents=True)
    (tmp_path / RUN / "notes.txt").write_text("mine")
    assert runner.main(folder.RECIPE, words(photos, tmp_path, settings=("freeze=re:nowhere",))) == 2
    assert (tmp_path / RUN / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "now, typed",
    [
        ({"time_budget": 600.0}, ("--time-budget 3m", "--set time_budget=180.0")),
        ({"weights": "other.h5"}, ("--weights '/my weights/a.h5'", "--weights '/my weights/a.h5'")),
        ({"epochs": 2}, ("--epochs 8", "--epochs 8")),
    ],
)
def test_a_suggested_command_has_the_options_of_the_program_that_was_called(
    now, typed, photos, tmp_path, capsys, monkeypatch
):
    before = {"time_budget": 180.0, "weights": "/my weights/a.h5", "epochs": 8}
    whole = {"recipe": "folder", "row": "transfer", "seed": 0, "data": {"images": 36}}
    (tmp_path / RUN / "checkpoint").mkdir(parents=True)
    (tmp_path / RUN / "config.json").write_text(json.dumps({**whole, "config": before}))
    monkeypatch.setattr(provenance, "settings", lambda job: {**whole, "config": {**before, **now}})
    assert main(["train", str(photos), "--out", str(tmp_path), *words(photos, tmp_path)[4:]]) == 2
    assert f"continue with {typed[0]}, or remove it" in capsys.readouterr().err
    assert runner.main(folder.RECIPE, words(photos, tmp_path)) == 2
    assert f"continue with {typed[1]}, or remove it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "key, value, options, typed",
    [
        ("time_budget", 180.0, OF_TRAIN, "--time-budget 3m"),
        ("time_budget", 5400.0, OF_TRAIN, "--time-budget 90m"),
        ("time_budget", 7200, OF_TRAIN, "--time-budget 2h"),
        ("time_budget", 90.5, OF_TRAIN, "--time-budget 90.5s"),
        ("time_budget", 180.0, OF_RECIPES, "--set time_budget=180.0"),
        ("epochs", 8, OF_RECIPES, "--epochs 8"),
        ("epochs", 8, OF_TRAIN, "--epochs 8"),
        ("weights", "my weights.h5", OF_TRAIN, "--weights 'my weights.h5'"),
        ("freeze", "re:(?i)^(?!.*bn)", OF_RECIPES, "--set 'freeze=re:(?i)^(?!.*bn)'"),
        ("image_size", [68, 45], OF_RECIPES, "--set 'image_size=(68, 45)'"),
        ("mixing_alpha", None, OF_RECIPES, "--set mixing_alpha=None"),
        ("policy", {"rotation": 15}, OF_RECIPES, None),
    ],
)
def test_settings_as_they_are_typed(key, value, options, typed):
    assert as_typed(key, value, options) == typed
    if typed is not None and typed.startswith("--set "):
        given = assigned([shlex.split(typed)[1]], [key])[key]
        assert given == tuples(value)
    if options is OF_TRAIN and key == "time_budget":
        assert time_budgets.seconds_of(typed.split()[1]) == value
