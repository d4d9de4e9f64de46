"""What `kfg train` does before it trains: reads what was asked for, audits the folder, chooses where the run goes.

No TensorFlow here, which takes seconds to load: what is wrong is said at once.
"""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Mapping

from kfg.data import audit, folder
from kfg.data.folder import Index
from kfg.engine import places
from kfg.engine.options import NO_LIMIT
from kfg.engine.orders import RUNS, Order
from kfg.errors import InputError
from kfg.names import printable, quoted
from kfg.progress import Progress, step

STEPS = 5  # look, read and divide, train the head, train the whole net, test and export


def prepared(root, *, out=None, **asked) -> tuple[Order, Index]:
    """Return the order of a training, and the photographs, read and grouped.

    Args:
        out: folder of the runs; None for one that is named after the photographs, see kfg.engine.places.
        root, asked: as for `ordered`.
    Raises:
        InputError: an argument out of range, or photographs that the audit finds unfit, named.
    """
    order = ordered(root, out=out or RUNS, **asked)
    places.check_beside(order.data, pathlib.Path(out) if out else RUNS, given=out is not None)
    step(1, STEPS, f"looking at the photographs in {printable(str(root))}")
    seen = audited(root)
    index = audit.duplicate_groups(folder.scan(order.data), audited=seen)
    if out is None:
        out, said = places.folder_of_runs(index)
        if said:
            print(said)
        order = dataclasses.replace(order, out=out)
    return order, index


def ordered(
    root,
    *,
    out,
    seeds: int = 1,
    first_seed: int = 0,
    time_budget: str = "12m",
    weights: str | None = None,
    max_params: int | str | None = None,
    resume: bool = False,
    settings: Mapping | None = None,
    track=(),
) -> Order:
    """Return the order of a training on a folder.

    Args:
        root: folder of photographs.
        out: folder of the runs.
        seeds: int >= 1, runs.
        first_seed: of the first run; the others follow.
        time_budget: "90s", "10m" or "2h", of one run; a number alone is minutes.
        weights, max_params: as for Order.
        resume: go on with interrupted runs.
        settings: name -> value of kfg.recipes.folder.Config.
        track: names of kfg.tracking.logs.LOGS.
    Raises:
        InputError: an argument out of range or unknown.
    """
    if seeds < 1:
        raise InputError(f"--seeds: at least 1, got {seeds}")
    if track:
        from kfg.tracking import logs  # keras, seconds

        logs.names(track)  # before an audit that may take minutes
    return Order(
        data=pathlib.Path(root).resolve(),
        out=pathlib.Path(out),
        seeds=tuple(range(first_seed, first_seed + seeds)),
        weights=weights,
        max_params=max_params,
        resume=resume,
        track=tuple(track),
        settings={"time_budget": seconds_of(time_budget), **(settings or {})},
    )


def audited(root) -> audit.Audit:
    """Print what an audit finds, in a line, and return it; refuse what it calls an error."""
    result = audit.audit(root, progress=Progress("photographs looked at"))
    found = collections.Counter(finding.kind for finding in result.findings if finding.severity != "note")
    kinds = ", ".join(f"{kind} {count}" for kind, count in found.items()) or "nothing to mend"
    print(
        f"audit: {result.images:,} photographs in {len(result.classes)} classes; {kinds} (`kfg audit {quoted(root)}` "
        "says which)"
    )
    errors = [finding for finding in result.findings if finding.severity == "error"]
    if not errors:
        return result
    single = [finding for finding in errors if finding.kind == "one-image-class"]
    if len(single) == len(errors):
        more = f" (and {len(single) - 1} more such classes)" if single[1:] else ""
        raise InputError(f"{root}: class {printable(single[0].path)!r}{more} has {single[0].detail}")
    first, more = errors[0], f", and {len(errors) - 1} more errors" if errors[1:] else ""
    said = printable(first.detail)
    if not said.startswith(printable(str(root))):
        said = f"{root}: {said}" if first.path == "." else f"{root}: {printable(first.path)}: {said}"
    raise InputError(f"{said}{more} (kfg audit {quoted(root)} lists all)" if more else said)


def seconds_of(text) -> float:
    """Return the seconds of "90s", "10m" or "2h"; a number alone is minutes.

    Example:
        >>> seconds_of("10m"), seconds_of("1.5h"), seconds_of("90s"), seconds_of("3")
        (600.0, 5400.0, 90.0, 180.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).strip(), flags=re.ASCII)
    seconds = float(match[1]) * {"s": 1, "m": 60, "": 60, "h": 3600}[match[2]] if match else 0
    if not 1 <= seconds <= NO_LIMIT:
        raise InputError(f"--time-budget: expected a time of at least a second like 90s, 10m or 2h, got {text!r}")
    return seconds
