"""The preparation of `kfg train`: read the arguments, audit the folder, choose where the run goes.

This module does not import TensorFlow, which takes seconds to load, so that errors are reported at once.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping

from kfg import time_budgets
from kfg.data import audit, checks, corrected, folder
from kfg.data.labels import Labels
from kfg.engine import places
from kfg.engine.options import MAX_SEED, OF_TRAIN, countdown
from kfg.engine.orders import Order
from kfg.errors import InputError
from kfg.names import counted, printable, quoted
from kfg.progress import Progress, step
from kfg.runs import run_files

MOST_RUNS = 1_000  # of one command
STEPS = 5  # audit, read and split, train the head, fine-tune the net, test and export


def prepared(root, *, out=None, corrections=True, labels: Labels | None = None, **asked) -> Order:
    """Return the order for a training, with the photographs, read and grouped.

    Args:
        out: folder of the runs; None for a folder named after that of the photographs, see kfg.engine.places.
        corrections, labels: as for kfg.data.folder.scan.
        root, asked: as for `ordered`.
    Raises:
        InputError: an argument out of range; photographs that the audit finds unfit, which are named; another command
            is doing this training.
    """
    order = ordered(root, out=out or run_files.RUNS, **asked)
    places.check_beside(order.data, pathlib.Path(out) if out else run_files.RUNS, given=out is not None)
    places.check_unused(order.data, pathlib.Path(out) if out else None, order.seeds)
    budget = order.settings["time_budget"]
    step(1, STEPS, f"the photographs in {printable(str(root))} are checked", left=countdown(budget))
    seen = audited(root, corrections=corrections, labels=labels)
    index = folder.scan(order.data, corrections=corrections, labels=labels)
    index = audit.duplicate_groups(index, audited=seen)
    if out is None:
        out, said = places.folder_of_runs(index)
        if said:
            print(said)
        order = dataclasses.replace(order, out=out)
    return dataclasses.replace(order, index=index)


def ordered(
    root,
    *,
    out,
    seeds: int = 1,
    first_seed: int = 0,
    time_budget: str = time_budgets.TRAINING,
    weights: str | None = None,
    max_params: int | str | None = None,
    resume: bool = False,
    settings: Mapping | None = None,
    track=(),
    devices: int | str = 1,
) -> Order:
    """Return the order for a training on a folder of photographs.

    Args:
        root: folder of photographs.
        out: folder of the runs.
        seeds: int >= 1, number of runs.
        first_seed: seed of the first run; the next runs have the next numbers.
        time_budget: time for one run: "90s", "10m" or "2h"; a number alone is minutes.
        weights, max_params: as for Order.
        resume: continue interrupted runs.
        settings: name -> value, for fields of kfg.recipes.folder.Config.
        track: names from kfg.tracking.logs.LOGS.
        devices: as for Order.
    Raises:
        InputError: an argument that is out of range or unknown.
    """
    if not 1 <= seeds <= MOST_RUNS:
        raise InputError(f"--seeds: must be from 1 to {MOST_RUNS:,}, got {seeds}")
    if first_seed + seeds - 1 > MAX_SEED:
        raise InputError(f"--seeds: the seeds of {seeds} runs from {first_seed} on go past the largest, {MAX_SEED}")
    if track:
        from kfg.tracking import logs  # imports keras, which takes seconds

        logs.names(track)  # checked before an audit that may take minutes
    return Order(
        options=OF_TRAIN,
        data=pathlib.Path(root).resolve(),
        out=pathlib.Path(out),
        seeds=tuple(range(first_seed, first_seed + seeds)),
        weights=weights,
        max_params=max_params,
        resume=resume,
        track=tuple(track),
        devices=devices,
        settings={"time_budget": time_budgets.seconds_of(time_budget), **(settings or {})},
    )


def audited(root, *, corrections=True, labels: Labels | None = None) -> audit.Audit:
    """Audit a folder, print the findings in one line and return the audit; refuse a folder with errors."""
    looked = Progress("photographs checked")
    result = audit.audit(root, corrections=corrections, labels=labels, progress=looked)
    if said := corrected.said(result.corrected):
        print(said)
    again = f"kfg audit {quoted(root)}{f' {labels.words()}' if labels else ''}"
    print(_summary(result, again))
    errors = [finding for finding in result.findings if finding.severity == "error"]
    if not errors:
        return result
    single = [finding for finding in errors if finding.kind == "one-image-class"]
    if len(single) == len(errors):
        more = f" (and {len(single) - 1} more such classes)" if single[1:] else ""
        raise InputError(f"{root}: class {printable(single[0].path)!r}{more} has {single[0].detail}")
    first, more = errors[0], f", and {len(errors) - 1} more error{'s' * (len(errors) > 2)}" if errors[1:] else ""
    said = printable(first.detail)
    if not said.startswith(printable(str(root))):
        said = f"{root}: {said}" if first.path == "." else f"{root}: {printable(first.path)}: {said}"
    listed = f" ({again} lists all)" if more else ""
    helps = labels is None and first.kind in checks.ONE_PHOTOGRAPH and checks.reviewable(errors)
    out = f"; kfg review {quoted(root)} lets you leave photographs out" if helps else ""
    raise InputError(f"{said}{more}{listed}{out}")


def _summary(result, again) -> str:
    """Return the audit in one line; `again` is the command that shows all of it."""
    count, classes = counted(result.images, "photograph"), len(result.classes)
    what = f"{count} in {classes} class{'es' * (classes != 1)}" if classes else "no class folders found"
    totals = []
    for level in ("error", "warning"):
        kinds = collections.Counter(finding.kind for finding in result.findings if finding.severity == level)
        named = ", ".join(f"{kind} {number}" for kind, number in kinds.items())
        totals += [f"{counted(kinds.total(), level)} ({named})"] if kinds else []
    return (
        f"audit: {what}; {' and '.join(totals)}, listed by `{again}`" if totals else f"audit: {what}, nothing to repair"
    )
