"""The program that tests/training/test_replicas.py starts: trainings on one device and on two, in a process of its own.

TensorFlow is told of two logical devices before it begins, which no other test may be. Each function below is a case;
what it returns is written into a file of its name, as JSON, for the tests to judge.

Run       python two_devices.py FOLDER [CASE ...]
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
import sys
import time

import gpu_check
import gpu_checks
import gpu_rates
import keras
import numpy as np
import tensorflow as tf
from bare import untraced_models
from copies import Copies, after
from keras import layers

from kfg.augment.policies import Policy
from kfg.data import pipeline, stores
from kfg.errors import InputError
from kfg.models import fbsd, mmal
from kfg.training import devices, fit, losses, optimizers, precision, replicas
from kfg.training.coupled import CoupledSGD
from kfg.training.replicas import Replicas
from kfg.training.schedules import Cosine, Plateau

TWO = ("CPU:0", "CPU:1")
BATCH, EPOCHS = 8, 2
RNG = np.random.default_rng(0)
COUNT, LARGEST = 40, 66 * BATCH  # images that most cases train on, and that there are
LABELS = (np.arange(LARGEST) % 3).astype(np.int32)
IMAGES = (RNG.integers(0, 200, (LARGEST, 12, 10, 3)) + 25 * LABELS[:, None, None, None]).astype(np.uint8)
FOLDERS = itertools.count()


def convnet(*, dropout=0.0, batch_norm=True, penalty=None, adapted=False, classes=3, seed=0):
    """Return a small ConvNet on 12 x 10 pixels; `adapted`: to the mean and variance of images."""
    keras.utils.set_random_seed(seed)
    x = images = keras.Input((12, 10, 3))
    scaling = layers.Normalization() if adapted else layers.Rescaling(1 / 127.5, offset=-1)
    if adapted:
        scaling.adapt(IMAGES[:COUNT])
    x = scaling(x)
    for number, width in enumerate((6, 8), start=1):
        x = layers.Conv2D(width, 3, use_bias=False, kernel_regularizer=penalty, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.8, name=f"bn{number}")(x) if batch_norm else x
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(images, layers.Dense(classes, activation="softmax", name="head", dtype="float32")(x))


def sgd():
    return optimizers.rates("sgd", learning_rate=0.1, trunk_multiplier=0.5, momentum=0.9)


def adamw():
    return optimizers.rates(
        "adamw", learning_rate=0.01, trunk_multiplier=0.1, weight_decay=0.05, use_ema=True, ema_momentum=0.9
    )


def train(folder, shared_by=(), *, build=convnet, optimizer=sgd, loss=None, count=COUNT, policy=None, **changes):
    """Train a net on the first `count` images; return it and the rows of its history, without the time."""
    model = build()
    fit.compile_classifier(model, optimizer=optimizer(), loss=loss)
    images = changes.pop("images", IMAGES)[:count]
    epochs = changes.pop("epochs", EPOCHS)

    def batches(first_epoch):
        return pipeline.training_batches(
            stores.Images(images),
            LABELS[:count],
            batch_size=BATCH,
            seed=1,
            policy=policy,
            first_epoch=first_epoch,
            epochs=epochs,
        )

    rows = fit.train(
        model,
        batches,
        pipeline.evaluation_batches(stores.Images(images), LABELS[:count], batch_size=9),
        workdir=folder / f"{next(FOLDERS)}" if "workdir" not in changes else folder / changes.pop("workdir"),
        epochs=epochs,
        steps_per_epoch=pipeline.steps(count, BATCH),
        devices=shared_by,
        verbose=False,
        **changes,
    )
    return model, [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def farthest(one, other) -> float:
    """Return the largest difference of two lists of arrays."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def changed(model, new) -> dict:
    """Return of each layer with weights which of them are others in a second model."""
    return {
        one.name: [not np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True)]
        for one, other in zip(model.layers, new.layers, strict=True)
        if one.weights
    }


def compared(folder, **settings) -> dict:
    """Train on one device and on two; return how far weights and history are from each other, and what was learned."""
    (one, rows), (two, others) = train(folder, **settings), train(folder, TWO, **settings)
    begun = settings.get("build", convnet)()
    return {
        "weights": farthest(one.get_weights(), two.get_weights()),
        "learned": farthest(one.get_weights(), begun.get_weights()),
        "optimizer": farthest(
            [v.numpy() for v in one.optimizer.variables], [v.numpy() for v in two.optimizer.variables]
        ),
        "history": max(abs(a[name] - b[name]) for a, b in zip(rows, others, strict=True) for name in a),
        "columns": list(others[0]),
    }


