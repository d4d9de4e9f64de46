"""Compile and fit with a rate schedule, early stopping, history, checkpoints and a bit-exact resume."""

import logging
import pathlib
import sys

import keras
import numpy as np

from kfg import keras_private, keras_settings
from kfg.errors import InputError
from kfg.runs import run_files
from kfg.training import checkpoint
from kfg.training.callbacks import History, StopOnNaN, write_history
from kfg.training.losses import Accuracy
from kfg.training.made_from import MadeFrom, of_batches, of_model

logger = logging.getLogger(__name__)

MONITORS = {"val_loss": "min", "val_accuracy": "max"}  # column of the history -> which way is better


def compile_classifier(model, *, optimizer, loss=None, jit_compile: bool = False) -> None:
    """Compile a model whose output is class probabilities.

    Args:
        model: Keras model, images -> probabilities (B, C).
        optimizer: Keras optimizer object, of this model only.
        loss: Keras loss; default cross-entropy on int labels.
        jit_compile: XLA; 5 times slower than oneDNN on a CPU, but for nets without convolutions.
    Raises:
        InputError: Keras settings that kfg does not work with.
    """
    keras_settings.check()
    model.compile(
        optimizer=optimizer,
        loss=loss or keras.losses.SparseCategoricalCrossentropy(),
        metrics=[Accuracy(name="accuracy")],
        jit_compile=False,
    )
    # not by compile(): with deterministic operations Keras leaves XLA out, whatever the net, as some operations have
    # no such form; TensorFlow refuses those by name, and `precision.choose` only takes what has run
    keras_private.set_jit_compile(model, jit_compile)


def train(
    model,
    batches,
    val_batches,
    *,
    workdir,
    epochs: int,
    steps_per_epoch: int,
    schedule=None,
    monitor: str = "val_loss",
    stop_patience: int | None = None,
    keep_best: bool = False,
    resume: bool = False,
    start_from=None,
    callbacks=(),
    verbose: int | str | None = None,
):
    """Fit a compiled model; the weights that count are in it when this returns.

    Args:
        model: compiled Keras model.
        batches: function first_epoch -> dataset of the training batches of that and all later epochs. What
            `pipeline.training_batches` returns says what it is made from, of others the first labels are compared: a
            resumed run must go on with the same.
        val_batches: dataset that plateau, early stopping and `keep_best` look at; never the test set.
        workdir: folder for history.csv and checkpoint/last.npz.
        epochs: int >= 1, at most.
        steps_per_epoch: batches per epoch.
        schedule: an object of kfg.training.schedules, which moves the rate the model was compiled with;
            None leaves the rate alone.
        monitor: a key of MONITORS, what plateau, early stopping and `keep_best` judge an epoch by.
        stop_patience: epochs without a better monitored value before stopping, then the best epoch's weights
            are restored; None trains all epochs.
        keep_best: end with the best epoch's weights also where all epochs are trained; else the last ones stay.
        resume: go on from the checkpoint in `workdir`, if there is one.
        start_from: checkpoint file of another run whose weights, optimiser and rate this run begins with.
        callbacks: Keras callbacks, called when the epoch's history and checkpoint are on disk.
        verbose: as in Keras; default a bar on a terminal, a line per epoch elsewhere.
    Returns:
        The rows of history.csv, a dict per epoch.
    Raises:
        InputError: the loss became NaN; a damaged or foreign checkpoint, one of a training that was made from something
            else, none at `start_from`; a full disk; an unknown monitor.
    """
    if monitor not in MONITORS:
        raise InputError(f"monitor: {monitor!r} is none of {', '.join(MONITORS)}")
    workdir = pathlib.Path(workdir)
    last = workdir / checkpoint.LAST
    history = History(workdir / run_files.HISTORY)
    rate = _schedule(model, schedule, monitor=monitor, epochs=epochs, steps_per_epoch=steps_per_epoch)
    patience = stop_patience or (epochs if keep_best else None)
    settings = {
        **of_model(model), "schedule": schedule and schedule.made_from(epochs), "steps_per_epoch": steps_per_epoch,
        "monitor": monitor, "stop_patience": stop_patience, "keep_best": keep_best,
    }  # fmt: skip
    state = checkpoint.read(last) if resume else None
    first_epoch = _begin(model, state, start_from)
    made_from = MadeFrom({"batches": of_batches(batches), **settings})
    if state is not None:
        made_from.check(state)
    companions = [*rate, *_best(monitor, patience), history, made_from]
    if first_epoch >= epochs or _had_stopped(state):
        return _finished(model, state, history.path)
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    _make_variables(model)
    model.fit(
        batches(first_epoch),
        validation_data=val_batches,
        initial_epoch=first_epoch,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the batches come shuffled
        callbacks=[StopOnNaN(), *companions, checkpoint.Checkpoint(last, companions, state=state), *callbacks],
        verbose=verbose,
    )
    return history.rows


def _schedule(model, schedule, *, monitor, epochs, steps_per_epoch):
    if schedule is None:
        return []
    rate = float(model.optimizer.learning_rate)  # before a checkpoint brings the one it had come to
    return [
        schedule.callback(
            monitor=monitor,
            mode=MONITORS[monitor],
            learning_rate=rate,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
        )
    ]


def _best(monitor, patience):
    """Return what restores the best epoch's weights; with a patience of all epochs it never stops early."""
    if patience is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            monitor=monitor, mode=MONITORS[monitor], patience=patience, restore_best_weights=True
        )
    ]


def _begin(model, state, start_from) -> int:
    """Put the model where training begins; return the epochs already finished."""
    if state is not None:
        first_epoch = checkpoint.restore(model, state)
        logger.info("resumed after epoch %d", first_epoch)
        return first_epoch
    if start_from is not None:
        earlier = checkpoint.read(start_from)
        if earlier is None:
            raise InputError(f"start_from: no checkpoint {start_from}; the run to go on from must have kept its own")
        checkpoint.restore(model, earlier)
        best = checkpoint.best_weights(earlier)
        if best is not None:  # it kept its best epoch, and its finished model is the best epoch's
            model.set_weights(best)
    return 0


def _make_variables(model) -> None:
    """Make the variables of optimiser and metrics: a training step that makes them itself is traced a second time."""
    model.optimizer.build(model.trainable_variables)
    labels, probabilities = np.zeros(1, np.int32), np.ones((1, model.output_shape[-1]), np.float32)
    model.compute_metrics(None, labels, probabilities)
    model.reset_metrics()


def _had_stopped(state):
    """Return whether the run had ended early when the checkpoint was written."""
    return state is not None and state["callbacks"].get("EarlyStopping", {}).get("stopped_epoch", 0) > 0


def _finished(model, state, path):
    """Bring back what a run that had ended left; its checkpoint may have come here without its history.csv."""
    best = checkpoint.best_weights(state)
    if best is not None:
        model.set_weights(best)
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)  # the average, where one is kept
    rows = state["callbacks"]["History"]["rows"]
    write_history(rows, path)
    return rows
