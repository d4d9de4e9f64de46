"""Show the progress of a training: steps, time left, and the result of the last epoch."""

import keras

from kfg.progress import Progress


class Shown(keras.callbacks.Callback):
    """Show a training's steps as one bar over all its epochs, or as a few lines if the output is not a terminal.

    The bar is updated when a step begins, because with a callback at the end of a step Keras would read the loss from
    the device after each step.

    Args:
        epochs: number of epochs in all, including those of earlier sessions.
        steps: number of steps of an epoch.
    """

    def __init__(self, *, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps, self.note = epochs, steps, ""

    def on_train_begin(self, logs=None):
        self.progress, self.traced = Progress("training steps"), False

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.traced:  # the first step is not timed, because it traces the graph
            self._show(batch)
        self.traced = True

    def on_epoch_end(self, epoch, logs=None):
        self.note = f"epoch {epoch + 1} of {self.epochs} done"
        if logs and "val_accuracy" in logs:
            self.note += f", validation accuracy {logs['val_accuracy']:.3f}"
        self._show(self.steps)

    def on_train_end(self, logs=None):
        self.progress.close()

    def _show(self, batch):
        self.progress(self.epoch * self.steps + batch, self.epochs * self.steps, self.note)
