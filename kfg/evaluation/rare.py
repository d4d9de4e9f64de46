"""Measure a model on classes with few images, on the test set alone; and repeat a study's "average" accuracy."""

import numpy as np

from kfg.evaluation.intervals import wilson
from kfg.evaluation.predict import Predictions

LIMIT = 20  # study retail258 calls a class with fewer images rare


def judge(predictions: Predictions, counts, *, limit: int = LIMIT) -> dict:
    """Compare the accuracy on test images of rare classes with that on all other test images.

    The figure that study retail258 gives also counts training images, and only those in full batches; this one counts
    every test image once.

    Args:
        predictions: predictions on the test set, with C classes.
        counts: int array (C,), number of images of each class in the whole data set, which decides what is rare.
        limit: int >= 1; a class with fewer images is rare.
    Returns:
        A dict of `limit`; `rare` and `other`, each {"classes", "tested" (classes with a test image), "images",
        "correct", "value", "low", "high"} with a Wilson interval, and value None if there is no image; and `per_class`,
        [{"name", "count", "images", "correct", "low", "high"}] of the rare classes, the rarest first.
    Raises:
        ValueError: the shape of `counts` is not (C,).
    Example:
        >>> answers = Predictions(("a", "b", "c"), np.array([0, 1, 1]), np.array([[.9, .1], [.8, .2], [.1, .9]]),
        ...                       ("many", "few"))
        >>> found = judge(answers, [50, 3])
        >>> found["rare"]["correct"], found["rare"]["images"], found["other"]["value"]
        (1, 2, 1.0)
    """
    counts, width = np.asarray(counts), len(predictions.classes)
    if counts.shape != (width,):
        raise ValueError(f"counts must be ({width},), one per class, got {counts.shape}")
    right = predictions.predicted == predictions.labels
    images = np.bincount(predictions.labels, minlength=width)
    correct = np.bincount(predictions.labels[right], minlength=width)
    rare = np.flatnonzero((counts < limit) & (counts > 0))
    other = np.flatnonzero(counts >= limit)
    low, high = wilson(correct, images)
    return {
        "limit": limit,
        "rare": _together(images[rare], correct[rare]),
        "other": _together(images[other], correct[other]),
        "per_class": [
            {
                "name": predictions.classes[c],
                "count": int(counts[c]),
                "images": int(images[c]),
                "correct": int(correct[c]),
                "low": float(low[c]),
                "high": float(high[c]),
            }
            for c in rare[np.argsort(counts[rare], kind="stable")]
        ],
    }


def _together(images, correct) -> dict:
    total, right = int(images.sum()), int(correct.sum())
    low, high = wilson(right, total)
    return {
        "classes": len(images),
        "tested": int((images > 0).sum()),
        "images": total,
        "correct": right,
        "value": right / total if total else None,
        "low": low,
        "high": high,
    }


def rare_rows(judged: dict) -> list[tuple[str, ...]]:
    """Return a table as rows of text: the column names, the two groups, and each rare class that was tested.

    `judged` is the result of `judge`.
    """
    rows = [("classes", "images in all", "right", "of", "accuracy", "95% interval")]
    limit = judged["limit"]
    for name, words in (("rare", f"fewer than {limit} images"), ("other", f"{limit} images or more")):
        group = judged[name]
        label = f"{words}: {group['classes']} classes, {group['tested']} tested"
        rows.append((label, "", *_shown(group)))
    rows += [(row["name"], str(row["count"]), *_shown(row)) for row in judged["per_class"] if row["images"]]
    return rows


def _shown(row):
    if not row["images"]:
        return "0", "0", "", ""
    share = f"{100 * row['correct'] / row['images']:.1f}%"
    return str(row["correct"]), str(row["images"]), share, f"{100 * row['low']:.1f} to {100 * row['high']:.1f}%"


def average_of_batches(predictions: Predictions, *, batch_size: int) -> float:
    """Return the mean of the accuracies of batches, in which a smaller last batch counts as much as the others.

    Some scripts print this value, and the "avg." of study retail258 may be it; this is why it is here. The proper
    estimate of accuracy is top-1.

    Args:
        predictions: predictions in the order of the batches.
        batch_size: int >= 1, number of images.
    Example:
        >>> one_wrong_in_the_last = Predictions(tuple("abc"), np.zeros(3, int), np.eye(2)[[0, 0, 1]], ("x", "y"))
        >>> average_of_batches(one_wrong_in_the_last, batch_size=2)
        0.5
    """
    right = predictions.predicted == predictions.labels
    return float(np.mean([right[i : i + batch_size].mean() for i in range(0, len(right), batch_size)]))
