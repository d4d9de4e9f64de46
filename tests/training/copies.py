"""A training's folder, copied whenever an epoch is saved: what is left of a training that is cut there."""

import pathlib
import shutil

import keras


class Copies(keras.callbacks.Callback):
    """Copy the folder of a training after each epoch; for `callbacks` of `fit.train`, which come when all is saved."""

    def __init__(self, workdir):
        super().__init__()
        self.workdir = pathlib.Path(workdir)

    def on_epoch_end(self, epoch, logs=None):
        shutil.copytree(self.workdir, after(self.workdir, epoch + 1))


def after(workdir, epochs: int) -> pathlib.Path:
    """Return the path of the copy that `Copies` made after so many epochs."""
    return workdir.with_name(f"{workdir.name}, cut after {epochs}")
