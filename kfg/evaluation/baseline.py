"""Judge whether a model is better than a baseline that does not look at the picture. No TensorFlow here.

There are two such baselines for every set of images: always naming the most common class, and guessing. Top-1 is
compared with the first, on the same images, and macro recall with the second. Both comparisons allow for chance at
95%.
"""

import numpy as np

from kfg.evaluation import confusion, macro
from kfg.evaluation.intervals import wilson
from kfg.evaluation.predict import Predictions, check_answers

BETTER = "better"
COMMONEST_BETTER = "commonest class better"  # it is better in top-1, but the model does tell the classes apart
NO_BETTER = "no better"
TOO_FEW = "too few images"
ONE_CLASS = "one class only"  # always naming this class is right on every image, so the model cannot be judged
LEARNED = (BETTER, COMMONEST_BETTER)  # verdicts on models that tell the classes apart
LEVEL = 0.025  # level of the one-sided test, which agrees with a two-sided 95% interval


def judge(predictions: Predictions, *, effective: float | None = None) -> dict:
    """Compare a model with always naming the most common class of these images, and with guessing.

    The model is better in top-1 if it is right on more than half of the images on which exactly one of the two, model
    or most common class, is right (McNemar's exact test, one-sided). It is better in macro recall, which is 1 / K for
    guessing and for every constant answer, if its interval (see kfg.evaluation.macro) lies above 1 / K. The verdict
    counts near-duplicates singly.

    Args:
        predictions: predictions on images with known labels, at least one.
        effective: the number of independent images that these are worth, for `interval`; default their number.
    Returns:
        A dict, ready for JSON, with the `verdict`, which is one of
        BETTER: significantly better in top-1, or better than guessing and not behind in top-1;
        COMMONEST_BETTER: top-1 is below that of the most common class, but macro recall is better than guessing;
        NO_BETTER: better than neither;
        TOO_FEW: ahead in top-1, but these images are too few to show it;
        ONE_CLASS: all images are of one class, so the model cannot be judged;
        and with the figures behind it: `images`, `right`, `interval` (95% bounds of that share), `commonest` (name of
        the most common class), `commonest_right` (number of its images), `p` (of McNemar's test), `macro_recall`
        {"value", "low", "high"} and `guessing` (1 / K, with K classes that have images).
    Raises:
        InputError: the predictions are not valid, see `check_answers`.
    Source:
        McNemar 1947, Psychometrika 12:153, in its exact form.
    Example:
        >>> always = Predictions(tuple("abcd"), np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 0, 0]], ("good", "bad"))
        >>> judge(always)["verdict"]
        'no better'
    """
    from scipy.stats import binomtest  # imported here: it takes longer than all other imports of the list of runs

    check_answers(predictions)
    labels, right = np.asarray(predictions.labels), predictions.predicted == predictions.labels
    images = np.bincount(labels, minlength=len(predictions.classes))
    commonest = int(images.argmax())
    ahead, behind = int((right & (labels != commonest)).sum()), int((~right & (labels == commonest)).sum())
    p = float(binomtest(ahead, ahead + behind, alternative="greater").pvalue) if ahead + behind else 1.0
    matrix = confusion.confusion_matrix(labels, predictions.predicted, len(images))
    recall, guessing = macro.recall(matrix), 1 / int((images > 0).sum())
    return {
        "verdict": ONE_CLASS if guessing == 1 else _verdict(ahead - behind, p, recall, guessing),
        "images": len(labels),
        "right": int(right.sum()),
        "interval": list(wilson(int(right.sum()), len(labels), effective=effective)),
        "commonest": predictions.classes[commonest],
        "commonest_right": int(images[commonest]),
        "p": p,
        "macro_recall": recall,
        "guessing": guessing,
    }


def _verdict(lead, p, recall, guessing) -> str:
    tells_apart = recall["low"] > guessing
    if p <= LEVEL or (tells_apart and lead >= 0):
        return BETTER
    if tells_apart:
        return COMMONEST_BETTER
    return TOO_FEW if lead > 0 else NO_BETTER


def warning(judged: dict, *, part: str = "test", thing: str = "image") -> str | None:
    """Return a warning that a model is no better than a baseline, with what to do; None if the model is better.

    Args:
        judged: the result of `judge`.
        part: name of the part that the images are from, such as "validation".
        thing: what to call an image.
    Example:
        >>> always = Predictions(tuple("abcd"), np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 0, 0]], ("good", "bad"))
        >>> warning(judge(always)).split(": ")[0]
        "This model is no better than always answering 'good'"
    """
    n, verdict = judged["images"], judged["verdict"]
    if verdict == BETTER:
        return None
    if verdict == ONE_CLASS:
        which, so = (f"The only {part} {thing} is", "it") if n == 1 else (f"All {n:,} {part} {thing}s are", "they")
        return (
            f"{which} of the class {judged['commonest']!r}, so {so} cannot show whether the model looks at the "
            f"{thing}s. Test it on {thing}s of other classes as well."
        )
    always = f"always answering {judged['commonest']!r}"
    even = judged["commonest_right"] / n <= judged["guessing"] * 1.001  # equal class sizes: both baselines agree
    than = f"guessing, or {always}" if even else always
    low, high = judged.get("interval") or wilson(judged["right"], n)  # reports of earlier versions lack it
    is_right = (
        f"right on {judged['right']:,} of {n:,} {part} {thing}s ({percent(judged['right'] / n)}, 95% interval "
        f"{percent(low)} to {percent(high)})"
    )
    constant = f"{always} on {judged['commonest_right']:,} ({percent(judged['commonest_right'] / n)})"
    recall, guessing = judged["macro_recall"], percent(judged["guessing"])
    if verdict == NO_BETTER:
        return f"This model is no better than {than}: it is {is_right}, {constant}. Do not use it."
    if verdict == TOO_FEW:
        return (
            f"{n:,} {part} {thing}s are too few to show that this model is better than {than}: it is {is_right}, "
            f"{constant}. Test it on more {thing}s before you rely on it."
        )
    return (
        f"This model is right less often than {always} would be: it is {is_right}, {constant}. It does tell the "
        f"classes apart: its mean recall over the classes is {percent(recall['value'])} (95% interval "
        f"{percent(recall['low'])} to {percent(recall['high'])}), where guessing has {guessing}. Use it only if "
        "finding the rarer classes is worth the errors on the most common one."
    )


def percent(share: float) -> str:
    """Return a share in percent: in whole percent from 10% on, with one decimal below.

    Example:
        >>> percent(0.884), percent(0.05), percent(1.0)
        ('88%', '5.0%', '100%')
    """
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.1f}%"
