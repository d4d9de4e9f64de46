"""Remedies tried on a run's photographs, and what came of it."""

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

FIRST_SEED = 10  # of the divisions into folds: others than those that found the weak classes


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """What was tried.

    Args:
        cases: one for each division into folds.
        verdicts: a remedy each, in the order they were tried.
        seconds: that it took, features not counted.
    """

    cases: list[Case]
    verdicts: list[Verdict]
    seconds: float

    @property
    def proven(self) -> Verdict | None:
        """The proven remedy that raises weak classes' recall most, or None."""
        return proof.best(self.verdicts)

    @property
    def best(self) -> Verdict | None:
        """The same among remedies that a net can be trained by."""
        return proof.best([one for one in self.verdicts if remedy(one.name).settings])


def remedy(name: str):
    """Return the remedy of a name."""
    return next(one for one in REMEDIES if one.name == name)


def cases_of(found: Diagnosis, seen, *, seeds: int = screening.SEEDS) -> list[Case]:
    """Return the photographs in several divisions into folds, with what is known of their classes."""
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
            loss=found.loss,
            seed=seed,
        )
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
    ]


def tried(found: Diagnosis, *, folder: pathlib.Path | None, left: Callable[[], float]) -> Trial:
    """Try every remedy for which there is time on the photographs of a diagnosis that has weak classes.

    Args:
        folder: where answers are kept as they come; None for nowhere.
        left: function () -> seconds that features may take.
    """
    weak = found.weak
    seen = looking.look(found.eyes, takers=causes.takers(found.crossed, weak), left=left)
    started, cases = time.monotonic(), cases_of(found, seen)
    remedies = screening.fitting(REMEDIES, cases[0])
    predicted = screening.screen(cases, remedies, folder=folder, progress=Progress("remedies tried"))
    return Trial(cases, judged(cases, found.crossed.index.groups, predicted), time.monotonic() - started)


def judged(cases, groups, predicted) -> list[Verdict]:
    """Return the verdicts on what remedies' heads call each photograph, see kfg.repairing.screening.screen."""
    first = cases[0]
    asked = proof.Asked(
        first.labels, np.stack([case.fold_of for case in cases]), np.asarray(groups), first.classes, first.weak
    )
    controls = [one.name for one in REMEDIES if one.control]
    return proof.verdicts(asked, predicted, controls=controls)


def settings(found: Diagnosis, trial: Trial, name: str) -> dict:
    """Return the settings of kfg.recipes.folder by which a net is trained with a remedy."""
    return remedy(name).settings(trial.cases[0], found.crossed.index, found.eyes.trunk)
