"""What has changed in the photographs since a run began."""

import pathlib

from kfg.data.folder import Index, split_rows
from kfg.errors import InputError
from kfg.names import printable, shortened
from kfg.runs import run_files

NAMED = 3  # files of each kind in a message


def since(workdir, index: Index) -> str:
    """Say in words in what the photographs at hand differ from those that a run began with.

    Args:
        workdir: the run folder; its split.csv lists what it began with, unless it ended before that was written.
        index: the photographs at hand, digests filled.
    """
    try:
        rows, _ = split_rows(pathlib.Path(workdir) / run_files.SPLIT)
    except InputError:
        return "it was begun on other photographs"
    before = {row["path"]: (row["class"], row.get("sha256", "")) for row in rows}
    classes = (index.classes[label] for label in index.labels)
    now = {path: found for path, *found in zip(index.paths, classes, index.sha256, strict=True)}
    kinds = {
        "changed": [path for path in before if path in now and before[path][1] not in ("", now[path][1])],
        "moved to another class": [path for path in before if path in now and before[path][0] != now[path][0]],
        "gone": [path for path in before if path not in now],
        "new": [path for path in now if path not in before],
    }
    said = [
        f"{len(paths):,} {kind} ({printable(shortened(paths, count=NAMED))})" for kind, paths in kinds.items() if paths
    ]
    if not said:
        return "the photographs are divided into other parts or classes than when it began"
    return f"the photographs are not those it was begun on: {', '.join(said)}"
