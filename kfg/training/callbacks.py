"""Callbacks that Keras lacks: a history that survives a resume, and a stop on NaN that says where it happened."""

import csv
import math
import pathlib
import time

import keras
import numpy as np

from kfg.errors import InputError
from kfg.files import RESTORE, whole

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


class History(keras.callbacks.Callback):
    """Write history.csv with a row per epoch; the whole file is rewritten after each epoch.

    Args:
        path: the CSV file. Epochs are counted from 1, and `learning_rate` is the rate with which the epoch was trained.
            Further values that a net logs are columns after COLUMNS.
    """

    def __init__(self, path):
        super().__init__()
        self.path, self.rows = pathlib.Path(path), []

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.learning_rate = float(self.model.optimizer.learning_rate.numpy())

    def on_epoch_end(self, epoch, logs=None):
        row = {name: float(value) for name, value in (logs or {}).items()}
        row |= {"epoch": epoch + 1, "learning_rate": self.learning_rate, "seconds": time.perf_counter() - self.started}
        self.rows.append({name: row.get(name) for name in dict.fromkeys([*COLUMNS, *row])})
        write_history(self.rows, self.path)


def write_history(rows, path) -> None:
    """Write the rows of a History to a CSV file."""
    with whole(path) as file:
        columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def seconds(path) -> float:
    """Return how many seconds the epochs in a history.csv took together, interruptions not counted."""
    return sum(_column(path, "seconds"))


def epochs(path) -> int:
    """Return how many epochs a history.csv lists."""
    return len(_column(path, "epoch"))


def _column(path, name) -> list[float]:
    """Return a column of a history.csv; InputError if the file is missing or damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if name not in (reader.fieldnames or ()):
                raise ValueError("it is missing")
            return [float(row[name]) for row in reader]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: damaged, its column {name!r} cannot be read ({error}); {RESTORE}") from error


class StopOnNaN(keras.callbacks.Callback):
    """End training soon after the loss is not finite, or at the end of an epoch after which weights are not finite.

    Reading a number from the device waits until all steps sent there are done, so the loss is read only once in `EVERY`
    steps and at the end of an epoch. Keras's loss is the mean of the epoch's steps so far, which stays NaN or infinite
    once the loss of one step was. On processors with AVX-512, though, a ReLU or the clipping of probabilities can turn
    NaN into a number, so that the loss stays finite; so the first and the last weights are read as well, which are
    small in most networks. There is no method `on_train_batch_end`: with it, Keras would read the loss after
    every step.

    This callback must come first in the list, so that no checkpoint of the bad epoch is written and the checkpoint of
    the last good epoch stays.

    Args:
        rate_setting: name of the setting that decides the learning rate, for the message.
    Raises:
        InputError: the loss or a weight is not finite; the message names the epoch, the range of steps in which it
            happened, and the learning rate.
    """

    EVERY = 50  # steps between two checks of the loss

    def __init__(self, *, rate_setting: str = "learning_rate"):
        super().__init__()
        self.rate_setting = rate_setting

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.steps, self.finite_until = epoch, 0, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.steps = batch  # number of steps done in this epoch
        if batch and batch % self.EVERY == 0:
            self._check(self._loss(), self._weights_are_finite())

    def on_test_begin(self, logs=None):
        self.steps += 1
        self._check(self._loss(), self._weights_are_finite())  # before time is spent on validation in vain

    def _loss(self) -> float:
        return float(next(metric for metric in self.model.metrics if metric.name == "loss").result())

    def _weights_are_finite(self) -> bool:
        learned = self.model.trainable_variables
        return all(np.isfinite(variable.numpy()).all() for variable in (*learned[:1], *learned[-1:]))

    def _check(self, loss, weights_are_finite=True):
        if math.isfinite(loss) and weights_are_finite:
            self.finite_until = self.steps
            return
        what = "weights became NaN or infinite" if math.isfinite(loss) else f"the loss became {loss}"
        rate = float(self.model.optimizer.learning_rate.numpy())
        raise InputError(
            f"{self.rate_setting}: {what} in epoch {self.epoch + 1}, step {self.finite_until + 1} to {self.steps}, "
            f"with {self.rate_setting}={rate:g}; remove the run folder and try a smaller one"
        )

    def on_epoch_end(self, epoch, logs=None):
        self._check(logs["loss"])
        # a loss that is clipped to a finite number can hide weights that are not finite
        for variable in (*self.model.variables, *self.model.optimizer.variables):
            values = variable.numpy()
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise InputError(
                    f"{self.rate_setting}: {variable.path} is not finite after epoch {epoch + 1}; "
                    "remove the run folder and try a smaller one"
                )
