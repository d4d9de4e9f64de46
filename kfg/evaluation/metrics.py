"""Compute the figures of a report from predictions, each with a confidence interval. No TensorFlow here.

The intervals, and the reasons for them:
- top-1, top-5, and precision and recall of one class are proportions. They get Wilson's score interval, which is
  reliable near 0 and 1 and on few images. Where groups of near-duplicates are known, it gets Kish's effective number of
  images: ten copies of one image say no more than one.
- Macro recall and macro F1 get Wilson's interval with an effective number of images (kfg.evaluation.macro).
- AUC: DeLong's variance of the mean over the classes (kfg.evaluation.auc). A bootstrap would need R sorts of N x C
  scores.
- Loss: percentile bootstrap over all images. A bootstrap never draws an image that is worse than those in the test set,
  so if all answers are right, its upper bound would promise that no answer will ever be wrong. Therefore the upper
  bound is at least the loss with as many more wrong answers as top-1's interval allows, each with the least loss that a
  wrong answer can have, ln 2.
- Expected calibration error: see kfg.evaluation.calibration.
AUC, loss, calibration error and the verdict of the baseline count near-duplicates singly, as each image's share in them
differs; so their intervals are too narrow where many images have near-duplicates.
The intervals say how far the figures of this one trained model could differ on another test set of this size. How much
another training would change them can only be measured with several seeds (kfg.evaluation.paired).
"""

import math

import numpy as np

from kfg.evaluation import auc as auc_module
from kfg.evaluation import baseline, calibration, macro
from kfg.evaluation import confusion as confusion_module
from kfg.evaluation.intervals import effective_counts, wilson
from kfg.evaluation.predict import Predictions, check_answers

CHUNK = 4_000_000  # images x resamples that are drawn at once: 32 MB of indices
TOP = 5
LEAST_WRONG = math.log(2)  # least loss of a wrong answer, in which the true class has at most probability 1/2


def true_rank(predictions: Predictions) -> np.ndarray:
    """Return the rank of the true class by probability, int64 (N,), 0 = first; of equal ones the lower id is first."""
    scores, labels = predictions.probabilities, predictions.labels
    own = scores[np.arange(len(labels)), labels][:, None]
    lower_id = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & lower_id)).sum(axis=1)


def evaluate(
    predictions: Predictions,
    *,
    groups=None,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    pairs: int = 20,
) -> dict:
    """Compute the figures of report.json.

    Macro recall and macro F1 are means over the classes that have images here. So is the AUC (one class against the
    rest), which also needs an image of another class. With five classes or fewer, top-5 is 1 by definition, and so are
    its bounds.

    Args:
        predictions: predictions on N images of C classes.
        groups: (N,), the group of near-duplicates of each image; None: not known, so each image counts singly.
        resamples, seed: settings of the bootstrap for the loss; equal settings give equal bounds.
        confidence: level of all intervals, in (0, 1). The verdict of `baseline` is always at 95%.
        pairs: number of most-confused pairs to list.
    Returns:
        A dict, ready for JSON: `images`, `classes` (counts); `loss`, `calibration_error` (the expected one), `top1`,
        `top5`, `macro_recall`, `macro_f1` and `auc`, each as {"value", "low", "high"} (`auc` is null if no class can be
        judged); `majority_share` (top-1 of always naming the most common class), `baseline` (the result of
        `baseline.judge`: whether the model is better than that), `per_class`, `confusion`, `most_confused`,
        `auc_classes_skipped`, and the settings of the intervals, with `effective_images` (Kish's; null without groups).
    Raises:
        InputError: NaN, rows that are not probabilities, labels out of range, or no images.
    """
    check_answers(predictions)
    classes, labels = predictions.classes, np.asarray(predictions.labels)
    known, groups = groups is not None, np.arange(len(labels)) if groups is None else groups
    worth = float(effective_counts(groups)[0])
    of_class = effective_counts(groups, labels, len(classes))
    matrix = confusion_module.confusion_matrix(labels, predictions.predicted, len(classes))
    rank, support = true_rank(predictions), matrix.sum(axis=1)
    areas = auc_module.one_vs_rest(predictions.probabilities, labels)
    top1 = _proportion(int((rank == 0).sum()), len(predictions), worth, confidence)
    return {
        "images": len(predictions),
        "classes": len(classes),
        "loss": _loss(predictions.losses, top1, resamples, seed, confidence),
        "calibration_error": calibration.of_answers(predictions.probabilities, labels, confidence=confidence),
        "macro_recall": macro.recall(matrix, confidence=confidence, effective=of_class),
        "macro_f1": macro.f1(matrix, confidence=confidence, effective=of_class),
        "top1": top1,
        "top5": _top5(rank, len(classes), worth, confidence),
        "auc": auc_module.macro(areas, confidence=confidence),
        "majority_share": float(support.max() / support.sum()),
        "baseline": baseline.judge(predictions, effective=worth),
        "per_class": _per_class(
            matrix, classes, areas, of_class, effective_counts(groups, predictions.predicted, len(classes)), confidence
        ),
        "confusion": matrix.tolist(),
        "most_confused": confusion_module.most_confused(matrix, classes, pairs),
        "auc_classes_skipped": [name for name, area in zip(classes, areas.values, strict=True) if np.isnan(area)],
        "confidence": confidence,
        "intervals": {
            "resamples": resamples,
            "seed": seed,
            "bootstrap": "of the loss: percentile over images",
            "effective_images": worth if known else None,
        },
    }


