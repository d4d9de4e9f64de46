"""Learning-rate schedules, for the argument `schedule` of `fit.train`.

`StepLR`, `MultiStep`, `Cosine` and `CyclicCosine` multiply the rate that the model was compiled with by a pure function
of (epoch, step), so a resumed run needs no saved state. `Plateau` depends on earlier epochs, and its counters are saved
in the checkpoint. Epochs and steps are counted from 0. The two rates of an optimiser of kfg.training.optimizers change
together.
"""

import dataclasses
import math

import keras

from kfg.errors import InputError


@dataclasses.dataclass(frozen=True)
class Plateau:
    """Multiply the rate by `factor` after `patience` epochs without a better monitored value.

    Keras tests `wait >= patience`, torch tests `bad epochs > patience`: so a patience p in torch is p + 1 here.

    Args:
        factor: float in (0, 1).
        patience: int >= 1, epochs.
        min_learning_rate: float >= 0, lowest value of the rate.
    """

    factor: float
    patience: int
    min_learning_rate: float = 0.0

    def __post_init__(self):
        _within("factor", self.factor, 0, 1, open_ends=True)
        _within("patience", self.patience, 1, math.inf)
        _within("min_learning_rate", self.min_learning_rate, 0, math.inf)

    def made_from(self, epochs: int) -> dict:
        """Return, for the checkpoint, the settings that decide the rates of a run of `epochs` epochs."""
        return _described(self)

    def callback(self, *, monitor: str, mode: str, **_):
        """Return the Keras callback ReduceLROnPlateau with these settings."""
        return keras.callbacks.ReduceLROnPlateau(
            monitor=monitor, mode=mode, factor=self.factor, patience=self.patience, min_lr=self.min_learning_rate
        )


class Pure:
    """A schedule whose rate is a function of (epoch, step) alone; subclasses define `scale`."""

    def made_from(self, epochs: int) -> dict:
        """Return, for the checkpoint, the settings that decide the rates of a run of `epochs` epochs."""
        return _described(self)

    def scale(self, epoch: int, step: int, *, epochs: int, steps_per_epoch: int) -> float:
        """Return the factor by which the compiled rate is multiplied at one step."""
        raise NotImplementedError

    def callback(self, *, learning_rate: float, epochs: int, steps_per_epoch: int, **_):
        """Return the callback that sets the rate before every step.

        Args:
            learning_rate: the rate that the model was compiled with.
            epochs, steps_per_epoch: numbers for the whole run, also if only its end is trained.
        """
        return _Rate(
            lambda epoch, step: learning_rate * self.scale(epoch, step, epochs=epochs, steps_per_epoch=steps_per_epoch)
        )


