"""Fit a job's compiled model on stores of images: the training steps that most recipes share."""

import functools

from kfg.data import pipeline, stores
from kfg.data.part import Part
from kfg.models import freezing, halves
from kfg.models.backbones import FEATURES
from kfg.progress import Progress
from kfg.training import devices as known_devices
from kfg.training import features, fit


def train(job, training, validation, *, policy=None, mixing=None, **settings):
    """Fit `job.model`, or continue fitting it if `job.resume` is set. Arguments as for `fit_on`.

    If the trunk is frozen and the images are neither augmented nor mixed, the features are computed once, not in every
    epoch. If only its first stages are frozen, they are folded for the training, which then takes less time.
    """
    if policy is None and mixing is None and freezing.is_constant(job.model):
        return train_head(job, training, validation, optimizer=job.optimizer, loss=job.loss, **settings)
    job.fitted = learner(job)
    return fit_on(job, training, validation, policy=policy, mixing=mixing, **settings)


def learner(job):
    """Return a compiled model whose training trains the job's model, see kfg.models.halves."""
    model = halves.learning(job.model)
    if model is not job.model:
        chosen = job.model.jit_compile
        fit.compile_classifier(model, optimizer=job.optimizer(), loss=job.loss, jit_compile=chosen)
    return model


def fit_on(
    job,
    training,
    validation,
    *,
    batch_size: int,
    epochs: int,
    model=None,
    policy=None,
    sampling=None,
    mixing=None,
    workdir=None,
    devices: tuple[str, ...] | None = None,
    **settings,
):
    """Fit a compiled model for a job.

    Args:
        job: a compiled job.
        model: the model; default `job.fitted`, which is `job.model` or a part of it.
        training, validation: a kfg.data.part.Part each.
        batch_size, policy, sampling, mixing: as for `pipeline.training_batches`; with `mixing` the loss must take soft
            labels, as kfg.training.losses.CrossEntropy does.
        workdir: folder for history.csv and the checkpoint; default the run folder.
        devices: names of the devices that share each batch; default the job's.
        epochs, settings: as for `fit.train`.
    Returns:
        The rows of history.csv, one dict for each epoch.
    """
    job.training_begins()
    model = model or job.fitted
    devices = job.devices if devices is None else devices
    if len(devices) > 1:
        rate = float(model.optimizer.learning_rate)
        print(known_devices.told(devices, batch_size=batch_size, learning_rate=rate), flush=True)

    def batches(first_epoch):
        return pipeline.training_batches(
            training.store,
            training.labels,
            batch_size=batch_size,
            seed=job.seed,
            policy=policy,
            sampling=sampling,
            mixing=mixing,
            num_classes=model.output_shape[-1] if mixing else None,
            first_epoch=first_epoch,
            epochs=epochs,
        )

    return fit.train(
        model,
        batches,
        validation.batches(batch_size, shuffle=False),
        workdir=workdir or job.workdir,
        callbacks=job.logs.callbacks() if job.logs else (),
        epochs=epochs,
        steps_per_epoch=pipeline.steps(len(training), batch_size),
        resume=job.resume,
        devices=devices,
        **settings,
    )


def train_head(
    job,
    training,
    validation,
    *,
    optimizer,
    loss=None,
    model=None,
    views: features.Views | None = None,
    after: str = FEATURES,
    **settings,
):
    """Fit the layers of a model after the layer "features", on cached features from the layers before it.

    The trunk must be frozen: it is run once for each picture, in inference mode. The fitted layers are those of the
    model itself, so the whole model is trained when this returns. One device trains them, because a step on features is
    too short to be shared.

    With `after`, more layers than the head are fitted: those after the end of a stage, on that stage's outputs.

    Args:
        job: a compiled job.
        training, validation: a kfg.data.part.Part each, whose store is a stores.Chosen without extra images. The
            features of the whole underlying store are cached, so that other splits of it can use them; the outputs of a
            stage, which are large, only for these two parts.
        optimizer: function () -> Keras optimizer.
        loss: Keras loss.
        model: Keras model with a layer "features"; default `job.model`, whose head is `job.fitted` from then on.
        views: augmented pictures of the training images; in each epoch, one of them or the image itself is shown. None:
            no augmentation.
        after: name of the last layer that stays as it is; all paths through the net pass it.
        settings: as for `fit_on`.
    Returns:
        The rows of history.csv, one dict for each epoch.
    """
    trunk, head = halves.front(model or job.model, after), halves.rest(model or job.model, after)
    fit.compile_classifier(head, optimizer=optimizer(), loss=loss)
    if model is None:
        job.fitted = head
    cached = functools.partial(features.cached, trunk, cache_dir=job.data.cache_dir)
    of_all = after == FEATURES
    called, inputs, policy = "features" if of_all else "outputs", [], None
    for part in (training, validation):
        at = part.store.positions if of_all else slice(None)
        found = cached(part.store.store if of_all else part.store, progress=Progress(called))[at]
        inputs.append(Part(stores.Images(found), part.labels, classes=part.classes, name=part.name))
    if views is not None:
        found = cached(training.store, training.labels, views=views, progress=Progress(f"augmented {called}"))
        policy = features.AnyView(found)
    return fit_on(job, *inputs, model=head, policy=policy, devices=(), **settings)
