"""Compute the confusion matrix, a model's weakest classes, and the pairs that it confuses. No TensorFlow here."""

from collections.abc import Sequence

import numpy as np

METRICS = ("recall", "precision", "f1")
WEAK_LIMIT = 0.7  # a class at or below it is weak, unless the caller gives a limit or a number of classes


def confusion_matrix(labels, predicted, num_classes: int) -> np.ndarray:
    """Count images by true and predicted class.

    Args:
        labels, predicted: int arrays (N,), class ids in [0, num_classes).
        num_classes: C.
    Returns:
        int64 array (C, C), images; row = true class, column = predicted.
    Raises:
        ValueError: lengths differ or an id is out of range.
    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
        array([[1, 1],
               [0, 1]])
    """
    labels, predicted = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and predicted {predicted.shape} must be (N,) both")
    for name, ids in (("labels", labels), ("predicted", predicted)):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            raise ValueError(f"{name} must be in [0, {num_classes}), found {ids.min()} to {ids.max()}")
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def class_scores(confusion) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 of each class, float64 (C,); 0 where the divisor is 0.

    F1 is 2 TP / (2 TP + FP + FN): 0 for a class that is never predicted, not undefined.

    Example:
        >>> class_scores([[30, 0], [15, 15]])["recall"]
        array([1. , 0.5])
    """
    confusion = _square(confusion)
    right, support, guessed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "precision": right / np.maximum(guessed, 1),
        "recall": right / np.maximum(support, 1),
        "f1": 2 * right / np.maximum(support + guessed, 1),
    }


def weak_classes(
    confusion,
    *,
    max_recall: float | None = None,
    min_support: int = 20,
    metric: str = "recall",
    n: int | None = None,
) -> np.ndarray:
    """Return the classes that the model recognises worst, the worst first.

    A class with too few images is left out, because it cannot be judged: on n images a recall r has the standard error
    sqrt(r (1 - r) / n), which is 0.10 at r = 0.7, n = 20.

    Args:
        confusion: int array (C, C), images; row = true class, column = predicted.
        max_recall: float in [0, 1]; a class is weak if its `metric`, whichever that is, is at or below this value.
            Default 0.7, or no limit if `n` is given.
        min_support: int >= 1, number of images that a class needs to be judged.
        metric: "recall", "precision" or "f1".
        n: int >= 1, largest number of classes to return; default all.
    Returns:
        int64 array (K,), K <= C, class ids by rising score; ties by id.
    Raises:
        ValueError: if `confusion` is not square, `min_support` or `n` < 1, or `metric` is unknown.
    Source:
        the rule of study imagenet20, whose three weak classes are the lowest by each of the three metrics.
    Example:
        >>> weak_classes(np.array([[30, 0], [15, 15]]))
        array([1])
    """
    confusion = _square(confusion)
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if min_support < 1 or (n is not None and n < 1):
        raise ValueError(f"min_support and n must be >= 1, got min_support={min_support}, n={n}")
    if max_recall is None:
        max_recall = WEAK_LIMIT if n is None else 1.0
    scores = class_scores(confusion)[metric]
    judged = np.flatnonzero((confusion.sum(axis=1) >= min_support) & (scores <= max_recall))
    return judged[np.argsort(scores[judged], kind="stable")][:n]


def most_confused(confusion, classes: Sequence[str], n: int = 10) -> list[dict]:
    """Return the n most frequent mistakes as directed pairs of classes, most frequent first; ties by rate, then by id.

    Each pair is a dict: `true`, `predicted` (names), `count` (images), `rate` (share of the images of the true class),
    `reverse` (images confused the other way round).

    Example:
        >>> most_confused([[8, 2], [5, 5]], ["cat", "dog"], n=1)
        [{'true': 'dog', 'predicted': 'cat', 'count': 5, 'rate': 0.5, 'reverse': 2}]
    """
    confusion = _square(confusion)
    if len(classes) != len(confusion):
        raise ValueError(f"{len(classes)} class names for a {confusion.shape} matrix")
    rates = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    true, guess = np.nonzero(confusion * (1 - np.eye(len(confusion), dtype=np.int64)))
    order = np.lexsort((guess, true, -rates[true, guess], -confusion[true, guess]))[:n]
    return [
        {
            "true": classes[t],
            "predicted": classes[p],
            "count": int(confusion[t, p]),
            "rate": float(rates[t, p]),
            "reverse": int(confusion[p, t]),
        }
        for t, p in zip(true[order], guess[order], strict=True)
    ]


def _square(confusion) -> np.ndarray:
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"confusion must be square (C, C), got {confusion.shape}")
    return confusion
