"""Rates worked by hand, and seen in training step by step."""

import math

import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.training import fit, schedules
from kfg.training.schedules import Cosine, MultiStep, Plateau, StepLR

pytestmark = pytest.mark.usefixtures("untraced")


class Rates(keras.callbacks.Callback):
    """Note the rate each step was taken with."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def rates(schedule, *, epochs=4, steps=2, first_epoch=0, monitor="val_loss"):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.8))
    noted = Rates()
    callback = schedule.callback(
        monitor=monitor, mode=fit.MONITORS[monitor], learning_rate=0.8, epochs=epochs, steps_per_epoch=steps
    )
    x, y = np.zeros((steps, 1), "float32"), np.zeros(steps, "int32")
    model.fit(
        x,
        y,
        batch_size=1,
        epochs=epochs,
        initial_epoch=first_epoch,
        callbacks=[callback, noted],
        verbose=0,
        validation_data=(x, y),
    )
    return noted.seen


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (StepLR(step=1, gamma=0.5), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1]),
        (StepLR(step=3, gamma=0.1), [0.8] * 6 + [0.08] * 2),
        (MultiStep(milestones=(1, 3), gamma=0.5), [0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2]),
        (Cosine(), [0.4 * (1 + math.cos(math.pi * i / 8)) for i in range(8)]),
        (
            Cosine(warmup_epochs=1, final_fraction=0.5),
            [0.8 / 3, 1.6 / 3, *(0.4 + 0.2 * (1 + math.cos(math.pi * i / 6)) for i in range(6))],
        ),
    ],
)
def test_every_step_is_taken_with_the_rate_of_the_schedule(schedule, expected):
    assert rates(schedule) == pytest.approx(expected, rel=1e-6)
    assert rates(schedule, first_epoch=3) == pytest.approx(expected[6:], rel=1e-6)


def test_the_cosine_is_highest_where_the_warm_up_ends_and_never_stands_still_below_it():
    scales = [Cosine(warmup_epochs=0.5).scale(i // 10, i % 10, epochs=3, steps_per_epoch=10) for i in range(30)]
    assert scales[5] == max(scales) == 1 and (np.diff(scales[:6]) > 0).all() and (np.diff(scales[5:]) < 0).all()
    assert 0 < scales[-1] < 0.01


def test_the_plateau_cuts_where_the_monitored_value_stands_still_and_not_below_the_floor():
    # all images are alike and of class 0: the loss falls every epoch, the accuracy is 1 from the first
    plateau = Plateau(0.5, 1, 0.3)
    assert rates(plateau, steps=1, epochs=5, monitor="val_accuracy") == pytest.approx([0.8, 0.8, 0.4, 0.3, 0.3])
    assert rates(plateau, steps=1, epochs=5) == pytest.approx([0.8] * 5)


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: Plateau(1.0, 2), "factor"),
        (lambda: Plateau(0.5, 0), "patience"),
        (lambda: Plateau(0.5, 1, -1), "min_learning_rate"),
        (lambda: StepLR(step=0, gamma=0.5), "step"),
        (lambda: StepLR(step=1, gamma=1.5), "gamma"),
        (lambda: MultiStep(milestones=(1,), gamma=0), "gamma: must be above 0 and at most 1, got 0"),
        (lambda: MultiStep(milestones=(3, 1), gamma=0.5), "milestones"),
        (lambda: MultiStep(milestones=(0,), gamma=0.5), "milestones"),
        (lambda: Cosine(warmup_epochs=-1), "warmup_epochs"),
        (lambda: Cosine(final_fraction=2), "final_fraction"),
        (lambda: Cosine(warmup_epochs=4).scale(0, 0, epochs=4, steps_per_epoch=1), "warmup_epochs.*4"),
    ],
)
def test_a_wrong_number_is_named(make, named):
    with pytest.raises(InputError, match=named):
        make()


def test_a_schedule_of_ones_own_needs_a_scale_only():
    class Halving(schedules.Pure):
        def scale(self, epoch, step, *, epochs, steps_per_epoch):
            return 0.5 ** (epoch * steps_per_epoch + step)

    assert rates(Halving(), epochs=2) == pytest.approx([0.8, 0.4, 0.2, 0.1])
