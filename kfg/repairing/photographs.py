"""The photographs of a run as they were when it was trained. Those that have changed or gone since are left out."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from kfg.data import fingerprints
from kfg.data.fingerprints import Fingerprint
from kfg.data.index import Index, make_index
from kfg.errors import InputError
from kfg.files import read_json
from kfg.runs import run_files


@dataclasses.dataclass(frozen=True, eq=False)
class AsTheyWere:
    """The N photographs of a run that have not changed since.

    Args:
        index: the photographs with the run's parts and classes; near-duplicates are in one group, and so are
            photographs that share a group in the run.
        prints: fingerprint of each photograph.
        left_out: (path, why) of the photographs that have changed or cannot be read.
    """

    index: Index
    prints: list[Fingerprint]
    left_out: list[tuple[str, str]]


def as_they_were(
    run: pathlib.Path,
    root: pathlib.Path,
    rows: Sequence[dict],
    *,
    known: Mapping[str, Fingerprint] | None = None,
    progress=None,
) -> AsTheyWere:
    """Read the photographs that rows of a run's split.csv list.

    Args:
        run: the run folder.
        root: folder of the photographs.
        rows: from kfg.data.splitcsv.split_rows.
        known: path -> fingerprint of photographs that were read already; they are not read again.
        progress: function (photographs read, photographs in all), called after each.
    Raises:
        InputError: the rows have a class that the run does not have.
    """
    known = known or {}
    unread = [row["path"] for row in rows if row["path"] not in known]
    read = dict(zip(unread, fingerprints.read(root, unread, progress=progress), strict=True))
    prints = [known.get(row["path"]) or read[row["path"]] for row in rows]
    kept, left_out = [], []
    for row, one in zip(rows, prints, strict=True):
        changed = not one.problem and row.get("sha256") not in (None, "", one.sha256)
        if one.problem or changed:
            left_out.append((row["path"], "it has been changed since" if changed else one.reason))
        else:
            kept.append((row, one))
    classes = read_json(run / run_files.CLASSES, list)
    unknown = {row["class"] for row, _ in kept} - set(classes)
    if unknown:
        raise InputError(f"{run / run_files.SPLIT}: class {sorted(unknown)[0]!r} is not in {run_files.CLASSES}")
    prints = [one for _, one in kept]
    index = make_index(
        root,
        [row["path"] for row, _ in kept],
        [classes.index(row["class"]) for row, _ in kept],
        classes,
        parts=[row["part"] for row, _ in kept],
        groups=fingerprints.group(prints, [row.get("group", at) for at, (row, _) in enumerate(kept)]),
        sha256=[one.sha256 for one in prints],
    )
    return AsTheyWere(index, prints, left_out)
