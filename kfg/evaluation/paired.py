"""Paired comparison of the arms of an experiment, trained with the same seeds and folds. No TensorFlow here.

An arm is one of the treatments that the experiment compares, such as "targeted"; one arm is the control.
There are two intervals, for two questions:
- over images (`difference`): would another set of test images show the same gain for these trained models?
  An image tested in several runs (other seeds, same fold) is not several independent images, and neither are two
  near-duplicates. So this is a cluster bootstrap: groups of near-duplicates (or single images, if groups are not known)
  are drawn with replacement, together with the answers of all runs and all arms on them. The answers of the control
  are drawn together with those of the other arms, which makes the difference paired.
- over runs (`over_runs`): would another training show the same gain? This is Student's t on one difference per run
  (`paired`).
A gain is credible if both intervals exclude zero.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.stats import t as student_t

from kfg.errors import InputError
from kfg.evaluation import baseline, clusters
from kfg.evaluation.predict import Predictions, check_answers

ROUNDING = 1e-12  # a smaller standard deviation comes from rounding
MOST_TRIED = 10_000  # runs; the search for a number ends here


def paired(differences, confidence: float = 0.95, *, folds: int = 1) -> dict:
    """Return Student's t interval of the mean of paired differences.

    Without folds (`folds` = 1) all runs share one split and differ in their seeds: in initial weights, order,
    augmentation and dropout. The interval then says what other seeds would give on the same training and test images,
    and nothing about another split; it is exact if the differences are normally distributed.

    With folds the runs also differ in their training images, and the interval says what other splits of the same images
    would give. But any two runs share training images, so their differences are correlated and the plain t interval
    is too narrow. Its variance is therefore multiplied by n (1 / n + test / train), the correction of Nadeau and Bengio
    for repeated cross-validation, where test / train = 1 / (folds - 1). For 3 seeds of 3 folds the interval becomes
    2.35 times as wide.

    Args:
        differences: float sequence, one per seed (or seed and fold), treatment - control.
        confidence: level of the interval, in (0, 1).
        folds: int >= 1, number of parts that the images were divided into, each tested in turn; 1 for a single split.
    Returns:
        A dict with `mean`, `sd` (with divisor n - 1), `n`, `low`, `high`. With a single difference only `mean` and `n`
        are given, with none only `n`; the other values are None. If all differences are equal, there are
        no bounds either: a few runs that happen to agree do not show how far others would differ.
    Source:
        Nadeau & Bengio 2003, Machine Learning 52:239; for repeated folds Bouckaert & Frank 2004, PAKDD, LNCS 3056:3.
    Example:
        >>> result = paired([1.0, 2.0, 3.0])
        >>> result["mean"], result["sd"], round(result["low"], 3), round(result["high"], 3)
        (2.0, 1.0, -0.484, 4.484)
        >>> corrected = paired([1.0, 2.0, 3.0], folds=3)
        >>> round((corrected["high"] - corrected["low"]) / (result["high"] - result["low"]), 3)
        1.581
    """
    values = np.asarray(list(differences), dtype=np.float64)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    if not np.isfinite(values).all():
        raise ValueError(f"differences must be finite, got {values.tolist()}")
    if folds < 1:
        raise ValueError(f"folds must be at least 1, got {folds}")
    n = len(values)
    mean = float(values.mean()) if n else None
    if n < 2:
        return {"mean": mean, "sd": None, "n": n, "low": None, "high": None}
    sd = float(values.std(ddof=1))
    if sd <= ROUNDING:
        return {"mean": mean, "sd": 0.0, "n": n, "low": None, "high": None}
    shared = 1 / (folds - 1) if folds > 1 else 0.0
    half = float(student_t.ppf((1 + confidence) / 2, n - 1)) * sd * math.sqrt(1 / n + shared)
    return {"mean": mean, "sd": sd, "n": n, "low": mean - half, "high": mean + half}


def runs_needed(effect: float, sd: float, *, folds: int = 1, confidence: float = 0.95) -> int | None:
    """Return how many runs it takes until the interval of `paired` excludes zero, if gains go on as they were so far.

    This is an estimate: with that many runs, about every second experiment would exclude zero.

    Args:
        effect: mean of the paired differences.
        sd: their standard deviation.
        folds, confidence: as for `paired`.
    Returns:
        The least number of runs, at least 2; None if no number up to 10,000 suffices. With folds that is the case for a
        small effect, because all runs share training images: then only more folds or more images help.
    Example:
        >>> runs_needed(2.0, 2.0), runs_needed(1.0, 2.0), runs_needed(2.0, 2.0, folds=3)
        (7, 18, None)
    """
    if sd == 0:
        return 2 if effect else None
    shared = 1 / (folds - 1) if folds > 1 else 0.0
    counts = np.arange(2, MOST_TRIED + 1)
    half = student_t.ppf((1 + confidence) / 2, counts - 1) * sd * np.sqrt(1 / counts + shared)
    enough = np.flatnonzero(half < abs(effect))
    return int(counts[enough[0]]) if enough.size else None


def still_needed(found: Mapping, *, folds: int = 1) -> str:
    """Return a sentence on how many runs would show a difference, "" if the runs show it or do not differ.

    Args:
        found: result of `paired` with the same `folds`.
    """
    if found["low"] is None or not found["low"] <= 0 <= found["high"]:
        return ""
    count = runs_needed(found["mean"], found["sd"], folds=folds)
    if count is None:
        more = "more images or more folds" if folds > 1 else "more images"
        return f"if this is the true difference, more runs will not show it; {more} may"
    return f"if this is the true difference, it takes about {count:,} runs to show it"


def paired_recall(
    arms: Mapping[str, Sequence[Predictions]],
    weak: Sequence[Collection[int]],
    *,
    control: str = "none",
    folds: int = 1,
    alike: Mapping[str, int] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict:
    """Compare the recall of arms on the targeted classes, on the other classes and on all classes.

    Recall is pooled over images: it is the share of right answers among the answers of all runs on a group of classes.
    The intervals of recalls and differences come from the cluster bootstrap that the module's docstring describes.

    Args:
        arms: name -> Predictions of each run (a seed, or a seed and fold), with the runs in the same order
            in every arm, and each run tested on the same images in every arm.
        weak: for each run, the class ids that its `targeted` arm was aimed at; these may differ from run to run.
        control: name of the arm that the others are compared with.
        folds: number of folds of the runs, see `paired`.
        alike: path -> group of near-duplicates, as in a run's split.csv; a path that is not listed is a group of its
            own.
        resamples, seed, confidence: settings of the bootstrap.
    Returns:
        A dict, ready for JSON: `control`, `runs`, `folds`, `images` (distinct ones), `clusters` (number of groups of
        near-duplicates among them, null if groups are not known), `classes`, `beaten` (arm -> number of its runs that
        are better than naming one class for every image, see kfg.evaluation.baseline), `confidence`, `resamples`,
        `seed`, `targeted_classes` ([{"name", "runs"}], most frequent first) and `groups`. This is a dict group -> dict
        of `images`, `answers` (counts) and `arms`. For each arm, `arms` has `recall` {"value", "low", "high"};
        `by_run` (recalls, null if the run has no image of the group); `difference` {"value", "low", "high"} and
        `over_runs` (see `paired`), both against the control and null for the control itself; and `against`, which holds
        the same two against each earlier arm other than the control. For example, targeted against uniform shows what
        the choice of classes alone brings.
    Raises:
        InputError: no arm is called `control`, or arms differ in their classes, number of runs or test images.
    """
    names = _checked_arms(arms, weak, control)
    runs, paths, targeted, right = _answers(arms, weak, names, control)
    unique, image = np.unique(paths, return_inverse=True)
    count, of_image = clusters.of_paths(unique, alike)
    masks = {"targeted": targeted, "other": ~targeted, "all": np.ones(len(targeted), dtype=bool)}
    sums = {group: clusters.sums_of(of_image[image[mask]], right[:, mask], count) for group, mask in masks.items()}
    spread = clusters.bootstrap(sums, count, resamples, seed)
    classes = arms[control][0].classes
    groups = {}
    for group, mask in masks.items():
        compared = _compare(names, right, runs, mask, len(weak), sums[group], spread[group], confidence, folds)
        images = len(np.unique(image[mask]))
        groups[group] = {"images": images, "answers": int(mask.sum()), "arms": compared}
    beaten = {name: sum(baseline.judge(one)["verdict"] in baseline.LEARNED for one in arms[name]) for name in names}
    counts = {"runs": len(weak), "folds": folds, "images": len(unique), "clusters": None if alike is None else count}
    counts |= {"classes": len(classes), "beaten": beaten}
    made = {"confidence": confidence, "resamples": resamples, "seed": seed}
    return {"control": control, **counts, **made, "targeted_classes": _often(weak, classes), "groups": groups}


def _checked_arms(arms, weak, control) -> list[str]:
    """Return the names of the arms, the control first, after checking that all runs can be compared."""
    if control not in arms:
        raise InputError(f"control: there is no arm {control!r} among {', '.join(arms)}")
    if not weak:
        raise InputError("weak: there are no runs to compare")
    for name, predictions in arms.items():
        if len(predictions) != len(weak):
            raise InputError(f"arm {name}: has {len(predictions)} runs, but weak classes are given for {len(weak)}")
        for answers in predictions:
            check_answers(answers)
            if answers.classes != arms[control][0].classes:
                raise InputError(f"arm {name}: its classes differ from those of {control}")
    return [control, *(name for name in arms if name != control)]


def _answers(arms, weak, names, control):
    """Return four arrays with one entry per image and run: run int (M,), path str (M,), targeted bool (M,), right bool.

    The last is (A, M), with a row for each arm.
    """
    runs, paths, targeted, right = [], [], [], []
    for run, aimed in enumerate(weak):
        reference = arms[control][run]
        order = np.argsort(np.asarray(reference.paths), kind="stable")
        sorted_paths, labels = np.asarray(reference.paths)[order], reference.labels[order]
        if (sorted_paths[1:] == sorted_paths[:-1]).any():
            raise InputError(f"run {run}: an image is listed twice")
        rows = []
        for name in names:
            answers = arms[name][run]
            own = np.argsort(np.asarray(answers.paths), kind="stable")
            same = len(own) == len(order) and (np.asarray(answers.paths)[own] == sorted_paths).all()
            if not same or (answers.labels[own] != labels).any():
                raise InputError(f"arm {name}, run {run}: was tested on other images than {control}")
            rows.append(answers.predicted[own] == labels)
        runs.append(np.full(len(order), run))
        paths.append(sorted_paths)
        targeted.append(np.isin(labels, list(aimed)))
        right.append(np.stack(rows))
    return np.concatenate(runs), np.concatenate(paths), np.concatenate(targeted), np.concatenate(right, axis=1)


def _compare(names, right, runs, mask, num_runs, sums, spread, confidence, folds) -> dict:
    """Return the recall and the differences of each arm in one group of classes."""
    sums = sums[:, sums[-1] > 0]
    count = sums.shape[1]  # of clusters, which are independent of each other
    asked = np.bincount(runs[mask], minlength=num_runs)
    by_run = np.stack([clusters.share(np.bincount(runs[mask & row], minlength=num_runs), asked) for row in right])
    pooled = right[:, mask].mean(axis=1) if mask.any() else np.full(len(names), np.nan)

    recalls = [clusters.recall(*one, count, confidence) for one in zip(pooled, spread, strict=True)]

    def against(a, b):
        gained = by_run[a] - by_run[b]
        changes = (sums[a] - sums[b]) / max(1, sums[-1].sum())
        difference = clusters.difference(changes, spread[a] - spread[b], count=count, confidence=confidence)
        if count:
            difference["value"] = float(pooled[a] - pooled[b])  # without the rounding of a sum over clusters
        return {
            "difference": clusters.apart(difference, recalls[a], recalls[b]),
            "over_runs": paired(gained[~np.isnan(gained)], confidence, folds=folds),
        }

    return {
        name: {
            "recall": recalls[a],
            "by_run": [None if np.isnan(value) else float(value) for value in by_run[a]],
            **(against(a, 0) if a else {"difference": None, "over_runs": None}),
            "against": {names[b]: against(a, b) for b in range(1, a)},
        }
        for a, name in enumerate(names)
    }


def _often(weak, classes) -> list[dict]:
    counts = np.bincount([c for aimed in weak for c in set(map(int, aimed))], minlength=len(classes)).astype(int)
    order = np.argsort(-counts, kind="stable")
    return [{"name": classes[c], "runs": int(counts[c])} for c in order if counts[c]]
