"""A run cut after an epoch and resumed is the whole run, whatever schedule, optimiser, sampling and mixing."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from copies import Copies, after

from kfg.augment.mixing import CutMix, Mixup
from kfg.data import pipeline, stores
from kfg.training import checkpoint, fit, losses, optimizers
from kfg.training.schedules import Cosine, MultiStep, Plateau, StepLR

COUNT, BATCH, EPOCHS = 14, 4, 3
LABELS = np.repeat([0, 1, 2], [9, 4, 1]).astype(np.int32)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def deterministic():
    tf.config.experimental.enable_op_determinism()


def two_rates():
    return optimizers.rates("adamw", learning_rate=0.01, trunk_multiplier=0.1, weight_decay=0.1)


def small_model(seed, optimizer, loss):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input((6, 5, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, name="conv"),
        keras.layers.BatchNormalization(name="bn"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(3, activation="softmax", name="head"),
    ]
    model = keras.Sequential(layers)
    fit.compile_classifier(model, optimizer=optimizer(), loss=loss)
    return model


def train(workdir, *, seed=0, optimizer=two_rates, loss=None, sampling=None, mixing=None, resume=False, **changes):
    def batches(first_epoch):
        return pipeline.training_batches(
            stores.Images(IMAGES),
            LABELS,
            batch_size=BATCH,
            seed=1,
            sampling=sampling,
            mixing=mixing,
            num_classes=3,
            first_epoch=first_epoch,
            epochs=EPOCHS,
        )

    model = small_model(seed, optimizer, loss or losses.CrossEntropy())
    rows = fit.train(
        model,
        batches,
        pipeline.evaluation_batches(stores.Images(IMAGES), LABELS, batch_size=5),
        workdir=workdir,
        epochs=EPOCHS,
        steps_per_epoch=pipeline.steps(COUNT, BATCH),
        resume=resume,
        verbose=0,
        **changes,
    )
    return model, [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def cut(monkeypatch, workdir, after, **settings):
    """Train, and die when `after` epochs are saved."""
    save = checkpoint.save

    def save_and_die(path, model, companions, *, epoch):
        save(path, model, companions, epoch=epoch)
        if epoch == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", save_and_die)
        train(workdir, **settings)


def averaged():
    return optimizers.rates("adam", learning_rate=0.01, use_ema=True, ema_momentum=0.9)


SETTINGS = {
    "averaged weights": {"optimizer": averaged},
    "cosine": {"schedule": Cosine(warmup_epochs=1)},
    "step": {"schedule": StepLR(step=1, gamma=0.5), "optimizer": lambda: keras.optimizers.Adam(learning_rate=0.01)},
    "multi-step, momentum": {
        "schedule": MultiStep(milestones=(2,), gamma=0.1),
        "optimizer": lambda: optimizers.rates("sgd", learning_rate=0.01, trunk_multiplier=0.5, momentum=0.9),
    },
    "plateau on accuracy": {"schedule": Plateau(0.5, 1), "monitor": "val_accuracy", "stop_patience": 9},
    "best epoch kept": {"keep_best": True, "optimizer": lambda: keras.optimizers.Adam(learning_rate=0.3)},
    "square-root, mixup": {"schedule": Cosine(), "sampling": "square-root", "mixing": Mixup(alpha=0.4)},
    "balanced, cutmix, prior": {
        "sampling": "balanced",
        "mixing": CutMix(),
        "loss": losses.CrossEntropy(log_prior=losses.log_prior([9, 4, 1])),
    },
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the function name of a setting -> a whole training's model, its history and its folder, with `Copies`."""

    @functools.cache
    def trained(name):
        workdir = tmp_path_factory.mktemp("trained") / "whole"
        return *train(workdir, callbacks=[Copies(workdir)], **SETTINGS.get(name, {})), workdir

    return trained


def same(one, other):
    return all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_cut_and_resumed_is_the_same_run_to_the_last_bit(name, whole):
    model, rows, workdir = whole(name)
    resumed, resumed_rows = train(after(workdir, 2), seed=9, resume=True, **SETTINGS[name])
    assert rows == resumed_rows and len(rows) == EPOCHS
    assert same(model, resumed)


def test_the_plateau_cuts_the_rate_and_the_best_epoch_is_not_the_last(whole):
    """Else the runs above would be the same without either."""
    _, rows, _ = whole("plateau on accuracy")
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"]
    _, rows, _ = whole("best epoch kept")
    assert min(row["val_loss"] for row in rows[:2]) < rows[-1]["val_loss"]


def test_what_died_as_soon_as_its_epoch_was_saved_goes_on_as_well(whole, tmp_path, monkeypatch):
    cut(monkeypatch, tmp_path, 2, **SETTINGS["cosine"])
    resumed, rows = train(tmp_path, resume=True, **SETTINGS["cosine"])
    assert same(whole("cosine")[0], resumed) and whole("cosine")[1] == rows


@pytest.mark.parametrize("name", ["averaged weights", "cosine"])
def test_cut_after_the_last_epoch_ends_with_the_same_weights(name, whole):
    model, _, workdir = whole(name)
    assert same(model, train(after(workdir, EPOCHS), resume=True, **SETTINGS[name])[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": Cosine()},
        {"sampling": "square-root"},
        {"mixing": Mixup()},
        {"optimizer": lambda: optimizers.rates("adamw", learning_rate=0.01, weight_decay=0.1)},
    ],
)
def test_each_of_them_makes_another_run(changes, whole, tmp_path):
    plain, changed = whole("plain")[0], train(tmp_path, **changes)[0]
    assert not np.array_equal(plain.layers[-1].kernel.numpy(), changed.layers[-1].kernel.numpy())


def test_mixing_leaves_the_labels_of_validation_alone(tmp_path):
    model, rows = train(tmp_path, mixing=Mixup(), sampling="balanced")
    answers = model.predict(IMAGES, verbose=0)
    assert rows[-1]["val_accuracy"] == pytest.approx((answers.argmax(axis=1) == LABELS).mean())
    assert rows[-1]["val_loss"] == pytest.approx(-np.log(answers[np.arange(COUNT), LABELS]).mean(), rel=1e-4)
