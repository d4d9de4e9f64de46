"""Training, its checkpoint and its resume, on a net of a few weights."""

import csv
import errno
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from copies import Copies, after

from kfg.errors import InputError
from kfg.training import callbacks, checkpoint, fit, schedules

EPOCHS = 6
STEPS = 3


@pytest.fixture(autouse=True)
def deterministic():
    tf.config.experimental.enable_op_determinism()


def small_model(seed=0, learning_rate=0.05):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=learning_rate))
    return model


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(12, 4)).astype("float32"), rng.integers(0, 3, 12).astype("int32")


def batches(first_epoch):
    x, y = data()
    one = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    return one.repeat(EPOCHS - first_epoch)


def train(workdir, *, model=None, epochs=EPOCHS, make=batches, **changes):
    model = model or small_model()
    arguments = {
        "steps_per_epoch": STEPS,
        "schedule": schedules.Plateau(0.5, 1, 1e-6),
        "verbose": 0,
    }
    val = tf.data.Dataset.from_tensor_slices(data(1)).batch(4)
    rows = fit.train(model, make, val, workdir=workdir, epochs=epochs, **{**arguments, **changes})
    return model, rows


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the function stop_patience -> a whole training's model, its history and its folder, with `Copies`."""

    @functools.cache
    def trained(stop_patience):
        workdir = tmp_path_factory.mktemp("trained") / "whole"
        return *train(workdir, stop_patience=stop_patience, callbacks=[Copies(workdir)]), workdir

    return trained


@pytest.mark.parametrize("stop_patience", [None, 3, 10])
@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_a_resumed_run_is_the_uninterrupted_run_to_the_last_bit(whole, killed_after, stop_patience):
    model, rows, workdir = whole(stop_patience)
    cut, settings = after(workdir, min(killed_after, len(rows))), {"stop_patience": stop_patience, "resume": True}
    resumed, resumed_rows = train(cut, model=small_model(seed=9), **settings)
    assert same(model, resumed)
    without_time = [[{k: v for k, v in row.items() if k != "seconds"} for row in r] for r in (rows, resumed_rows)]
    assert without_time[0] == without_time[1]
    assert not same(model, small_model())


def test_the_plateau_did_something_in_the_resumed_runs(whole):
    _, rows, _ = whole(None)
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"]


def test_resuming_without_callback_state_would_not_be_the_same_run(whole, monkeypatch):
    model, _, workdir = whole(None)
    monkeypatch.setattr(checkpoint, "_restore_callbacks", lambda companions, state: None)
    resumed, _ = train(after(workdir, 4), model=small_model(seed=9), resume=True)
    assert not same(model, resumed)


def test_early_stopping_returns_the_best_epochs_weights(tmp_path):
    model, rows = train(tmp_path, model=small_model(learning_rate=0.5), stop_patience=1)
    assert len(rows) < EPOCHS
    best = min(row["val_loss"] for row in rows)
    assert best < rows[-1]["val_loss"]
    again = model.evaluate(*data(1), batch_size=4, verbose=0)[0]
    assert again == pytest.approx(best, rel=1e-6)


def test_a_finished_run_resumes_to_the_same_weights_without_training(tmp_path):
    whole, rows = train(tmp_path, stop_patience=2)
    history = (tmp_path / "history.csv").read_text()
    (tmp_path / "history.csv").unlink()  # as where the checkpoint alone was brought, which a longer trial goes on from
    again, again_rows = train(tmp_path, model=small_model(seed=9), stop_patience=2, resume=True)
    assert same(whole, again)
    assert again_rows == rows
    assert (tmp_path / "history.csv").read_text() == history


