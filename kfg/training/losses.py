"""Cross-entropy on probabilities for int or soft labels, with label smoothing, class weights or logit adjustment."""

import keras
import numpy as np
from keras import ops

from kfg.errors import InputError

# Above 0, so that the logarithm is finite; far below Keras's 1e-7, because a clipped probability passes no gradient,
# and the model could not learn from an image for which it is that sure of a wrong class.
SMALLEST = 1e-30


def one_hot(labels, num_classes: int):
    """Return labels as a float tensor (B, C): int labels (B,) are one-hot encoded, soft ones (B, C) stay the same."""
    if len(labels.shape) == 2:
        return labels
    return ops.one_hot(ops.cast(labels, "int32"), num_classes)


@keras.saving.register_keras_serializable(package="kfg")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy: the mean over the batch of -w sum_c t_c log q_c.

    q is the model's output p or, with `log_prior`, proportional to p * prior ** tau. In that case p learns to be right
    for equal class frequencies, and p is what the trained model outputs. Adding a constant to all logits does not
    change the softmax, so log p can take the place of the logits.

    t are the labels. A share of them, `label_smoothing`, is spread over all classes: evenly or, with `log_prior`, in
    proportion to prior ** tau. If it were spread evenly there, a model that fits perfectly would output t / prior **
    tau, which is largest for the rarest class whatever the picture shows, as soon as the class sizes differ enough
    (19 to 1 for two classes and a share of 0.1). Spread like the prior, it outputs (1 - share) y / prior ** tau +
    share, which is largest for the right class.

    w is the weight of the image's own class from `class_weights`. The spread share of an image has the same weight as
    the image; if it were weighted by the classes that it is spread over, it would also favour the rare classes.

    The loss is called with labels int (B,) or float (B, C) and probabilities (B, C). Validation uses the same loss.

    Args:
        label_smoothing: float in [0, 1).
        class_weights: C floats, for example from `class_balanced_weights`; None: equal weights.
        log_prior: C floats, for example from `log_prior`; None: no adjustment.
        tau: float > 0, strength of the adjustment; 1 is balanced softmax.
    Raises:
        InputError: a value is out of range.
    Source: Menon et al. 2021, arXiv:2007.07314; Ren et al. 2020, arXiv:2007.10740; Cui et al. 2019, arXiv:1901.05555.
    Example:
        >>> loss = CrossEntropy(label_smoothing=0.1)
        >>> round(float(loss(np.array([0]), np.array([[0.7, 0.3]], "float32"))), 4)
        0.399
    """

    def __init__(
        self, *, label_smoothing=0.0, class_weights=None, log_prior=None, tau=1.0, name="cross_entropy", **arguments
    ):
        super().__init__(name=name, **arguments)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing: must be from 0 to below 1, got {label_smoothing}")
        if tau <= 0:
            raise InputError(f"tau: must be above 0, got {tau}")
        self.label_smoothing, self.tau = label_smoothing, tau
        # lists, so that the configuration can be written as JSON
        self.class_weights = None if class_weights is None else np.asarray(class_weights, dtype=float).tolist()
        self.log_prior = None if log_prior is None else np.asarray(log_prior, dtype=float).tolist()

    def call(self, y_true, y_pred):
        num_classes = y_pred.shape[-1]
        log_q = ops.log(ops.maximum(y_pred, SMALLEST))
        y = ops.cast(one_hot(y_true, num_classes), log_q.dtype)
        spread = 1 / num_classes
        if self.log_prior is not None:
            shift = self.tau * ops.convert_to_tensor(self.log_prior, dtype=log_q.dtype)
            log_q, spread = ops.log_softmax(log_q + shift), ops.softmax(shift)
        if self.class_weights is not None:
            y = y * ops.convert_to_tensor(self.class_weights, dtype=log_q.dtype)
        if self.label_smoothing:
            y = (1 - self.label_smoothing) * y + self.label_smoothing * ops.sum(y, axis=-1, keepdims=True) * spread
        return -ops.sum(y * log_q, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "class_weights": self.class_weights,
            "log_prior": self.log_prior,
            "tau": self.tau,
        }


@keras.saving.register_keras_serializable(package="kfg")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """The share of images whose most probable class is the label, or the largest part of a soft label."""

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(_hits, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _hits(y_true, y_pred):
    true = ops.argmax(y_true, axis=-1) if len(y_true.shape) == 2 else y_true
    return ops.cast(ops.equal(ops.cast(true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32")), "float32")


def class_balanced_weights(counts, *, beta: float) -> np.ndarray:
    """Return the weight (1 - beta) / (1 - beta ** n) of each class, scaled to mean 1 over the classes that have images.

    With beta = 0 all weights are equal; for beta -> 1 they are proportional to 1 / n.

    Args:
        counts: int (C,), n, training images of each class, without extra ones; a class without images gets weight 0.
        beta: float in [0, 1).
    Returns:
        float64 (C,).
    Raises:
        InputError: beta is out of range, or there are no images.
    Source: Cui et al. 2019, arXiv:1901.05555.
    Example:
        >>> class_balanced_weights([1, 2], beta=0.5).round(3).tolist()
        [1.2, 0.8]
    """
    if not 0 <= beta < 1:
        raise InputError(f"beta: must be from 0 to below 1, got {beta}")
    counts = _checked(counts)
    present = counts > 0
    weights = np.where(present, (1 - beta) / (1 - beta ** np.maximum(counts, 1)), 0.0)
    return weights / weights[present].mean()


def log_prior(counts) -> np.ndarray:
    """Return the logarithm of each class's share of the training images, float64 (C,).

    A class without an image counts as a class with one image, as there is no evidence that it is rarer.

    Args:
        counts: int (C,), training images of each class, without extra ones.
    Raises:
        InputError: there are no images.
    Example:
        >>> np.exp(log_prior([3, 1])).tolist()
        [0.75, 0.25]
    """
    counts = np.maximum(_checked(counts), 1)
    return np.log(counts / counts.sum())


def _checked(counts):
    counts = np.asarray(counts, dtype=float)
    if counts.ndim != 1 or not counts.sum() > 0 or counts.min() < 0:
        raise InputError(f"counts: expected at least one image of each class, got {counts.tolist()}")
    return counts
