"""The findings about a run's classes: the diagnosis itself, its lines for the screen, and its files."""

import csv
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from kfg import files, overwrite
from kfg.names import counted, printable, shortened
from kfg.repairing import causes, weakness
from kfg.repairing.crossed import Crossed
from kfg.repairing.looking import Eyes
from kfg.repairing.manner import Manner
from kfg.repairing.needs import Needs

SUSPECTS = "suspects.csv"
FOUND = "repair.json"
PAGE = "repair.html"
COLUMNS = ("path", "class", "likelier", "score")  # header of suspects.csv; the most suspicious labels score near 1
EARLIER = (*COLUMNS[:-1], "margin")  # header of earlier versions
ONE_BY_ONE = (
    "Here each classifier answers alone; above, the answers of several are averaged for each photograph, so the "
    "figures can differ by some points."
)
NAMED = 10  # most classes named in one sentence
KEYS = ("photographs", "right", "left_out", "classes")  # top-level keys by which a repair.json is recognised


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """The findings about a run's classes.

    Args:
        evidence: what was measured of the training and validation photographs, each answered by heads that have not
            seen it.
        recalls: the recall of each class.
        causes: class -> the causes of its weakness, the most credible first.
        left_out: (path, why) of photographs that have changed or gone since the run.
        target: the recall that was asked for; None for the share of all photographs that is recognised.
        eyes: computes the features of the photographs; None at the end of a training.
        manner: how the run learns and answers.
        said: sentences on what was left out for want of time.
    """

    evidence: causes.Evidence
    recalls: list[weakness.Recall]
    causes: dict[int, list[causes.Cause]]
    left_out: Sequence[tuple[str, str]]
    target: float | None
    eyes: Eyes | None
    manner: Manner
    said: tuple[str, ...] = ()

    @property
    def crossed(self) -> Crossed:
        return self.evidence.crossed

    def suspects(self) -> np.ndarray:
        """Return int (K,), the photographs whose label is contradicted and that nobody has decided about.

        The most suspicious come first.
        """
        return self.evidence.decided.open(self.crossed.suspects())

    @property
    def needs(self) -> Needs | None:
        """Recall as a function of the share of photographs; None if no class is weak or time was short."""
        return self.evidence.needs

    @property
    def weak(self) -> tuple[int, ...]:
        """The numbers of the weak classes, the weakest first."""
        return tuple(one.label for one in sorted(self.recalls, key=lambda one: one.value) if one.weak)


def lines(found: Diagnosis) -> list[str]:
    """Return lines that say which classes are weak, and why."""
    index, weak = found.crossed.index, [one for one in found.recalls if one.weak]
    told = [
        f"Each of the {len(index):,} training and validation photographs was classified by a classifier that had not "
        f"seen it, on features of {found.eyes.trunk.told}: {found.crossed.right.mean():.1%} are right."
    ]
    told += found.said
    told += left_out_lines(found)
    notes = (
        [too_small(found), weakness.by_chance(found.recalls, target=found.target)]
        if weak
        else [none_weak(found), weak_in_name_only(found), too_small(found)]
    )
    told += filter(None, notes)
    for one in sorted(weak, key=lambda one: one.value):
        name = printable(index.classes[one.label])
        told.append(
            f"{name} is weak: {one.right} of {one.images} training and validation photographs are recognised, each by "
            f"classifiers trained without it ({one.value:.0%}; 95% interval {one.low:.0%} to {one.high:.0%})."
        )
        told += [f"  Why: {_sentence(cause)}" for cause in found.causes[one.label]] or ["  Why: no cause was found."]
        if found.needs is not None:
            told.append(f"  More photographs: {found.needs.said(one.label)}. {ONE_BY_ONE}")
    beside = [one for one in found.recalls if not one.weak and found.causes[one.label]]
    for one in beside:
        name, causes_ = printable(index.classes[one.label]), found.causes[one.label]
        told += [f"{name}: {_sentence(cause)}" for cause in causes_]
        if found.needs is not None and "few" in [cause.kind for cause in causes_]:
            told.append(f"  More photographs of {name}: {found.needs.said(one.label)}.")
    return told


def none_weak(found: Diagnosis) -> str:
    """Return a sentence that no class is weak, as far as the classes can be judged. Use it if no class is weak."""
    judged = sum(one.judged for one in found.recalls)
    small = sum(one.images > 0 and not one.judged for one in found.recalls)
    if not judged:
        return f"No class can be judged: each has fewer than {weakness.JUDGED} training and validation photographs."
    asked = (
        "the share of all photographs that is recognised"
        if found.target is None
        else f"the {found.target:.0%} asked for"
    )
    which = "No class that can be judged is weak" if small else "No class is weak"
    told = f"{which}: as far as the photographs can tell, the recall of each reaches {asked}."
    if not small:
        return told
    return f"{told} {small:,} {'class has' if small == 1 else 'classes have'} too few photographs to be judged."


