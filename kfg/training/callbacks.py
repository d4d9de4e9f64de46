"""The callbacks Keras lacks: a history that survives a resume, and a stop on NaN that says where."""

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
    """Write history.csv, a row per epoch, rewritten whole after each.

    Args:
        path: the CSV file; epochs are counted from 1, `learning_rate` is the one the epoch was trained with. What a
            net logs besides COLUMNS follows them.
    """

    def __init__(self, path):
        super().__init__()
        self.path, self.rows = pathlib.Path(path), []

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.learning_rate = float(self.model.optimizer.learning_rate)

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
    """Return how long the epochs in a history.csv took together, interruptions not counted."""
    return sum(_column(path, "seconds"))


def epochs(path) -> int:
    """Return how many epochs a history.csv lists."""
    return len(_column(path, "epoch"))


def _column(path, name) -> list[float]:
    """Return a column of a history.csv; InputError where the file is missing or damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if name not in (reader.fieldnames or ()):
                raise ValueError("it is not there")
            return [float(row[name]) for row in reader]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: damaged, its column {name!r} cannot be read ({error}); {RESTORE}") from error


class StopOnNaN(keras.callbacks.Callback):
    """End training at the first step whose loss, or the first epoch whose weights, are not finite.

    Goes first in the list, so that the checkpoint of the last good epoch stays.

    Raises:
        InputError: naming epoch, step and learning rate.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            rate = float(self.model.optimizer.learning_rate)
            raise InputError(
                f"learning_rate: the loss is {loss} at epoch {self.epoch + 1}, step {batch + 1}, "
                f"with learning_rate={rate:g}; remove the run folder and try a smaller one"
            )

    def on_epoch_end(self, epoch, logs=None):
        # a loss clipped to a finite number can hide weights that are not
        for variable in (*self.model.variables, *self.model.optimizer.variables):
            values = variable.numpy()
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise InputError(
                    f"learning_rate: {variable.path} is not finite after epoch {epoch + 1}; "
                    "remove the run folder and try a smaller one"
                )
