"""Compile and fit with plateau, early stopping, history, checkpoints and a bit-exact resume."""

import logging
import pathlib
import sys

import keras

from kfg.training import checkpoint
from kfg.training.callbacks import History, StopOnNaN

logger = logging.getLogger(__name__)


def compile_classifier(model, *, learning_rate: float, jit_compile: bool = False) -> None:
    """Compile with Adam and cross-entropy on int labels, as the imagenet20 study did."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=jit_compile,  # XLA is 5 times slower than oneDNN on a CPU
    )


def train(
    model,
    batches,
    val_batches,
    *,
    workdir,
    epochs: int,
    steps_per_epoch: int,
    plateau_factor: float,
    plateau_patience: int,
    min_learning_rate: float,
    stop_patience: int | None = None,
    resume: bool = False,
    start_from=None,
    verbose: int | str | None = None,
):
    """Fit a compiled model; the weights that count are in it when this returns.

    Args:
        model: compiled Keras model.
        batches: function first_epoch -> dataset of the training batches of that and all later epochs.
        val_batches: dataset that plateau and early stopping look at; never the test set.
        workdir: folder for history.csv and checkpoint/last.npz.
        epochs: int >= 1, at most.
        steps_per_epoch: batches per epoch.
        plateau_factor, plateau_patience, min_learning_rate: ReduceLROnPlateau on val_loss; epochs, rate.
        stop_patience: epochs without a better val_loss before stopping, then the best epoch's weights are
            restored; None trains all epochs and keeps the last weights, as the study did.
        resume: go on from the checkpoint in `workdir`, if there is one.
        start_from: checkpoint file of another run whose weights, optimiser and rate this run begins with.
        verbose: as in Keras; default a bar on a terminal, a line per epoch elsewhere.
    Returns:
        The rows of history.csv, a dict per epoch.
    Raises:
        InputError: the loss became NaN; a damaged or foreign checkpoint; a full disk.
    """
    workdir = pathlib.Path(workdir)
    last = workdir / "checkpoint" / "last.npz"
    history = History(workdir / "history.csv")
    companions = [_plateau(plateau_factor, plateau_patience, min_learning_rate), *_early_stop(stop_patience), history]
    state = checkpoint.read(last) if resume else None
    first_epoch = _begin(model, state, start_from)
    if first_epoch >= epochs or _had_stopped(state):
        return _finished(model, state)
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    model.fit(
        batches(first_epoch),
        validation_data=val_batches,
        initial_epoch=first_epoch,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the batches come shuffled
        callbacks=[StopOnNaN(), *companions, checkpoint.Checkpoint(last, companions, state=state)],
        verbose=verbose,
    )
    return history.rows


def _plateau(factor, patience, min_learning_rate):
    return keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", mode="min", factor=factor, patience=patience, min_lr=min_learning_rate
    )


def _early_stop(patience):
    if patience is None:
        return []
    return [keras.callbacks.EarlyStopping(monitor="val_loss", mode="min", patience=patience, restore_best_weights=True)]


def _begin(model, state, start_from) -> int:
    """Put the model where training begins; return the epochs already finished."""
    if state is not None:
        first_epoch = checkpoint.restore(model, state)
        logger.info("resumed after epoch %d", first_epoch)
        return first_epoch
    if start_from is not None:
        earlier = checkpoint.read(start_from)
        checkpoint.restore(model, earlier)
        best = checkpoint.best_weights(earlier)
        if best is not None:  # it stopped early, and its finished model is the best epoch's
            model.set_weights(best)
    return 0


def _had_stopped(state):
    """Return whether the run had ended early when the checkpoint was written."""
    return state is not None and state["callbacks"].get("EarlyStopping", {}).get("stopped_epoch", 0) > 0


def _finished(model, state):
    best = checkpoint.best_weights(state)
    if best is not None:
        model.set_weights(best)
    return state["callbacks"]["History"]["rows"]
