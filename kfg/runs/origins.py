"""Find a run's surroundings: the cache that it shares with other runs, and the photographs that it used."""

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
    rows = used_rows(run)
    return [root / row["path"] for row in rows if row["part"] == "train" and (root / row["path"]).is_file()]


def unlearned(settings: dict) -> frozenset[str]:
    """Return the training photographs that a run was told not to learn from, by the content of its config.json."""
    config = settings.get("config")
    return frozenset(config.get("left_out") or ()) if isinstance(config, dict) else frozenset()


def unlearned_told(settings: dict) -> str:
    """Return a sentence on the photographs that a run was told not to learn from; "" if there are none."""
    count = len(unlearned(settings))
    if not count:
        return ""
    return (
        f"The run was told not to learn from {count:,} training photograph{'s' * (count > 1)}, for example because "
        f"{'their labels are' if count > 1 else 'its label is'} probably wrong; {'they are' if count > 1 else 'it is'} "
        "not counted here."
    )


def used_rows(run) -> list[dict]:
    """Return the rows of a run's split.csv without the training photographs that the run was told not to learn from.

    Those are named in its setting `left_out`; a repair leaves out photographs whose labels are probably wrong.

    Raises:
        InputError: split.csv or config.json is missing or damaged.
    """
    run = pathlib.Path(run)
    settings = read_json(run / run_files.CONFIG, dict) if (run / run_files.CONFIG).is_file() else {}
    left_out = unlearned(settings)
    return [row for row in split_rows(run / run_files.SPLIT)[0] if row["path"] not in left_out]
