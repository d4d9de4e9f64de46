"""Fit a job's compiled model on stores of images: the steps that most recipes share."""

import keras

from kfg.data import pipeline, stores
from kfg.data.part import Part
from kfg.models import folding, freezing
from kfg.progress import Progress
from kfg.training import features, fit


def train(job, training, validation, *, policy=None, mixing=None, **settings):
    """Fit `job.model`, or go on with it where `job.resume` asks for that; arguments as for `fit_on`.

    Where the trunk is frozen and the images are neither augmented nor mixed, its features are computed once, not in
    every epoch.
    """
    if policy is None and mixing is None and freezing.is_constant(job.model):
        return train_head(job, training, validation, optimizer=job.optimizer, loss=job.loss, **settings)
    job.fitted = job.model
    return fit_on(job, training, validation, policy=policy, mixing=mixing, **settings)


def fit_on(
    job,
    training,
    validation,
    *,
    batch_size: int,
    epochs: int,
    policy=None,
    sampling=None,
    mixing=None,
    workdir=None,
    **settings,
):
    """Fit `job.fitted`, which is `job.model` or a part of it.

    Args:
        job: compiled.
        training, validation: kfg.data.part.Part each.
        batch_size, policy, sampling, mixing: of `pipeline.training_batches`; with `mixing` the loss must take soft
            labels, as kfg.training.losses.CrossEntropy does.
        workdir: for history.csv and the checkpoint; default the run folder.
        epochs, settings: of `fit.train`.
    Returns:
        The rows of history.csv, a dict per epoch.
    """
    job.training_begins()

    def batches(first_epoch):
        return pipeline.training_batches(
            training.store,
            training.labels,
            batch_size=batch_size,
            seed=job.seed,
            policy=policy,
            sampling=sampling,
            mixing=mixing,
            num_classes=job.fitted.output_shape[-1] if mixing else None,
            first_epoch=first_epoch,
            epochs=epochs,
        )

    return fit.train(
        job.fitted,
        batches,
        validation.batches(batch_size, shuffle=False),
        workdir=workdir or job.workdir,
        callbacks=job.logs.callbacks() if job.logs else (),
        epochs=epochs,
        steps_per_epoch=pipeline.steps(len(training), batch_size),
        resume=job.resume,
        **settings,
    )


def train_head(
    job, training, validation, *, optimizer, loss=None, views: features.Views | None = None, workdir=None, **settings
):
    """Fit what stands behind the layer "features" of `job.model`, on cached features of what stands before it.

    The trunk must be frozen: its part of the model is run once for each picture, in inference mode. The layers are
    the model's own, so the whole model has learned when this returns.

    Args:
        job: compiled.
        training, validation: kfg.data.part.Part each, of a stores.Chosen without extra images; the features of the
            whole store are cached, so that other splits of it find theirs.
        optimizer: function () -> Keras optimizer.
        loss: Keras loss.
        views: augmented pictures of the training images, one of them or the image itself in each epoch.
        workdir: for history.csv and the checkpoint; default the run folder.
        settings: of `fit_on`.
    Returns:
        The rows of history.csv, a dict per epoch.
    """
    trunk = trunk_of(job.model)
    job.fitted = keras.Model(job.model.get_layer("features").output, job.model.output)
    fit.compile_classifier(job.fitted, optimizer=optimizer(), loss=loss)
    of_features, policy = [], None
    for part in (training, validation):
        whole, at = part.store.store, part.store.positions
        found = features.cached(trunk, whole, cache_dir=job.data.cache_dir, progress=Progress("features"))
        of_features.append(Part(stores.Images(found[at]), part.labels, classes=part.classes, name=part.name))
    if views is not None:
        found = features.cached(
            trunk,
            training.store,
            training.labels,
            cache_dir=job.data.cache_dir,
            views=views,
            progress=Progress("augmented features"),
        )
        policy = features.AnyView(found)
    return fit_on(job, *of_features, policy=policy, workdir=workdir, **settings)


def trunk_of(model) -> keras.Model:
    """Return what stands before the layer "features" of a model, and that layer, ready for inference."""
    return folding.fold(keras.Model(model.input, model.get_layer("features").output))
