"""For tools/gpu_check.py: whether what kfg promises holds on this machine."""

import pathlib
import tempfile

import gpu_rates
import numpy as np

from kfg.errors import InputError

COUNT, BATCH, EPOCHS = 43, 16, 3  # the last batch is of 11 images
NEAR = 1e-4  # largest difference of a weight that is rounding, after 9 steps; docs/devices.md states it


def checked(name: str, find) -> dict:
    """Return {name: what `find()` found}; an error of TensorFlow, or a loss that is no number, is a failed check."""
    import tensorflow as tf

    try:
        return {name: find()}
    except (InputError, tf.errors.OpError) as error:
        return {name: {"passed": False, "error": gpu_rates.said(error)}}


def resumed(devices: tuple[str, ...], *, tiny: bool) -> dict:
    """Train a ConvNet with augmentation and dropout; cut and resumed it must end with the same weights.

    Args:
        devices: names of those that share it. One must come to the same bits; several add up in an order that the
            driver chooses, and may round otherwise.
        tiny: one of them computes operation by operation, which spares the tracing.
    """

    def find():
        with tempfile.TemporaryDirectory() as folder:
            settings = {"devices": devices, "eager": tiny and len(devices) == 1}
            whole = _trained(pathlib.Path(folder, "whole"), epochs=EPOCHS, **settings)
            _trained(pathlib.Path(folder, "cut"), epochs=EPOCHS - 1, **settings)
            again = _trained(pathlib.Path(folder, "cut"), epochs=EPOCHS, resume=True, **settings)
        return _near(whole, again, 0.0 if len(devices) == 1 else NEAR)

    return checked(f"a cut training goes on as if it had not been, on {', '.join(devices)}", find)


def exported(*, tiny: bool) -> dict:
    """Export EfficientNet-Lite0 and compare its answers with the model's, as every run of kfg does.

    Args:
        tiny: a small ConvNet instead.
    """
    return checked("an export answers as its model", lambda: _exported(tiny))


def _exported(tiny: bool) -> dict:
    from _awake import awake, pictures, spread

    from kfg.exporting import saved_model
    from kfg.models import backbones

    size = {"num_classes": 20, "image_size": (256, 256)}
    model = _net(dropout=0.0) if tiny else backbones.classifier("efficientnet-lite0", weights="none", **size)
    names = [f"class {i}" for i in range(model.output_shape[-1])]
    samples = pictures(8, *awake(model).input_shape[1:3])
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = saved_model.save(model, pathlib.Path(folder, "export"), classes=names, samples=samples)
        except saved_model.ParityError as error:
            found = error.parity
    answers = spread(model(samples.astype(np.float32), training=False))  # where all are alike, nothing is compared
    return {
        "passed": found.passed,
        "largest_difference": found.serve,
        "allowed": found.allowed,
        "deviation_of_the_answers": round(answers, 4),
    }


def shared(here: tuple[str, ...]) -> dict:
    """Train a ConvNet without dropout on one device and on all: the weights must be the same but for rounding.

    Args:
        here: names of the devices; with one of them there is nothing to check.
    """
    if len(here) < 2:
        return {}

    def find():
        with tempfile.TemporaryDirectory() as folder:
            one = _trained(pathlib.Path(folder, "one"), epochs=EPOCHS, dropout=0.0)
            all_of_them = _trained(pathlib.Path(folder, "all"), epochs=EPOCHS, dropout=0.0, devices=here)
        return _near(one, all_of_them, NEAR)

    return checked(f"{len(here)} devices come to the weights of one", find)


def _trained(workdir, *, epochs, dropout=0.3, devices=(), resume=False, eager=False) -> list[np.ndarray]:
    """Train a small ConvNet on drawn images; return its weights."""
    import keras

    from kfg.augment.policies import Policy
    from kfg.data import pipeline, stores
    from kfg.training import fit

    labels = (np.arange(COUNT) % 3).astype(np.int32)
    images = stores.Images(np.random.default_rng(0).integers(0, 256, (COUNT, 24, 20, 3), dtype=np.uint8))
    model = _net(dropout)
    # Adam makes steps of full size where a gradient is mere rounding, which differs between devices that add it up
    chosen = keras.optimizers.SGD if devices[1:] or not dropout else keras.optimizers.Adam
    fit.compile_classifier(model, optimizer=chosen(learning_rate=0.01))
    model.run_eagerly = eager

    def batches(first_epoch):
        settings = {"batch_size": BATCH, "seed": 0, "policy": Policy(rotation=20, horizontal_flip=True)}
        return pipeline.training_batches(images, labels, first_epoch=first_epoch, epochs=EPOCHS, **settings)

    fit.train(
        model,
        batches,
        pipeline.evaluation_batches(images, labels, batch_size=BATCH),
        workdir=workdir,
        epochs=epochs,
        steps_per_epoch=pipeline.steps(COUNT, BATCH),
        resume=resume,
        devices=devices,
        verbose=False,
    )
    return model.get_weights()


def _net(dropout):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = images = keras.Input((24, 20, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    for width in (8, 16):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 3, use_bias=False)(x)))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(images, layers.Dense(3, activation="softmax")(x))


def _near(one, other, allowed: float) -> dict:
    """Compare the weights of two nets; a weight that is no number is infinitely far from any other."""
    difference = float(np.max([np.abs(a - b).max() for a, b in zip(one, other, strict=True)]))  # nan if any is nan
    difference = difference if np.isfinite(difference) else float("inf")
    return {"passed": difference <= allowed, "largest_difference": difference, "allowed": allowed}