def test_history_is_a_row_per_epoch_with_the_rate_it_was_trained_with(tmp_path):
    _, rows = train(tmp_path)
    with open(tmp_path / "history.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in written] == list(range(1, EPOCHS + 1))
    assert float(written[0]["learning_rate"]) == pytest.approx(0.05)
    assert [float(row["val_loss"]) for row in written] == [row["val_loss"] for row in rows]


def test_another_runs_weights_optimiser_and_rate_are_gone_on_from(tmp_path):
    first, _ = train(tmp_path / "first")
    model, more = train(tmp_path / "second", start_from=tmp_path / "first" / "checkpoint" / "last.npz", epochs=1)
    assert more[0]["learning_rate"] == pytest.approx(float(first.optimizer.learning_rate))
    assert int(model.optimizer.iterations) == int(first.optimizer.iterations) + STEPS


def test_nan_stops_in_its_epoch_and_keeps_the_last_good_one(tmp_path):
    model = small_model(learning_rate=1e30)
    with pytest.raises(InputError, match=r"epoch 1, step [123].*learning_rate=1e\+30"):
        train(tmp_path, model=model)
    assert checkpoint.read(tmp_path / "checkpoint" / "last.npz") is None
    train(tmp_path, epochs=1)
    before = (tmp_path / "checkpoint" / "last.npz").read_bytes()

    def spoiled(first_epoch):
        return batches(first_epoch).map(lambda x, y: (x * np.nan, y))

    class Validated(keras.callbacks.Callback):
        def on_test_batch_begin(self, batch, logs=None):
            pytest.fail("validation images were looked at")

    with pytest.raises(
        InputError, match=r"became (nan|NaN or infinite) in epoch 2, step 1 to 3, with learning_rate=0\.05"
    ):
        train(tmp_path, make=spoiled, resume=True, callbacks=[Validated()])
    assert (tmp_path / "checkpoint" / "last.npz").read_bytes() == before


def test_nan_names_the_setting_that_decides_the_rate(tmp_path):
    with pytest.raises(InputError, match=r"^head_learning_rate: .* with head_learning_rate=1e\+30; remove"):
        train(tmp_path, model=small_model(learning_rate=1e30), rate_setting="head_learning_rate")


@pytest.mark.parametrize("bad, steps", [(10, "1 to 50"), (49, "1 to 50"), (50, "51 to 100"), (123, "101 to 130")])
def test_nan_is_named_within_fifty_steps(tmp_path, bad, steps):
    x, y = data()
    many = np.tile(x, (44, 1))[:520].reshape(130, 4, 4)
    many[bad] = np.inf

    def long_epoch(first_epoch):
        return tf.data.Dataset.from_tensor_slices((many, np.tile(y, 44)[:520].reshape(130, 4)))

    with pytest.raises(InputError, match=rf"in epoch 1, step {steps}, "):
        train(tmp_path, make=long_epoch, epochs=1, steps_per_epoch=130, schedule=None)


def test_no_step_waits_for_the_loss(tmp_path):
    """Keras reads the loss in every step if one callback asks for it; see its CallbackList."""
    asked = []

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            kinds = (callbacks.StopOnNaN, callbacks.History, checkpoint.Checkpoint, schedules._Rate)
            asked.extend(kind.on_train_batch_end is keras.callbacks.Callback.on_train_batch_end for kind in kinds)

    train(tmp_path, epochs=1, callbacks=[Look()])
    assert asked == [True] * 4


def test_damaged_and_foreign_checkpoints_are_named(tmp_path):
    path = tmp_path / "checkpoint" / "last.npz"
    train(tmp_path, epochs=1)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"last\.npz: damaged"):
        train(tmp_path, resume=True)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    fit.compile_classifier(other, optimizer=keras.optimizers.Adam(learning_rate=0.1))
    train(tmp_path / "other", model=other, epochs=1)
    with pytest.raises(InputError, match="another model"):
        train(tmp_path / "other", resume=True)


def test_a_checkpoint_that_cannot_be_read_is_not_to_be_removed(tmp_path, monkeypatch):
    train(tmp_path, epochs=1)

    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(checkpoint.zipfile, "ZipFile", refused)
    with pytest.raises(InputError, match=r"last\.npz: cannot be read now \(Permission denied\), but it may be whole"):
        train(tmp_path, resume=True)


def test_a_checkpoint_appears_whole(tmp_path, monkeypatch):
    model, _ = train(tmp_path, epochs=1)
    path = tmp_path / "checkpoint" / "last.npz"
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match=r"last\.npz: No space left.*free some space and run the same command again"):
        checkpoint.save(path, model, epoch=2)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["last.npz"]


def test_weights_that_are_not_finite_stop_training_though_the_loss_is(tmp_path):
    model = small_model()

    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kernel = self.model.layers[0].kernel
            kernel.assign(kernel * np.nan)

    x, y = data()
    with pytest.raises(InputError, match="kernel is not finite after epoch 1"):
        model.fit(x, y, epochs=1, verbose=0, callbacks=[Spoil(), callbacks.StopOnNaN()])


def test_going_on_from_a_run_that_stopped_early_starts_at_its_best_epoch(tmp_path):
    first, _ = train(tmp_path / "first", model=small_model(learning_rate=0.5), stop_patience=1)
    state = checkpoint.read(tmp_path / "first" / "checkpoint" / "last.npz")
    best = checkpoint.best_weights(state)
    assert all(np.array_equal(a, b) for a, b in zip(best, first.get_weights(), strict=True))
    seen = []

    def look(first_epoch):
        seen.append(second.get_weights())
        return batches(first_epoch)

    second = small_model(seed=9)
    train(tmp_path / "second", model=second, epochs=1, make=look, start_from=tmp_path / "first/checkpoint/last.npz")
    assert all(np.array_equal(a, b) for a, b in zip(best, seen[0], strict=True))


def test_all_epochs_trained_and_the_best_ones_weights_kept(tmp_path):
    hot = {"schedule": None, "model": small_model(learning_rate=0.5)}
    model, rows = train(tmp_path, keep_best=True, monitor="val_accuracy", **hot)
    best = max(row["val_accuracy"] for row in rows)
    assert len(rows) == EPOCHS and rows[-1]["val_accuracy"] < best  # else this shows nothing
    x, y = data(1)
    assert (model.predict(x, verbose=0).argmax(axis=1) == y).mean() == pytest.approx(best)
    hot = {"schedule": None, "model": small_model(seed=9, learning_rate=0.5)}
    again, again_rows = train(tmp_path, keep_best=True, monitor="val_accuracy", resume=True, **hot)
    assert same(model, again) and again_rows == rows


def test_val_accuracy_counts_upwards(tmp_path):
    hot = small_model(learning_rate=0.5)
    _, rows = train(tmp_path, model=hot, schedule=None, stop_patience=1, monitor="val_accuracy")
    values = [row["val_accuracy"] for row in rows]
    first_not_better = next(i for i in range(1, EPOCHS) if values[i] <= max(values[:i]))
    assert len(rows) == first_not_better + 1


def test_without_a_schedule_the_rate_stays(tmp_path):
    _, rows = train(tmp_path, schedule=None)
    assert {row["learning_rate"] for row in rows} == {rows[0]["learning_rate"]}


def test_an_unknown_monitor_is_named(tmp_path):
    with pytest.raises(InputError, match="monitor: 'loss' is not one of val_loss, val_accuracy"):
        train(tmp_path, monitor="loss")
