"""Compile and fit a model, with a rate schedule, early stopping, history, checkpoints and a bit-exact resume."""

import logging
import pathlib

import keras
import numpy as np

from kfg import keras_private, keras_settings
from kfg.errors import InputError
from kfg.runs import run_files
from kfg.training import checkpoint
from kfg.training.callbacks import History, StopOnNaN, write_history
from kfg.training.losses import Accuracy
from kfg.training.made_from import MadeFrom, of_batches, of_model
from kfg.training.replicas import Replicas
from kfg.training.shown import Shown

logger = logging.getLogger(__name__)

MONITORS = {"val_loss": "min", "val_accuracy": "max"}  # column of the history -> whether lower or higher is better


def compile_classifier(model, *, optimizer, loss=None, jit_compile: bool = False) -> None:
    """Compile a model whose output is class probabilities.

    Args:
        model: Keras model, images -> probabilities (B, C).
        optimizer: Keras optimizer object, not used for another model.
        loss: Keras loss; default cross-entropy on int labels.
        jit_compile: whether to use XLA. On a CPU it is 5 times slower than oneDNN, but for nets without convolutions.
    Raises:
        InputError: Keras has settings that kfg does not work with.
    """
    keras_settings.check()
    model.compile(
        optimizer=optimizer,
        loss=loss or keras.losses.SparseCategoricalCrossentropy(),
        metrics=[Accuracy(name="accuracy")],
        jit_compile=False,
    )
    # Set here, because compile() never uses XLA with deterministic operations, as some operations have no deterministic
    # form in XLA. TensorFlow refuses these operations by name, and `precision.choose` only takes settings that ran.
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
    devices: tuple[str, ...] = (),
    rate_setting: str = "learning_rate",
    verbose: bool = True,
):
    """Fit a compiled model; afterwards it holds the final weights (see `stop_patience` and `keep_best`).

    Args:
        model: compiled Keras model.
        batches: function first_epoch -> dataset of the training batches of that and all later epochs. A resumed run
            must get the same batches: data sets from `pipeline.training_batches` are compared by what they are made
            from, other data sets by their first labels.
        val_batches: validation dataset for plateau, early stopping and `keep_best`; never the test set.
        workdir: folder for history.csv and checkpoint/last.npz.
        epochs: int >= 1, largest number of epochs.
        steps_per_epoch: batches per epoch.
        schedule: an object of kfg.training.schedules, which changes the rate that the model was compiled with;
            None: the rate stays constant.
        monitor: a key of MONITORS, the value by which plateau, early stopping and `keep_best` judge an epoch.
        stop_patience: number of epochs without a better monitored value after which training stops and the best
            epoch's weights are restored; None: all epochs are trained.
        keep_best: whether to end with the best epoch's weights even if all epochs are trained; else with the last ones.
        resume: go on from the checkpoint in `workdir`, if there is one.
        start_from: checkpoint file of another run; this run begins with its weights, optimiser and rate.
        callbacks: further Keras callbacks, called after the history and checkpoint of the epoch are on disk.
        devices: names of the devices that share each batch, see kfg.training.replicas; one or none: the model is
            trained where it is. They do not affect the result, so a training may go on with others than it began with.
        rate_setting: as for kfg.training.callbacks.StopOnNaN.
        verbose: show the progress, see kfg.training.shown.
    Returns:
        The rows of history.csv, a dict per epoch.
    Raises:
        InputError: the loss became NaN; a checkpoint is damaged, is of another model or of a training with other
            settings, or is missing at `start_from`; the disk is full; the monitor is unknown.
    """
    if monitor not in MONITORS:
        raise InputError(f"monitor: {monitor!r} is not one of {', '.join(MONITORS)}")
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
    shown = [Shown(epochs=epochs, steps=steps_per_epoch)] if verbose else []
    _make_variables(model)
    trained = Replicas(model, devices, compiled=compile_classifier) if len(devices) > 1 else model
    stop = StopOnNaN(rate_setting=rate_setting)
    trained.fit(
        batches(first_epoch),
        validation_data=val_batches,
        initial_epoch=first_epoch,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the batches are already shuffled
        callbacks=[stop, *companions, checkpoint.Checkpoint(last, companions, state=state), *callbacks, *shown],
        verbose=0,
    )
    return history.rows


def _schedule(model, schedule, *, monitor, epochs, steps_per_epoch):
    if schedule is None:
        return []
    rate = float(model.optimizer.learning_rate)  # read before a checkpoint changes it
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
    """Return, as a list, the callback that restores the best epoch's weights; if patience is None, an empty list.

    With a patience of all epochs it never stops early.
    """
    if patience is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            monitor=monitor, mode=MONITORS[monitor], patience=patience, restore_best_weights=True
        )
    ]


def _begin(model, state, start_from) -> int:
    """Load the checkpoint that training begins with, if any, into the model; return the number of finished epochs."""
    if state is not None:
        first_epoch = checkpoint.restore(model, state)
        logger.info("resumed after epoch %d", first_epoch)
        return first_epoch
    if start_from is not None:
        earlier = checkpoint.read(start_from)
        if earlier is None:
            raise InputError(f"start_from: there is no checkpoint {start_from}; the earlier run must have kept its own")
        checkpoint.restore(model, earlier)
        best = checkpoint.best_weights(earlier)
        if best is not None:  # the other run ended with the weights of its best epoch
            model.set_weights(best)
    return 0


def _make_variables(model) -> None:
    """Create the variables of optimiser and metrics now; a training step that creates them is traced a second time."""
    model.optimizer.build(model.trainable_variables)
    labels, probabilities = np.zeros(1, np.int32), np.ones((1, model.output_shape[-1]), np.float32)
    model.compute_metrics(None, labels, probabilities)
    model.reset_metrics()


def _had_stopped(state):
    """Return whether the run had ended early when the checkpoint was written."""
    return state is not None and state["callbacks"].get("EarlyStopping", {}).get("stopped_epoch", 0) > 0


def _finished(model, state, path):
    """Restore the final weights and the history of a finished run from its checkpoint; return the history's rows.

    history.csv is written as well, because the checkpoint may have been copied here without it.
    """
    best = checkpoint.best_weights(state)
    if best is not None:
        model.set_weights(best)
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)  # averaged weights, if kept
    rows = state["callbacks"]["History"]["rows"]
    write_history(rows, path)
    return rows
