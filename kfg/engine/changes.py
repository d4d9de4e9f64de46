"""Say how the photographs have changed since a run began."""

import pathlib

from kfg.data.index import Index
from kfg.data.splitcsv import split_rows
from kfg.errors import InputError
from kfg.names import printable, shortened
from kfg.runs import run_files

NAMED = 3  # most files of each kind that a message names


def since(workdir, index: Index) -> str:
    """Return half a sentence on how the photographs differ from those that a run began with.

    Args:
        workdir: the run folder. Its split.csv lists the photographs that it began with, unless it ended before that was
            written.
        index: the photographs as they are now, digests filled in.
    """
    try:
        rows, _ = split_rows(pathlib.Path(workdir) / run_files.SPLIT)
    except InputError:
        return "it was started on other photographs"
    before = {row["path"]: (row["class"], row.get("sha256", "")) for row in rows}
    classes = (index.classes[label] for label in index.labels)
    now = {path: found for path, *found in zip(index.paths, classes, index.sha256, strict=True)}
    moved = [path for path in before if path in now and before[path][0] != now[path][0]]
    gone = [path for path in before if path not in now]
    corrected = index.corrected
    decided = {*corrected.after, *corrected.left_out} if corrected else set()
    kinds = {
        "changed": [path for path in before if path in now and before[path][1] not in ("", now[path][1])],
        "moved to another class": [path for path in moved if path not in decided],
        "relabelled by corrections": [path for path in moved if path in decided],
        "left out by corrections": [path for path in gone if path in decided],
        "gone": [path for path in gone if path not in decided],
        "new": [path for path in now if path not in before],
    }
    said = [
        f"{len(paths):,} {kind} ({printable(shortened(paths, count=NAMED))})" for kind, paths in kinds.items() if paths
    ]
    if not said:
        return "the photographs are divided into other parts or classes than when it was started"
    return f"the photographs are not those it was started on: {', '.join(said)}"
