"""Try remedies on the photographs of a run and judge them."""

import dataclasses
import pathlib
import time
from collections.abc import Callable

import numpy as np

from kfg.data import splits
from kfg.progress import Progress
from kfg.repairing import causes, looking, proof, screening
from kfg.repairing.case import Case
from kfg.repairing.findings import Diagnosis
from kfg.repairing.proof import Verdict
from kfg.repairing.remedies import REMEDIES

FIRST_SEED = 10  # for dividing into folds; other seeds found the weak classes


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """The remedies that were tried, and their verdicts.

    Args:
        cases: the cases, one for each division into folds.
        verdicts: one verdict for each remedy that was tried, in the order of REMEDIES.
        seconds: time that the trial took, without computing features.
        not_tried: name of a remedy -> why it was not tried.
    """

    cases: list[Case]
    verdicts: list[Verdict]
    seconds: float
    not_tried: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def proven(self) -> Verdict | None:
        """The verdict of the proven remedy that raises the weak classes' recall most, or None."""
        return proof.best(self.verdicts)

    @property
    def best(self) -> Verdict | None:
        """The same, but only among remedies that a net can be trained with."""
        return proof.best([one for one in self.verdicts if remedy(one.name).settings])


def remedy(name: str):
    """Return the remedy with this name."""
    return next(one for one in REMEDIES if one.name == name)


def cases_of(found: Diagnosis, seen, *, seeds: int = screening.SEEDS) -> list[Case]:
    """Return cases: the photographs in several divisions into folds, with the weak classes and their takers."""
    index, weak = found.crossed.index, found.weak
    folds = min(screening.FOLDS, len(set(index.groups.tolist())))
    return [
        Case(
            seen=seen,
            labels=index.labels,
            classes=len(index.classes),
            fold_of=np.asarray(splits.fold_of_each_image(index, k=folds, seed=seed)),
            weak=weak,
            takers=causes.takers(found.crossed, weak),
            manner=found.manner,
            seed=seed,
            confirmed=found.evidence.decided.confirmed,
        )
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
    ]


def tried(
    found: Diagnosis,
    *,
    folder: pathlib.Path | None,
    to_look: Callable[[], float],
    left: Callable[[], float],
    max_params: int | None = None,
) -> Trial | None:
    """Try every remedy for which there is time; the diagnosis must have weak classes.

    Args:
        found: the diagnosis.
        folder: where answers are kept as soon as they are known; None for nowhere.
        to_look: function () -> seconds that computing features may still take.
        left: function () -> seconds that are left in all.
        max_params: the most parameters that a network may have; None for any number.
    Returns:
        The trial; None if there was no time even for the controls.
    """
    weak = found.weak
    seen = looking.look(found.eyes, takers=causes.takers(found.crossed, weak), left=to_look, max_params=max_params)
    started, cases = time.monotonic(), cases_of(found, seen)
    remedies, not_tried = screening.fitting(REMEDIES, cases[0])
    predicted = screening.screen(cases, remedies, folder=folder, progress=Progress("remedies tried"), left=left)
    for case in cases:  # while a network trains, memory is needed for it
        case.forget()
    late = [one.name for one in remedies if one.name not in predicted]
    not_tried |= dict.fromkeys(late, "for lack of time")
    if not {proof.CONTROL, proof.UNTREATED} <= set(predicted):
        return None
    if late:
        print(f"Not tried, for lack of time: {'; '.join(late)}.")
    verdicts = judged(cases, found.crossed.index.groups, predicted)
    return Trial(cases, verdicts, time.monotonic() - started, not_tried)


def judged(cases, groups, predicted) -> list[Verdict]:
    """Return verdicts from the answers of all remedies, which kfg.repairing.screening.screen returns."""
    first = cases[0]
    asked = proof.Asked(
        first.labels, np.stack([case.fold_of for case in cases]), np.asarray(groups), first.classes, first.weak
    )
    controls = [one.name for one in REMEDIES if one.control]
    return proof.verdicts(asked, predicted, controls=controls)


def settings(found: Diagnosis, trial: Trial, name: str) -> dict:
    """Return the settings of kfg.recipes.folder for training a net with a remedy."""
    return remedy(name).settings(trial.cases[0], found.crossed.index, found.eyes.trunk)
