"""What is known of a run's classes: said in lines, and written into files."""

import csv
import dataclasses
import pathlib

import numpy as np

from kfg import files, overwrite
from kfg.names import printable, shortened
from kfg.repairing import causes, weakness
from kfg.repairing.crossed import Crossed
from kfg.repairing.looking import Eyes

SUSPECTS = "suspects.csv"
FOUND = "repair.json"
PAGE = "repair.html"
COLUMNS = ("path", "class", "likelier", "margin")  # of suspects.csv
KEYS = ("photographs", "right", "left_out", "classes")  # of repair.json


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a run's classes.

    Args:
        crossed: the training and validation photographs, each answered by heads that have not seen it.
        recalls: of each class.
        causes: of each class, the most believable first.
        left_out: (path, why) of photographs that have changed or gone.
        target: recall that was asked for, or None for the mean of all.
        eyes: what the features of the photographs are computed by; None at the end of a training.
        loss: of the heads.
    """

    crossed: Crossed
    recalls: list[weakness.Recall]
    causes: dict[int, list[causes.Cause]]
    left_out: list[tuple[str, str]]
    target: float | None
    eyes: Eyes | None
    loss: object

    @property
    def weak(self) -> tuple[int, ...]:
        """The classes that are weak, the weakest first."""
        return tuple(one.label for one in sorted(self.recalls, key=lambda one: one.value) if one.weak)


def lines(found: Diagnosis) -> list[str]:
    """Say which classes are weak, and why."""
    index, weak = found.crossed.index, [one for one in found.recalls if one.weak]
    told = [
        f"{len(index):,} training and validation photographs, each answered by a classifier that has not seen it, on "
        f"features of {found.eyes.trunk.backbone}: {found.crossed.right.mean():.1%} right."
    ]
    if found.left_out:
        names = shortened([f"{path} ({why})" for path, why in found.left_out], count=3)
        told.append(f"Left out: {causes.counted(len(found.left_out), 'photograph')}, {printable(names)}.")
    if not weak:
        asked = "the mean of all" if found.target is None else f"the {found.target:.0%} asked for"
        told.append(f"No class is weak: the interval of each one's recall reaches {asked}.")
    for one in sorted(weak, key=lambda one: one.value):
        name = printable(index.classes[one.label])
        told.append(
            f"{name} is weak: {one.right} of {one.images} photographs are recognised "
            f"({one.value:.0%}; 95 % interval {one.low:.0%} to {one.high:.0%})."
        )
        told += [f"  Why: {_sentence(cause)}" for cause in found.causes[one.label]] or ["  Why: no cause was found."]
    beside = [one for one in found.recalls if not one.weak and found.causes[one.label]]
    for one in beside:
        told += [f"{printable(index.classes[one.label])}: {_sentence(cause)}" for cause in found.causes[one.label]]
    return told


def _sentence(cause) -> str:
    return f"{printable(cause.said)}. What helps: {cause.advice}."


def check_out(out) -> None:
    """Refuse to write over what is not a repair's, before any work is done.

    Raises:
        InputError: `out` cannot be written, or holds other files of these names.
    """
    overwrite.check_writable("--out", out)
    overwrite.check_file(
        pathlib.Path(out) / SUSPECTS, lambda path: overwrite.is_csv(path, COLUMNS), what="kfg repair's"
    )
    overwrite.check_file(pathlib.Path(out) / PAGE, _is_page, what="kfg repair's")
    overwrite.check_file(pathlib.Path(out) / FOUND, lambda path: overwrite.is_json(path, KEYS), what="kfg repair's")


def _is_page(path) -> bool:
    return "<h1>Repair of " in path.read_text(encoding="utf-8", errors="replace")


def write(found: Diagnosis, out, *, remedies=()) -> int:
    """Write suspects.csv and repair.json; return the number of suspicious labels.

    Args:
        remedies: verdicts of kfg.repairing.proof, where remedies were tried.
    """
    out, crossed_, index = pathlib.Path(out), found.crossed, found.crossed.index
    out.mkdir(parents=True, exist_ok=True)
    suspects, likelier, margins = crossed_.suspects(), crossed_.likelier, crossed_.margins
    with files.whole(out / SUSPECTS) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for at in suspects:
            names = index.classes[index.labels[at]], index.classes[likelier[at]]
            writer.writerow([index.paths[at], *names, f"{margins[at]:.3f}"])
    files.write_json(
        out / FOUND,
        {
            "photographs": len(index),
            "right": int(np.sum(crossed_.right)),
            "left_out": [list(one) for one in found.left_out],
            "classes": [
                {**dataclasses.asdict(one), "name": index.classes[one.label], "causes": _as_json(found, one.label)}
                for one in found.recalls
            ],
            "remedies": [dataclasses.asdict(one) for one in remedies],
        },
    )
    return len(suspects)


def _as_json(found, label) -> list[dict]:
    paths, classes = found.crossed.index.paths, found.crossed.index.classes
    return [
        {
            **dataclasses.asdict(cause),
            "photographs": [paths[at] for at in cause.photographs],
            "other": None if cause.other is None else classes[cause.other],
        }
        for cause in found.causes[label]
    ]
