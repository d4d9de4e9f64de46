"""Find a run's surroundings: the cache that it shares with other runs, and the photographs that it used."""

import pathlib

from kfg.data.splitcsv import split_rows
from kfg.errors import InputError
from kfg.files import RESTORE, read_json
from kfg.names import printable
from kfg.runs import run_files


def cache_beside(run: pathlib.Path) -> pathlib.Path:
    """Return the cache of the folder of runs that a run lies in; for a run that stands alone, one in its own folder."""
    out = run_files.out_of(run)
    beside = out is not None and (out / run_files.RESULTS).is_file()
    return (out if beside else run) / run_files.CACHE


def photographs_of(run) -> pathlib.Path | None:
    """Return the folder of the photographs that a run was trained on, as env.json names it; None if it does not.

    Raises:
        InputError: env.json is damaged.
    """
    path = pathlib.Path(run) / run_files.ENVIRONMENT
    named = read_json(path, dict).get("photographs") if path.is_file() else None
    return pathlib.Path(named) if named and isinstance(named, str) else None


def photographs_folder(run, data=None) -> pathlib.Path:
    """Return the folder of a run's photographs: `data`, or the one that the run was trained on.

    Raises:
        InputError: the folder is unknown, or does not exist.
    """
    root = photographs_of(run) if data is None else pathlib.Path(data)
    if root is None:
        raise InputError(f"{run}: does not say where its photographs are; give their folder with --data DIR")
    if not root.is_dir():
        raise InputError(
            f"{printable(str(root))}: no such folder; give the folder of the run's photographs with --data DIR"
        )
    return root


def training_files(run: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of a run's training photographs that still exist; [] if their places are unknown."""
    root = photographs_of(run) if (run / run_files.SPLIT).is_file() else None
    if root is None:
        return []
    rows = used_rows(run)
    return [root / row["path"] for row in rows if row["part"] == "train" and (root / row["path"]).is_file()]


def left_out(run) -> frozenset[str]:
    """Return the training photographs that a run was told not to learn from, as paths in its split.csv.

    They are the setting `left_out`; a repair leaves out photographs whose labels are probably wrong.

    Raises:
        InputError: config.json is damaged.
    """
    path = pathlib.Path(run) / run_files.CONFIG
    config = read_json(path, dict).get("config") if path.is_file() else None
    paths = (config.get("left_out") if isinstance(config, dict) else None) or []
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        raise InputError(f"{path}: left_out: expected a list of paths, got {paths!r}; {RESTORE}")
    return frozenset(paths)


def used_rows(run) -> list[dict]:
    """Return the rows of a run's split.csv without the photographs that were left out of the training.

    Raises:
        InputError: split.csv is missing or damaged, or config.json is damaged.
    """
    gone = left_out(run)
    return [row for row in split_rows(pathlib.Path(run) / run_files.SPLIT)[0] if row["path"] not in gone]
