"""Find a run's surroundings: the cache that it shares with other runs, and its training photographs."""

import pathlib

from kfg.data.folder import split_rows
from kfg.files import read_json
from kfg.runs import run_files


def cache_beside(run: pathlib.Path) -> pathlib.Path:
    """Return the cache of the folder of runs that a run lies in; for a run that stands alone, one in its own folder."""
    out = run.parents[2] if len(run.parents) > 2 else run
    return (out if (out / run_files.RESULTS).is_file() else run) / "cache"


def training_files(run: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of a run's training photographs that still exist; [] if their places are unknown."""
    if not (run / run_files.SPLIT).is_file() or not (run / run_files.ENVIRONMENT).is_file():
        return []
    root = pathlib.Path(read_json(run / run_files.ENVIRONMENT, dict).get("photographs", ""))
    rows, _ = split_rows(run / run_files.SPLIT)
    return [root / row["path"] for row in rows if row["part"] == "train" and (root / row["path"]).is_file()]