def augmented(folder):
    """Augmentation, a penalty on weights, a layer that computes with copies of its weights, a last batch of three."""
    policy = Policy(rotation=20, horizontal_flip=True, zoom=0.2)
    net = functools.partial(convnet, penalty=keras.regularizers.L2(0.1), adapted=True)
    return compared(folder, count=27, policy=policy, build=net)


def averaged(folder):
    """AdamW with two rates and averaged weights, along a cosine; the last batch leaves one device without an image."""
    return compared(folder, count=25, optimizer=adamw, schedule=Cosine(warmup_epochs=0.5))


def watched(folder):
    """A plateau, an early stop and the best epoch's weights, with smoothed labels."""
    settings = {"schedule": Plateau(0.5, 1), "stop_patience": 1, "monitor": "val_accuracy", "epochs": 4}
    return compared(folder, loss=losses.CrossEntropy(label_smoothing=0.1), count=27, **settings)


def many_steps(folder):
    """More steps than after which the metrics of earlier versions of Keras overflowed, at a rate of 0."""
    still = {"optimizer": lambda: keras.optimizers.SGD(learning_rate=0.0), "epochs": 1, "count": LARGEST}
    return {name: train(folder, on, **still)[1][0] for name, on in (("one", ()), ("two", TWO))}


def frozen(folder):
    """A trunk that is frozen but for a second batch normalisation, which goes on averaging."""

    def build():
        model = convnet()
        for name in ("conv1", "bn1", "conv2"):
            model.get_layer(name).trainable = False
        for variable in model.get_layer("bn2").trainable_variables:
            variable.trainable = False
        return model

    return changed(build(), train(folder, TWO, count=27, build=build)[0])


def resumed(folder):
    """Cut and gone on with, with all that draws and remembers: dropout, averaged weights, a schedule."""
    settings = {"count": 27, "optimizer": adamw, "schedule": Cosine(), "build": lambda: convnet(dropout=0.3)}
    settings["policy"] = Policy(rotation=20, horizontal_flip=True)
    whole, rows = train(folder, TWO, workdir="whole", callbacks=[Copies(folder / "whole")], **settings)
    settings |= {"workdir": after(folder / "whole", 1).name, "resume": True}
    again, others = train(folder, TWO, **settings)
    once_more, _ = train(folder, TWO, **settings)  # had ended: read from its checkpoint
    return {
        "weights": farthest(whole.get_weights(), again.get_weights()),
        "ended": farthest(whole.get_weights(), once_more.get_weights()),
        "rows": rows == others,
    }


def resumed_on_others(folder):
    """Begun on one device and gone on with on two, and the other way round; with a last batch of one image."""
    settings = {"count": 25, "optimizer": lambda: CoupledSGD(learning_rate=0.05, momentum=0.9, decay=0.01)}
    whole, _ = train(folder, workdir="one", callbacks=[Copies(folder / "one")], **settings)
    train(folder, TWO, workdir="two", epochs=1, **settings)
    found = {}
    for name, then in ((after(folder / "one", 1).name, TWO), ("two", ())):
        model, rows = train(folder, then, workdir=name, resume=True, **settings)
        found[name] = {"weights": farthest(whole.get_weights(), model.get_weights()), "epochs": len(rows)}
    return found


def masks(folder):
    """What a dropout layer lets through on each device, in two steps; what one device lets through."""
    model = keras.Sequential([keras.Input((64,)), layers.Dropout(0.5), layers.Softmax()])
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.0))
    shared = Replicas(model, TWO, compiled=fit.compile_classifier)
    shared._take()

    @tf.function
    def step():
        return shared.strategy.run(lambda: shared.net.layers[0](tf.ones((2, 64)), training=True))

    steps = [[np.asarray(one) for one in shared.strategy.experimental_local_results(step())] for _ in range(2)]
    return {
        "first device as alone": bool(np.array_equal(steps[0][0], model.layers[0](tf.ones((2, 64)), training=True))),
        "alike on both devices": float(np.mean(steps[0][0] == steps[0][1])),
        "alike in both steps": float(np.mean(steps[0][1] == steps[1][1])),
    }


