"""Prepare a review: find the suspicious photographs in a folder, and put them on a desk."""

import pathlib
from collections.abc import Sequence

import numpy as np

from kfg.data import class_names, corrected, folder
from kfg.errors import InputError
from kfg.names import printable, suggestion
from kfg.repairing import diagnosis
from kfg.reviewing import evidence, suspicions
from kfg.reviewing.desk import Desk
from kfg.reviewing.evidence import Evidence
from kfg.runs import run_files

TYPICAL = 4  # typical pictures shown for each class
WITHOUT_RUN = (
    "Each of the {count:,} photographs was judged by classifiers that have not seen it, on features of {trunk}. After "
    "a training, --run RUN uses the run's own trunk and labels instead."
)
OF_RUN = (
    "Each of the {count:,} training and validation photographs of {run} was judged by classifiers that have not seen "
    "it. The run's test photographs are not in this queue, because correcting labels where the model disagrees would "
    "make it look better than it is."
)


def prepared(root, *, run=None, table=None, classes: Sequence[str] = (), cache_dir=None) -> Desk:
    """Judge the photographs of a folder, and put the suspicious ones on a desk.

    Args:
        root: the folder.
        run: a finished run on these photographs, whose trunk and labels are used to judge them; None for the trunk of
            `kfg train` and the folder's own labels.
        table: path of the corrections.csv; default the one in the folder.
        classes: classes of which all photographs are shown, after the suspicious ones.
        cache_dir: folder for features; default the run's cache, or ~/.cache/kfg.
    Raises:
        InputError: a folder whose layout is not understood; a table that is damaged or belongs to another folder; a run
            on other photographs; an unknown class.
    """
    index, table = folder.scan(root, corrections=False), table_of(root, table)
    class_names.check_names(index)
    check_table(index, table)
    for name in classes:
        if name not in index.classes:
            raise InputError(f"--class {printable(name)}: no such class; {suggestion(name, index.classes)}")
    if run is None:
        seen, told = evidence.of_folder(index, cache_dir=cache_dir), WITHOUT_RUN
    else:
        seen, told = evidence.of_run(run, root, cache_dir=cache_dir), OF_RUN
    for name in set(classes).difference(seen.index.classes):
        raise InputError(f"--class {printable(name)}: the run does not know this class; leave out --run")
    told = told.format(count=len(seen.index), trunk=diagnosis.TRUNK.backbone, run=printable(str(run)))
    before = {path: index.classes[label] for path, label in zip(index.paths, index.labels, strict=True)}
    return Desk(
        root=index.root,
        table=table,
        classes=index.classes,
        before=before,
        items=[item for item in suspicions.queue(seen, classes=classes) if item.path in before],
        typical=typical(seen),
        told=told,
    )


def table_of(root, table=None) -> pathlib.Path:
    """Return the path of the corrections.csv to use."""
    return pathlib.Path(root) / run_files.CORRECTIONS if table is None else pathlib.Path(table)


def check_table(index, table) -> None:
    """Refuse a table that is damaged or of another folder, and a class whose name means "left out" in a table.

    A table that leaves a class empty is not refused, since its decisions can be taken back in the review.
    """
    corrected.check_classes(table, index.classes)
    if table.exists():
        images = zip(index.paths, (index.classes[label] for label in index.labels), strict=True)
        corrected.find(index.root, images, index.classes, wanted=table, emptied=True)


def typical(seen: Evidence) -> dict[str, list[str]]:
    """Return the paths of the photographs that show each class best, by margin; of near-duplicates, only one."""
    found, margins = {}, seen.crossed.margins
    for label, name in enumerate(seen.index.classes):
        own = np.flatnonzero(seen.index.labels == label)
        best, groups = [], set()
        for at in own[np.argsort(-margins[own], kind="stable")]:
            if len(best) < TYPICAL and (group := int(seen.index.groups[at])) not in groups:
                groups.add(group)
                best.append(seen.index.paths[at])
        found[name] = best
    return found
