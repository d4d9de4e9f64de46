"""Paired statistics of arms trained from the same seeds and folds. No TensorFlow here.

Two intervals, for two questions:
- over images (`difference`): would another set of test images show the same gain for these trained models?
  An image tested in several runs (other seeds, same fold) is not several independent images, and neither are two
  near-duplicates. So this is a cluster bootstrap: groups of near-duplicates, or images where groups are not known,
  are drawn with replacement and bring the answers of all their runs and all arms along. The control's come with
  them, which is what makes the difference paired.
- over runs (`over_runs`): would training again show it? Student t on one difference per run (`paired`).
A gain to believe is clear of zero in both.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.stats import t as student_t

from kfg.errors import InputError
from kfg.evaluation import baseline, clusters
from kfg.evaluation.predict import Predictions, check_answers


def paired(differences, confidence: float = 0.95, *, folds: int = 1) -> dict:
    """Student t interval of the mean of paired differences.

    Without folds (`folds` = 1) all runs share one split and differ in their seeds: in initial weights, order,
    augmentation and dropout. The interval then says what other seeds would give on the same training and test images,
    and nothing about another split; for that it is exact where differences are normal.

    With folds the runs also differ in what they train on, and the interval says what other splits of the same images
    would give. But any two of them share training images, so their differences are correlated and the plain t interval
    is too narrow. Its variance is therefore multiplied by n (1 / n + test / train), the correction of Nadeau and Bengio
    for repeated cross-validation, where test / train = 1 / (folds - 1). For 3 seeds of 3 folds the interval becomes
    2.35 times as wide.

    Args:
        differences: float sequence, one per seed (or seed and fold), treatment - control.
        confidence: in (0, 1).
        folds: int >= 1, parts that the images were divided into, each tested in turn; 1 for a single split.
    Returns:
        dict `mean`, `sd` (n - 1 in its divisor), `n`, `low`, `high`; what one difference alone, or none, cannot
        give is None.
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
    shared = 1 / (folds - 1) if folds > 1 else 0.0
    half = float(student_t.ppf((1 + confidence) / 2, n - 1)) * sd * math.sqrt(1 / n + shared)
    return {"mean": mean, "sd": sd, "n": n, "low": mean - half, "high": mean + half}


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
    """Compare the recall of arms on the targeted classes, on the others and on all.

    Recall is pooled over images: of all answers a group got in all runs, the share that is right.
    Its interval, and that of a difference, is the cluster bootstrap over images of the module's docstring.

    Args:
        arms: name -> Predictions of each run (a seed, or a seed and fold), the runs in the same order
            in every arm and each tested on the same images.
        weak: for each run the class ids its `targeted` arm was aimed at; a group is decided run by run.
        control: the arm that the others are compared with.
        folds: of the runs, see `paired`.
        alike: path -> group of near-duplicates, as in a run's split.csv; a path that is not in it stands for itself.
        resamples, seed, confidence: of the bootstrap.
    Returns:
        dict, ready for JSON: `control`, `runs`, `folds`, `images` (distinct), `clusters` (groups of near-duplicates
        among them, null where groups are not known), `beaten` (arm -> how many of its runs are better than naming one
        class for every image, see kfg.evaluation.baseline), `confidence`, `resamples`, `seed`,
        `targeted_classes` ([{"name", "runs"}], commonest first) and `groups` -> group -> `images`, `answers`
        (counts) and `arms` -> name -> `recall` {"value", "low", "high"}, `by_run` (recall, null where the run
        has no image of the group), `difference` {"value", "low", "high"} and `over_runs` (see `paired`), both
        against the control, whose own are null, and `against` -> each other arm listed before it -> the
        same two against that arm: targeted against uniform is what the choice of classes alone brings.
    Raises:
        InputError: no such control, another number of runs, or runs tested on other images.
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
        asked = int((sums[group][-1] > 0).sum())  # clusters, of which the answers are independent
        compared = _compare(names, right, runs, mask, len(weak), spread[group], asked, confidence, folds)
        images = len(np.unique(image[mask]))
        groups[group] = {"images": images, "answers": int(mask.sum()), "arms": compared}
    beaten = {name: sum(baseline.judge(one)["verdict"] in baseline.LEARNED for one in arms[name]) for name in names}
    counts = {"runs": len(weak), "folds": folds, "images": len(unique), "clusters": None if alike is None else count}
    counts |= {"classes": len(classes), "beaten": beaten}
    made = {"confidence": confidence, "resamples": resamples, "seed": seed}
    return {"control": control, **counts, **made, "targeted_classes": _often(weak, classes), "groups": groups}


def _checked_arms(arms, weak, control) -> list[str]:
    """Return the arm names, control first."""
    if control not in arms:
        raise InputError(f"control: no arm {control!r} among {', '.join(arms)}")
    if not weak:
        raise InputError("weak: no runs to compare")
    for name, predictions in arms.items():
        if len(predictions) != len(weak):
            raise InputError(f"arm {name}: {len(predictions)} runs, but weak classes of {len(weak)}")
        for answers in predictions:
            check_answers(answers)
            if answers.classes != arms[control][0].classes:
                raise InputError(f"arm {name}: its classes differ from those of {control}")
    return [control, *(name for name in arms if name != control)]


def _answers(arms, weak, names, control):
    """Return run int (M,), path str (M,), targeted bool (M,), right bool (A, M): a row per image and run."""
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
                raise InputError(f"arm {name}, run {run}: tested on other images than {control}")
            rows.append(answers.predicted[own] == labels)
        runs.append(np.full(len(order), run))
        paths.append(sorted_paths)
        targeted.append(np.isin(labels, list(aimed)))
        right.append(np.stack(rows))
    return np.concatenate(runs), np.concatenate(paths), np.concatenate(targeted), np.concatenate(right, axis=1)


def _compare(names, right, runs, mask, num_runs, spread, count, confidence, folds) -> dict:
    """Return recall and difference of each arm in one group."""
    asked = np.bincount(runs[mask], minlength=num_runs)
    by_run = np.stack([clusters.share(np.bincount(runs[mask & row], minlength=num_runs), asked) for row in right])
    pooled = right[:, mask].mean(axis=1) if mask.any() else np.full(len(names), np.nan)

    recalls = [clusters.recall(*one, count, confidence) for one in zip(pooled, spread, strict=True)]

    def against(a, b):
        gained = by_run[a] - by_run[b]
        difference = clusters.interval(pooled[a] - pooled[b], spread[a] - spread[b], confidence)
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