def classes_tested(result: dict) -> str:
    """Return words for a sentence that say how many classes have images in a result of `evaluate`.

    Example:
        >>> classes_tested({"classes": 3, "per_class": [{"support": 2}, {"support": 0}, {"support": 1}]})
        '2 of the 3 classes'
    """
    tested = sum(row["support"] > 0 for row in result["per_class"])
    return f"{tested} of the {result['classes']} classes" if tested < result["classes"] else f"{tested} classes"


def _proportion(successes, n, effective, confidence) -> dict:
    low, high = wilson(successes, n, confidence, effective=effective)
    return {"value": successes / n, "low": low, "high": high}


def _top5(rank, num_classes, effective, confidence) -> dict:
    if num_classes <= TOP:
        return {"value": 1.0, "low": 1.0, "high": 1.0}
    return _proportion(int((rank < TOP).sum()), len(rank), effective, confidence)


def _per_class(matrix, classes, areas, supporting, guessing, confidence) -> list[dict]:
    """Return a dict for each class; `supporting`, `guessing`: effective numbers of its images, and of its answers."""
    right, support, guessed = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    scores = confusion_module.class_scores(matrix)

    def ratio(of, effective, c):
        if not of[c]:
            return {"value": None, "low": None, "high": None}  # there are no images to judge it by
        return _proportion(int(right[c]), int(of[c]), effective[c], confidence)

    return [
        {
            "name": name,
            "support": int(support[c]),
            "predicted": int(guessed[c]),
            "correct": int(right[c]),
            "precision": ratio(guessed, guessing, c),
            "recall": ratio(support, supporting, c),
            "f1": float(scores["f1"][c]) if support[c] else None,
            "auc": None if np.isnan(areas.values[c]) else float(areas.values[c]),
        }
        for c, name in enumerate(classes)
    ]


def _loss(losses, top1, resamples, seed, confidence) -> dict:
    """Return the mean loss with bootstrap bounds, as the module's docstring says."""
    rng, size, means = np.random.default_rng(seed), max(1, CHUNK // len(losses)), []
    for start in range(0, resamples, size):
        drawn = rng.integers(0, len(losses), (min(size, resamples - start), len(losses)))
        means.append(losses[drawn].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    value = float(losses.mean())
    high = max(float(high), value + (top1["value"] - top1["low"]) * LEAST_WRONG)
    return {"value": value, "low": float(low), "high": high}
