"""What a run tells TensorBoard or Weights & Biases: each epoch as it ends, then its test figures and pictures.

A log mirrors files of the run folder: history.csv (and that of a stage in a folder of its own, as head/history.csv),
config.json, confusion.png, learning_curves.png. Each log leaves out what it has, so writing is safe to repeat: after a
resume no epoch is missing or there twice, and a finished run can be logged afterwards. Nothing here decides a result.
"""

import contextlib
import importlib.util
import math
import pathlib
import shutil

import keras

from kfg.errors import InputError
from kfg.figures import curves
from kfg.files import read_json
from kfg.runs import run_files
from kfg.tracking.tensorboard import TensorBoardLog
from kfg.tracking.wandb import WandbLog

LOGS = {"tensorboard": TensorBoardLog, "wandb": WandbLog}  # each named after the package it needs and its folder
PICTURES = ("learning_curves", "confusion")


def names(texts) -> tuple[str, ...]:
    """Return the logs that the values of --track name, each once; their packages are installed.

    Args:
        texts: strings, each one name or several with commas between them.
    Raises:
        InputError: an unknown name, or a package that is not installed.
    Example:
        >>> names([])
        ()
    """
    found = tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))
    for name in found:
        if name not in LOGS:
            raise InputError(f"--track: {name!r} is none of {', '.join(LOGS)}")
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:  # no origin: just a folder of that name, as wandb makes them
            raise InputError(f"--track {name}: the package {name} is not installed; pip install {name}")
    return found


@contextlib.contextmanager
def opened(wanted, run_dir, *, name: str):
    """Open a run's logs for a `with` block.

    Args:
        wanted: keys of LOGS.
        run_dir: the run folder, with config.json; each log is in its folder of that name.
        name: of the run, as people shall see it.
    Returns:
        Logs.
    Raises:
        InputError: a log that cannot be begun, as with a wrong key for Weights & Biases.
    """
    run_dir = pathlib.Path(run_dir)
    logs, failed = [], True
    try:
        settings = read_json(run_dir / run_files.CONFIG, dict) if wanted else {}
        for kind in wanted:
            logs.append(LOGS[kind](run_dir / kind, name=name, settings=settings))
        yield Logs(logs, run_dir)
        failed = False
    finally:
        for log in logs:
            log.close(failed=failed)


def discard(run_dir) -> None:
    """Remove the logs in a run folder in which nothing was trained: they are of settings that may be others now."""
    for kind in LOGS:
        shutil.rmtree(pathlib.Path(run_dir) / kind, ignore_errors=True)


class Logs:
    """The open logs of one run.

    Args:
        logs: objects with `epochs(rows, prefix=)` and `results(figures, pictures, step=)`.
        run_dir: the run folder.
    """

    def __init__(self, logs, run_dir):
        self.logs, self.run_dir = list(logs), pathlib.Path(run_dir)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return what logs each epoch of a fit that writes its history into the run folder or one in it."""
        return [AfterEpoch(self)] if self.logs else []

    def epochs(self) -> int:
        """Log the epochs that are in the run folder and not in the logs; return how many the run has."""
        rows = []
        for prefix, rows in stages(self.run_dir):
            for log in self.logs:
                log.epochs(rows, prefix=prefix)
        return len(rows)

    def results(self, report: dict) -> None:
        """Log what is known when a run has ended: its test figures and pictures.

        Args:
            report: content of report.json.
        """
        if not self.logs:
            return
        step = self.epochs()
        known = {**report, **report["figures"]}
        values = {
            f"test/{name}": found["value"]
            for name, found in known.items()
            if isinstance(found, dict) and found.get("value") is not None
        }
        pictures = {name: self.run_dir / f"{name}.png" for name in PICTURES}
        pictures = {name: path for name, path in pictures.items() if path.is_file()}
        for log in self.logs:
            log.results(values, pictures, step=step)


class AfterEpoch(keras.callbacks.Callback):
    """Bring the logs up to date after each epoch.

    Goes after the Checkpoint: an epoch that was logged is one that a resumed run will not repeat.
    """

    def __init__(self, logs: Logs):
        super().__init__()
        self.logs = logs

    def on_epoch_end(self, epoch, logs=None):
        self.logs.epochs()


def stages(run_dir):
    """Yield (prefix, rows) of each history.csv, those of stages before the run's own.

    The prefix is "" or the stage's folder and a slash; a row is column -> float, what is unknown left out.
    """
    run_dir = pathlib.Path(run_dir)
    for path in [*sorted(run_dir.glob("*/history.csv")), run_dir / run_files.HISTORY]:
        if path.is_file():
            columns = curves.read_history(path)
            rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
            prefix = "" if path.parent == run_dir else f"{path.parent.name}/"
            yield prefix, [{name: value for name, value in row.items() if not math.isnan(value)} for row in rows]
