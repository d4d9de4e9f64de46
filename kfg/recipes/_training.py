"""Fit a job's compiled model on stores of images: the steps that most recipes share."""

from kfg.data import pipeline
from kfg.training import fit


def train(job, training, validation, *, batch_size: int, epochs: int, policy=None, sampling=None, **settings):
    """Fit `job.model`, or go on with it where `job.resume` asks for that.

    Args:
        job: compiled.
        training, validation: (images, labels) each; `gather(positions) -> uint8 (B, H, W, 3)` and int (N,).
        batch_size, policy, sampling: of `pipeline.training_batches`.
        epochs, settings: of `fit.train`.
    Returns:
        The rows of history.csv, a dict per epoch.
    """
    images, labels = training

    def batches(first_epoch):
        return pipeline.training_batches(
            images, labels, batch_size=batch_size, seed=job.seed, policy=policy, sampling=sampling,
            first_epoch=first_epoch, epochs=epochs,
        )  # fmt: skip

    return fit.train(
        job.model, batches, pipeline.evaluation_batches(*validation, batch_size=batch_size), workdir=job.workdir,
        epochs=epochs, steps_per_epoch=pipeline.steps(len(labels), batch_size), resume=job.resume, **settings,
    )  # fmt: skip