@dataclasses.dataclass(frozen=True)
class StepLR(Pure):
    """Multiply the rate by `gamma` every `step` epochs.

    Args:
        step: int >= 1, epochs.
        gamma: float in (0, 1].
    Example:
        >>> [StepLR(step=2, gamma=0.1).scale(epoch, 0, epochs=5, steps_per_epoch=1) for epoch in range(4)]
        [1.0, 1.0, 0.1, 0.1]
    """

    step: int
    gamma: float

    def __post_init__(self):
        _within("step", self.step, 1, math.inf)
        _check_gamma(self.gamma)

    def scale(self, epoch, step, *, epochs, steps_per_epoch):
        return float(self.gamma ** (epoch // self.step))


@dataclasses.dataclass(frozen=True)
class MultiStep(Pure):
    """Multiply the rate by `gamma` at the beginning of each epoch in `milestones`.

    Args:
        milestones: rising ints >= 1, epochs counted from 0.
        gamma: float in (0, 1].
    Example:
        >>> [MultiStep(milestones=(1, 3), gamma=0.5).scale(epoch, 0, epochs=5, steps_per_epoch=1) for epoch in range(5)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    milestones: tuple[int, ...]
    gamma: float

    def __post_init__(self):
        if list(self.milestones) != sorted(set(self.milestones)) or min(self.milestones, default=1) < 1:
            raise InputError(f"milestones: expected rising epochs from 1 up, got {self.milestones}")
        _check_gamma(self.gamma)

    def scale(self, epoch, step, *, epochs, steps_per_epoch):
        return float(self.gamma ** sum(milestone <= epoch for milestone in self.milestones))


@dataclasses.dataclass(frozen=True)
class Cosine(Pure):
    """Raise the rate linearly for `warmup_epochs`, then lower it along half a cosine; it changes in every step.

    With w warm-up steps of n steps in all, the scale of step i is (i + 1) / (w + 1) for i < w, and then
    f + (1 - f) (1 + cos(pi (i - w) / (n - w))) / 2: it is 1 at i = w, and would be f at i = n.

    Args:
        warmup_epochs: float >= 0, less than the number of epochs of the run.
        final_fraction: float in [0, 1], f.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983; the warm-up is that of Goyal et al. 2017, arXiv:1706.02677.
    Example:
        >>> [Cosine(warmup_epochs=1).scale(0, step, epochs=3, steps_per_epoch=3) for step in range(3)]
        [0.25, 0.5, 0.75]
        >>> Cosine().scale(2, 0, epochs=4, steps_per_epoch=10)
        0.5
    """

    warmup_epochs: float = 0.0
    final_fraction: float = 0.0

    def __post_init__(self):
        _within("warmup_epochs", self.warmup_epochs, 0, math.inf)
        _within("final_fraction", self.final_fraction, 0, 1)

    def made_from(self, epochs):
        return {**_described(self), "epochs": epochs}  # the shape depends on the length of the run

    def scale(self, epoch, step, *, epochs, steps_per_epoch):
        if self.warmup_epochs >= epochs:
            raise InputError(f"warmup_epochs: must be fewer than the {epochs} epochs trained, got {self.warmup_epochs}")
        done, total = epoch * steps_per_epoch + step, epochs * steps_per_epoch
        warmup = round(self.warmup_epochs * steps_per_epoch)
        if done < warmup:
            return (done + 1) / (warmup + 1)
        fall = (1 + math.cos(math.pi * (done - warmup) / (total - warmup))) / 2
        return self.final_fraction + (1 - self.final_fraction) * fall


@dataclasses.dataclass(frozen=True)
class CyclicCosine(Pure):
    """Lower and raise the rate along a cosine, over and over, as a cosine schedule does that counts batches as epochs.

    The scale of step i, counted from 0 over the whole run, is (1 + cos(pi (i + 1) / half)) / 2. The released code of
    FBSD does this with half = 200, its number of epochs; its paper describes `Cosine`.

    Args:
        half: int >= 1, steps from the highest rate to 0.
    Example:
        >>> [round(CyclicCosine(half=2).scale(0, step, epochs=1, steps_per_epoch=4), 3) for step in range(4)]
        [0.5, 0.0, 0.5, 1.0]
    """

    half: int = 200

    def __post_init__(self):
        _within("half", self.half, 1, math.inf)

    def scale(self, epoch, step, *, epochs, steps_per_epoch):
        return (1 + math.cos(math.pi * (epoch * steps_per_epoch + step + 1) / self.half)) / 2


class _Rate(keras.callbacks.Callback):
    """Set the optimiser's rate to `rate(epoch, step)` before each step."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._set(0)  # set here as well, so that the history shows the rate of the epoch's first step

    def on_train_batch_begin(self, batch, logs=None):
        self._set(batch)

    def _set(self, step):
        self.model.optimizer.learning_rate = self.rate(self.epoch, step)


def _described(schedule) -> dict:
    return {"kind": type(schedule).__name__, **dataclasses.asdict(schedule)}


def _check_gamma(gamma):
    if not 0 < gamma <= 1:
        raise InputError(f"gamma: must be above 0 and at most 1, got {gamma}")


def _within(name, value, low, high, *, open_ends=False):
    if not (low < value < high if open_ends else low <= value <= high):
        raise InputError(f"{name}: expected {'between' if open_ends else 'from'} {low} and {high}, got {value}")
