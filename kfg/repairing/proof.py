"""Decide which remedies are proven to help, from paired differences over seeds and folds and over photographs.

A remedy is kept if all of this holds. It raises the weak classes' recall, or the mean recall of all classes, beyond
doubt against a control that costs nothing, a bias on the weak classes. And it takes no more than half a point of recall
from the other classes, compared with the bias and compared with no treatment. Beyond doubt means two things: the
interval over seeds and folds lies above zero (would other training photographs show the same?), and so does the
difference over photographs, after Holm's correction for the number of remedies and for the two figures (would other
photographs to answer show the same?).
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm

from kfg.evaluation import clusters
from kfg.evaluation.paired import paired
from kfg.evaluation.versus import holm

CONTROL, UNTREATED, UNIFORM = "bias", "none", "uniform"  # names of remedies
LEVEL = 0.05  # largest chance of one wrong claim among all remedies
COST = 0.005  # of the other classes' recall: the most that a remedy may take
GROUPS = ("weak", "others", "all")  # groups of classes
FIGURES = ("weak", "all")  # groups of classes whose recall counts; one of them must rise
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """The photographs that heads were asked about in R runs of K folds each, and their true classes.

    Args:
        labels: int (N,), the true classes.
        fold_of: int (R, N), the fold of each photograph in each run.
        groups: int (N,), groups of near-duplicates.
        classes: C, the number of classes.
        weak: numbers of the weak classes.
    """

    labels: np.ndarray
    fold_of: np.ndarray
    groups: np.ndarray
    classes: int
    weak: tuple[int, ...]

    def masks(self) -> dict[str, np.ndarray]:
        """Return, for each of GROUPS, bool (C,): which classes belong to it."""
        weak = np.isin(np.arange(self.classes), self.weak)
        return dict(zip(GROUPS, (weak, ~weak, np.ones_like(weak)), strict=True))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The measured effect of a remedy.

    Args:
        name: name of the remedy.
        recall: group -> mean recall of its classes, over seeds and folds; None for a group without classes.
        against: name of a control -> group -> `mean`, `sd`, `n`, `low`, `high` of the difference from it over seeds and
            folds, see kfg.evaluation.paired.paired.
        over_images: figure -> `value`, `low`, `high` of the difference from the bias, by a bootstrap of groups of
            near-duplicates, and `p`, one-sided.
        p: figure -> p-value corrected for both figures of all remedies; empty for a control.
        kept: whether the remedy is proven.
    """

    name: str
    recall: dict[str, float | None]
    against: dict[str, dict[str, dict]]
    over_images: dict[str, dict]
    p: dict[str, float]
    kept: bool

    def clear(self, figure: str) -> bool:
        """Return whether the remedy raises a figure beyond doubt."""
        over_runs = self.against[CONTROL][figure]["low"]
        up = over_runs is not None and over_runs > 0 and self.over_images[figure]["low"] > 0
        return up and self.p[figure] < LEVEL

    @property
    def costly(self) -> bool:
        """Whether the remedy takes more recall from the other classes than it may."""
        return any(_costly(self.against[control]["others"]) for control in (CONTROL, UNTREATED))


def verdicts(asked: Asked, predicted: Mapping[str, np.ndarray], *, controls: Sequence[str]) -> list[Verdict]:
    """Judge remedies by their answers.

    Args:
        asked: the photographs and their true classes.
        predicted: name of a remedy -> int (R, N), the likeliest class of each photograph. CONTROL and UNTREATED must be
            among the names.
        controls: names of the controls, which are never kept.
    """
    right = {name: answers == asked.labels for name, answers in predicted.items()}
    by_run = {name: _recalls(asked, one) for name, one in right.items()}
    folds = int(asked.fold_of.max()) + 1
    against = {name: _against(by_run, name, folds) for name in predicted}
    tried = [name for name in predicted if name not in controls]
    over_images = {name: _over_images(asked, right[name], right[CONTROL]) for name in predicted}
    pairs = [(name, figure) for name in tried for figure in FIGURES]
    corrected = holm([over_images[name][figure]["p"] for name, figure in pairs])
    p_values = dict(zip(pairs, corrected, strict=True))
    found = []
    for name in predicted:
        recall = {group: _mean_or_none(values) for group, values in by_run[name].items()}
        p = {figure: p_values[name, figure] for figure in FIGURES if (name, figure) in p_values}
        verdict = Verdict(name, recall, against[name], over_images[name], p, kept=False)
        found.append(dataclasses.replace(verdict, kept=not verdict.costly and any(map(verdict.clear, p))))
    return found


def best(found: Sequence[Verdict]) -> Verdict | None:
    """Return the kept remedy that raises the weak classes' recall most, or None if none was kept."""
    kept = [one for one in found if one.kept]
    return max(kept, key=lambda one: one.against[CONTROL]["weak"]["mean"], default=None)


def _recalls(asked, right) -> dict[str, np.ndarray]:
    """Return group -> mean recall of its classes in each run and fold, float (R x K,); NaN if it has no photograph."""
    rows = []
    for fold_of, hits in zip(asked.fold_of, right, strict=True):
        for fold in range(int(asked.fold_of.max()) + 1):
            at = fold_of == fold
            count = np.bincount(asked.labels[at], minlength=asked.classes)
            found = np.bincount(asked.labels[at & hits], minlength=asked.classes)
            rows.append(clusters.share(found, count))
    recalls = np.array(rows)
    return {name: _mean(recalls[:, mask]) for name, mask in asked.masks().items()}


def _mean_or_none(values) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else None


def _mean(recalls) -> np.ndarray:
    """Return the mean of each row, ignoring NaN; NaN for a row of nothing else."""
    there = ~np.isnan(recalls)
    return clusters.share(np.where(there, recalls, 0).sum(axis=1), there.sum(axis=1))


def _against(by_run, name, folds) -> dict:
    return {
        control: {group: _difference(by_run[name][group], by_run[control][group], folds) for group in GROUPS}
        for control in (UNTREATED, UNIFORM, CONTROL)
        if control in by_run
    }


def _difference(one, other, folds) -> dict:
    gained = one - other
    return paired(gained[~np.isnan(gained)], folds=folds)


def _costly(difference) -> bool:
    return difference["mean"] is not None and difference["mean"] < -COST


def _over_images(asked, right, control) -> dict[str, dict]:
    """Return, for each figure, the difference in mean recall with its interval, by a bootstrap of groups, and p."""
    count, of_image = clusters.of_paths(range(len(asked.labels)), {str(i): g for i, g in enumerate(asked.groups)})
    of_class = np.bincount(asked.labels, minlength=asked.classes)
    masks, found = asked.masks(), {}
    for name in FIGURES:
        weights = np.where(masks[name], 1 / np.maximum(1, of_class), 0)[asked.labels]  # each class counts the same
        sums = [weights * one.mean(axis=0) for one in (control, right)] + [weights]
        by_group = np.stack([np.bincount(of_image, weights=one, minlength=count) for one in sums])
        spread = clusters.bootstrap({name: by_group}, count, RESAMPLES, 0)[name]
        before, after, all_of_them = by_group.sum(axis=1)
        difference = spread[1] - spread[0]
        value, deviation = float((after - before) / all_of_them), float(np.nanstd(difference))
        p = float(norm.sf(value / deviation)) if deviation else float(value <= 0)
        found[name] = {**clusters.interval(value, difference, 0.95), "p": p}
    return found