def overflowing(folder):
    """Float16, where the gradients of one device alone overflow: with what sees to it, and without."""
    images, labels = np.zeros((4, 4), np.float32), np.array([0, 1, 2, 0], np.int32)
    images[3] = 60_000.0  # the second device's
    found = {}
    for name in ("ours", "Keras's own"):
        with precision.scope("float16"):
            model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Softmax(dtype="float32")])
        model.layers[0].set_weights([np.full((4, 3), 1e-5), np.zeros(3)])
        fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.1))
        shared = Replicas(model, TWO, compiled=fit.compile_classifier)
        ours = replicas._overflowing_together
        replicas._overflowing_together = ours if name == "ours" else lambda gradients, context: gradients
        batches = tf.data.Dataset.from_tensors((images, labels))
        shared.fit(batches, validation_data=batches, steps_per_epoch=1, shuffle=False, verbose=0)
        replicas._overflowing_together = ours
        finite = all(np.isfinite(value).all() for value in model.get_weights())
        moved = farthest(model.get_weights(), [np.full((4, 3), np.float32(1e-5)), np.zeros(3)]) if finite else None
        found[name] = {"finite": finite, "moved": moved, "scale": float(model.optimizer.dynamic_scale)}
    return found


def half_precision(folder):
    def build():
        with precision.scope("float16"):
            return convnet()

    return compared(folder, count=27, build=build)


def attentive(name):
    """Return the function that builds FBSD or MMAL-Net of three classes at 128 px on six convolutions."""

    def build():
        keras.utils.set_random_seed(1)
        images = keras.Input((128, 128, 3), name="images")
        x = layers.Rescaling(1 / 127.5, offset=-1)(images)
        for i in range(1, 6):
            x = layers.Conv2D(4 + 2 * i, 3, strides=2, padding="same", name=f"conv{i}")(x)
            x = layers.ReLU(name=f"relu{i}")(x)
        x = layers.Conv2D(14, 3, padding="same", activation="relu", name="relu6")(x)
        trunk = keras.Model(images, x, name="tiny")
        if name == "fbsd":
            return fbsd.extend(trunk, ("relu3", "relu4", "relu5"), num_classes=3, width=8)
        return mmal.extend(trunk, ("relu6", "relu5"), num_classes=3, dropout=0.0)

    return build


def branched(folder):
    """FBSD and MMAL-Net without dropout, whose masks differ; one epoch, with a last batch of three images.

    At this rate, as more of it carries FBSD as far from itself on one device if a variance there is rounded otherwise.
    """
    images = np.random.default_rng(1).integers(0, 256, (11, 128, 128, 3), dtype=np.uint8)
    settings = {"count": 11, "epochs": 1, "images": images, "optimizer": lambda: keras.optimizers.SGD(0.001)}
    return {name: compared(folder, build=attentive(name), **settings) for name in ("fbsd", "mmal")}


def shares(folder):
    """The images that each device gets of batches of 8, 3 and 1."""
    model = convnet()
    fit.compile_classifier(model, optimizer=sgd())
    shared = Replicas(model, TWO, compiled=fit.compile_classifier)
    found = []
    for count in (8, 3, 1):
        batches = tf.data.Dataset.from_tensor_slices((np.arange(count), np.arange(count))).batch(8)
        for batch, _ in shared.dealt(batches):
            found.append([one.numpy().tolist() for one in shared.strategy.experimental_local_results(batch)])
    return found


def rate(folder):
    """Timing a step changes nothing in the model."""
    model = convnet()
    fit.compile_classifier(model, optimizer=sgd())
    before = model.get_weights()
    found, first = Replicas(model, TWO, compiled=fit.compile_classifier).pace(8)
    return {"rate": found, "first": first, "changed": farthest(before, model.get_weights())}


def chosen(folder):
    """The devices that options name, and what is refused."""
    found = {text: devices.chosen(text) for text in ("1", "2", "all")}
    for text in ("3", "0", "two", "-1"):
        try:
            found[text] = devices.chosen(text)
        except InputError as error:
            found[text] = str(error)
    return found


def measured(_):
    """What tools/gpu_check.py measures and checks in float32 where there are several devices, with little to train."""
    small = {"build": lambda _: convnet(classes=gpu_rates.CLASSES), "tiny": IMAGES.shape[1:3]}
    gpu_rates.NETS = {"ConvNet 1": dataclasses.replace(gpu_rates.NETS["ConvNet 1"], **small)}
    gpu_checks.COUNT, gpu_checks.EPOCHS = 11, 2
    return gpu_check.measured("float32", tiny=True)


CASES = (
    chosen, shares, augmented, averaged, watched, many_steps, frozen, resumed,
    resumed_on_others, masks, overflowing, half_precision, branched, rate, measured,
)  # fmt: skip
# where the tracing takes longer than some steps without it; the others see to it that what is traced does the same
UNTRACED = (frozen, half_precision, branched, rate, measured)


def main(folder, names) -> None:
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.experimental.enable_op_determinism()
    for case in CASES:
        if not names or case.__name__ in names:
            started = time.perf_counter()
            with untraced_models() if case in UNTRACED else contextlib.nullcontext():
                (folder / f"{case.__name__}.json").write_text(json.dumps(case(folder)))
            print(f"{case.__name__}: {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
