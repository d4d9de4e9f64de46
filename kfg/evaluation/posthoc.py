"""Corrections for imbalanced classes that need no training: logit adjustment and tau-normalisation.

Both have one parameter, tau, which is chosen on validation images by macro recall; tau = 0 is the model as trained. No
TensorFlow here: kfg.runs.corrected_answers applies the corrections to a run folder.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from kfg.errors import InputError
from kfg.evaluation import confusion
from kfg.evaluation.predict import Predictions, check_answers

GRID = tuple(round(0.1 * i, 1) for i in range(21))  # values of tau to choose from
SMALLEST = 1e-30  # smaller probabilities are raised to this, so that their logarithm is finite
# groups of classes by their training images: "rare" below 20, "many" above 100, as in long-tail benchmarks
GROUPS = {
    "rare": lambda counts: counts < 20,
    "medium": lambda counts: (counts >= 20) & (counts <= 100),
    "many": lambda counts: counts > 100,
}


def adjusted(predictions: Predictions, log_prior, *, tau: float) -> Predictions:
    """Return the predictions with probabilities proportional to p / prior ** tau.

    Args:
        predictions: predictions of a model trained with plain cross-entropy.
        log_prior: float (C,), logarithms of the classes' shares of the training images.
        tau: float >= 0; with 1 the model predicts as if the classes were equally frequent.
    Source: Menon et al. 2021, arXiv:2007.07314, post-hoc logit adjustment.
    Example:
        >>> answers = Predictions(("a",), np.array([1]), np.array([[0.6, 0.4]]), ("common", "rare"))
        >>> adjusted(answers, np.log([0.75, 0.25]), tau=1).probabilities.astype(float).round(3).tolist()
        [[0.333, 0.667]]
    """
    logits = np.log(np.maximum(predictions.probabilities, SMALLEST)) - tau * np.asarray(log_prior)
    return dataclasses.replace(predictions, probabilities=softmax(logits))


def tau_normalised(predictions: Predictions, features, kernel, bias, *, tau: float) -> Predictions:
    """Return the predictions of a dense head whose class vectors are divided by their length ** tau.

    Lengths are taken relative to their geometric mean. This does not change the order of `features @ kernel`, and it
    keeps the weight of the bias (which the paper drops); so tau = 0 is the head itself.

    Args:
        predictions: predictions of the head as trained, which give the paths, labels and classes of the result.
        features: float (N, F), input of the head.
        kernel, bias: weights of the head, float (F, C) and (C,).
        tau: float >= 0; with 1 all class vectors become equally long.
    Source: Kang et al. 2020, arXiv:1910.09217.
    Example:
        >>> answers = Predictions(("a",), np.array([1]), np.array([[0.6, 0.4]]), ("common", "rare"))
        >>> head = np.array([[4.0, 1.0], [0.0, 0.0]]), np.zeros(2)
        >>> tau_normalised(answers, [[1.0, 0.0]], *head, tau=1).probabilities.tolist()
        [[0.5, 0.5]]
    """
    lengths = np.maximum(np.linalg.norm(kernel, axis=0), SMALLEST)
    scale = np.exp(-tau * (np.log(lengths) - np.log(lengths).mean()))
    logits = np.asarray(features, dtype=np.float64) @ (np.asarray(kernel) * scale) + bias
    return dataclasses.replace(predictions, probabilities=softmax(logits))


def softmax(logits) -> np.ndarray:
    """Return the probabilities, float32 (..., C), for logits (..., C)."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)


def macro_recall(predictions: Predictions) -> float:
    """Return the mean recall over the classes that have images."""
    recall, images = _recalls(predictions)
    return float(recall[images > 0].mean())


def choose(by_tau: Mapping[float, Predictions]) -> float:
    """Return the tau with the best macro recall; of equal ones the smallest, which changes the model least.

    Args:
        by_tau: tau -> predictions on validation images.
    """
    return max(sorted(by_tau), key=lambda tau: macro_recall(by_tau[tau]))


def figures(predictions: Predictions, counts) -> dict:
    """Return top-1, macro recall, and the mean recall of rare, medium and many-image classes.

    Args:
        predictions: predictions on test images.
        counts: int (C,), number of training images of each class.
    Returns:
        A dict of floats in [0, 1]: `top1`, `macro_recall` and the keys of GROUPS; None for a group without test images.
    Raises:
        InputError: the predictions are not valid (see `check_answers`), or `counts` has another length.
    """
    check_answers(predictions)
    counts = np.asarray(counts)
    if counts.shape != (len(predictions.classes),):
        raise InputError(
            f"counts: expected one for each of {len(predictions.classes)} classes, got shape {counts.shape}"
        )
    recall, images = _recalls(predictions)
    result = {
        "top1": float((predictions.predicted == predictions.labels).mean()),
        "macro_recall": macro_recall(predictions),
    }
    for name, belongs in GROUPS.items():
        members = belongs(counts) & (images > 0)
        result[name] = float(recall[members].mean()) if members.any() else None
    return result


def gain(before: Predictions, after: Predictions, *, resamples: int = 1000, seed: int = 0) -> dict:
    """Return the gain in macro recall, with a paired 95% bootstrap interval over the images.

    Args:
        before, after: predictions on the same images in the same order.
        resamples, seed: settings of the bootstrap; if a resample has no image of a class, the class is left out of its
            mean.
    Returns:
        A dict of floats `value`, `low`, `high`.
    """
    changed = (after.predicted == after.labels).astype(float) - (before.predicted == before.labels)
    rng, count = np.random.default_rng(seed), len(before)

    def by_class(values):
        return np.bincount(before.labels, weights=values, minlength=len(before.classes))

    rises = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        images = by_class(times)
        rises.append((by_class(times * changed)[images > 0] / images[images > 0]).mean())
    low, high = np.quantile(rises, [0.025, 0.975])
    return {"value": macro_recall(after) - macro_recall(before), "low": float(low), "high": float(high)}


def _recalls(predictions):
    matrix = confusion.confusion_matrix(predictions.labels, predictions.predicted, len(predictions.classes))
    images = matrix.sum(axis=1)
    return np.diag(matrix) / np.maximum(images, 1), images
