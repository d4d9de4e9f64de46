"""The last section of a training's report: which classes are weak, why, and what to do next."""

import dataclasses
import pathlib
import time

import numpy as np

from kfg.data import stores
from kfg.errors import InputError
from kfg.models import halves
from kfg.names import printable, quoted
from kfg.progress import duration
from kfg.repairing import decided, findings, judging, weakness
from kfg.repairing.decided import Decided
from kfg.repairing.findings import Diagnosis
from kfg.repairing.manner import Manner
from kfg.repairing.next_steps import next_steps
from kfg.repairing.pictures import Mirrored
from kfg.reporting import markup
from kfg.reporting.markup import Safe, tag
from kfg.training import features
from kfg.training.out_of_fold import TooLong

TITLE = "What to do next"
JUDGED = (
    "The figures in this section are of the {count:,} training and validation photographs, each classified by "
    "classifiers that were trained without it. Those in the section Classes are of the test photographs, classified by "
    "the finished model, so the two differ."
)
SHARE = 0.1  # of a training's time budget: the most that judging its classes may take


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """The findings about the classes at the end of a training.

    Args:
        found: the diagnosis; None if there is none.
        why: sentences on what was left out of the diagnosis, and why; without a diagnosis, on why there is none.
    """

    found: Diagnosis | None
    why: tuple[str, ...] = ()


def diagnosed(job, index, images, manner: Manner, *, limit: float) -> Judged:
    """Judge the classes of a training on the features that its head was trained on. Shortcuts are left to the audit.

    Args:
        job: a compiled job; its head is trained, and its trunk's features of all `images` are cached.
        index: the photographs, with their parts.
        images: store of all images of `index`.
        manner: loss, sampling, mirroring and class bias of the training.
        limit: seconds that judging may take, SHARE of the time budget. The pace of the first steps decides what is left
            out.
    """
    asked = np.concatenate([index.where("train"), index.where("val")])
    if len(set(index.groups[asked].tolist())) < 2:
        return Judged(
            None, ("The classes were not judged, because all photographs are near-duplicates of each other.",)
        )
    trunk, cache_dir = halves.front(job.model), job.data.cache_dir
    own = features.cached(trunk, images, cache_dir=cache_dir)[asked]
    mirrored = None
    if manner.mirrored and features.ready(trunk, Mirrored(images), cache_dir=cache_dir):
        mirrored = features.cached(trunk, Mirrored(images), cache_dir=cache_dir)[asked]
    began, (known, unread) = time.monotonic(), _decided(index.take(asked))
    try:
        found = judging.of_features(
            index.take(asked),
            own,
            manner,
            lambda: stores.chosen(images, asked),
            mirrored=mirrored,
            known=known,
            left=lambda: limit - (time.monotonic() - began),
        )
    except TooLong as error:
        return Judged(
            None,
            (
                "Weak classes and wrong labels were not looked for, for lack of time: with "
                f"{len(asked):,} photographs and {len(index.classes):,} classes it takes about "
                f"{duration(error.expected)}, but it may take only {duration(limit)} ({SHARE:.0%} of the time budget). "
                f"kfg review {quoted(index.root)} --run {quoted(job.workdir)} shows labels that may be wrong.",
            ),
        )
    return Judged(found, (*found.said, *unread))


def _decided(index) -> tuple[Decided, list[str]]:
    """Return what a person has decided about labels, and a sentence if the table cannot be read.

    The training has applied the table, but it may have been edited since; the training must not fail for that.
    """
    if index.corrected is None:
        return decided.NOTHING, []
    try:
        return decided.of(index, index.corrected.table), []
    except (InputError, OSError) as error:  # an OSError: a photograph went away meanwhile
        return decided.NOTHING, [f"What was decided in kfg review is not known here, because of {error}."]


def _where(run) -> str:
    """Say where commands with the path of a run are to be typed, if the path is relative."""
    return "" if pathlib.Path(run).is_absolute() else "; type it in the folder in which you typed kfg train"


def section(judged: Judged, run) -> tuple[str, Safe]:
    """Return the title and the body of the report's last section, with a command to paste.

    Args:
        run: the run folder.
    """
    command, found = markup.code(f"kfg repair {quoted(run)}"), judged.found
    told = [markup.paragraph(one, note=found is not None) for one in judged.why]
    if found is None:
        return TITLE, markup.joined(
            [*told, markup.paragraph(f"This command judges them and tries what may help{_where(run)}:"), command]
        )
    index = found.crossed.index
    weak = [
        f"{printable(index.classes[label])} ({one.right} of {one.images} photographs recognised, {one.value:.0%})"
        for label, one in ((label, found.recalls[label]) for label in found.weak)
    ]
    if weak:
        parts = [
            f"Weak classes: {', '.join(weak)}. {JUDGED.format(count=len(index))}",
            *filter(None, [weakness.by_chance(found.recalls, target=found.target)]),
            f"This command says why, tries what may help, and makes a new run with what is proven{_where(run)}:",
            command,
        ]
    else:
        parts = [findings.none_weak(found)]
        if len(found.suspects()):
            parts += [f"This command lists the photographs whose labels may be wrong{_where(run)}:", command]
        parts.append(JUDGED.format(count=len(index)))
    steps = next_steps(found, run=run)
    listed = [tag("ul", *(tag("li", markup.sentence(step)) for step in steps))] if steps else []
    shown = [part if isinstance(part, Safe) else markup.paragraph(part) for part in parts]
    return TITLE, markup.joined([*shown, *listed, *told])