def left_out_lines(found: Diagnosis) -> list[str]:
    """Return a line that says how many photographs were left out, and which; [] if none was."""
    if not found.left_out:
        return []
    names = shortened([f"{path} ({why})" for path, why in found.left_out], count=3)
    return [f"Left out: {counted(len(found.left_out), 'photograph')}: {printable(names)}."]


def weak_in_name_only(found: Diagnosis) -> str:
    """Return a sentence on the judged class with the lowest recall; "" if all recalls are equal.

    Use it if no class is weak. The sentence says that the low recall may be chance: a class is not weak because it
    ranks last.
    """
    judged = sorted((one for one in found.recalls if one.judged), key=lambda one: one.value)
    if not judged or judged[0].value == judged[-1].value:
        return ""
    last = judged[0]
    name = printable(found.crossed.index.classes[last.label])
    return (
        f"{name} is recognised least often, {last.right} of {last.images} "
        f"photographs ({last.value:.0%}; 95% interval {last.low:.0%} to {last.high:.0%}); this may be chance."
    )


def too_small(found: Diagnosis) -> str:
    """Return a sentence that names the classes too small to be judged; "" if there are none."""
    names = [
        f"{found.crossed.index.classes[one.label]} ({one.images})"
        for one in found.recalls
        if one.images and not one.judged
    ]
    if not names:
        return ""
    return (
        f"Not judged, because they have fewer than {weakness.JUDGED} training and validation photographs: "
        f"{printable(shortened(names, count=NAMED))}."
    )


def _sentence(cause) -> str:
    return f"{printable(cause.said)}. What helps: {cause.advice}."


def check_out(out) -> None:
    """Check, before any work is done, that writing the findings would overwrite no files of another kind.

    Raises:
        InputError: `out` cannot be written, or holds files of these names that `kfg repair` did not write.
    """
    overwrite.check_writable("--out", out)
    overwrite.check_file(
        pathlib.Path(out) / SUSPECTS,
        lambda path: overwrite.is_csv(path, COLUMNS) or overwrite.is_csv(path, EARLIER),
        what="a file written by kfg repair",
    )
    overwrite.check_file(
        pathlib.Path(out) / PAGE,
        lambda path: overwrite.is_page(path, "<h1>Repair of "),
        what="a file written by kfg repair",
    )
    overwrite.check_file(
        pathlib.Path(out) / FOUND, lambda path: overwrite.is_json(path, KEYS), what="a file written by kfg repair"
    )


def sweep(out) -> None:
    """Remove the half-written findings of a killed repair; no other process may be repairing there."""
    for name in (SUSPECTS, FOUND, PAGE):
        files.sweep(out, name, idle=0)


def write(found: Diagnosis, out, *, remedies=(), not_tried: dict[str, str] | None = None) -> int:
    """Write suspects.csv and repair.json; return the number of suspicious labels that nobody has decided about.

    Args:
        remedies: verdicts of kfg.repairing.proof, if remedies were tried.
        not_tried: name of a remedy -> why it was not tried.
    """
    not_tried = not_tried or {}
    out, crossed_, index = pathlib.Path(out), found.crossed, found.crossed.index
    out.mkdir(parents=True, exist_ok=True)
    suspects, likelier, scores = found.suspects(), crossed_.likelier, crossed_.suspicion
    with files.whole(out / SUSPECTS) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for at in suspects:
            names = index.classes[index.labels[at]], index.classes[likelier[at]]
            writer.writerow([index.paths[at], *names, f"{scores[at]:.4f}"])
    files.write_json(
        out / FOUND,
        {
            "photographs": len(index),
            "right": int(np.sum(crossed_.right)),
            "left_out": [list(one) for one in found.left_out],
            "classes": [
                {
                    **dataclasses.asdict(one),
                    "name": index.classes[one.label],
                    "judged": one.judged,
                    "causes": _as_json(found, one.label),
                    "needs": None if found.needs is None else found.needs.as_json(one.label),
                }
                for one in found.recalls
            ],
            "remedies": [dataclasses.asdict(one) for one in remedies],
            "not_tried": not_tried,
            "left_out_for_time": list(found.said),
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
