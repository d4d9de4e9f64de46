"""Log a run to TensorBoard or Weights & Biases: each epoch as it ends, then the test figures and pictures.

A log mirrors files of the run folder: history.csv (also that of a stage in a subfolder, such as head/history.csv),
config.json, confusion.png and learning_curves.png. Each log skips what it has already, so writing can be repeated:
after a resume, no epoch is missing or doubled, and a finished run can be logged afterwards. Logging never affects a
result.
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

LOGS = {"tensorboard": TensorBoardLog, "wandb": WandbLog}  # each has the name of its package and of its folder
PICTURES = ("learning_curves", "confusion")


def names(texts) -> tuple[str, ...]:
    """Return the names of the logs that the values of --track ask for, each once; check that they are installed.

    Args:
        texts: strings with one name, or with several separated by commas.
    Raises:
        InputError: an unknown name; a package that is not installed.
    Example:
        >>> names([])
        ()
    """
    found = tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))
    for name in found:
        if name not in LOGS:
            raise InputError(f"--track: {name!r} is not one of {', '.join(LOGS)}")
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:  # no origin: only a folder of that name, such as wandb makes
            raise InputError(f"--track {name}: the package {name} is not installed; install it with pip install {name}")
    return found


@contextlib.contextmanager
def opened(wanted, run_dir, *, name: str):
    """Open a run's logs for a `with` block.

    Args:
        wanted: keys of LOGS.
        run_dir: the run folder, with config.json; each log has a subfolder of its name.
        name: name of the run for the reader.
    Returns:
        The open Logs.
    Raises:
        InputError: a log that cannot be opened, for instance with a wrong key for Weights & Biases.
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
    """Remove the logs of a run folder in which nothing was trained: its settings may have changed since."""
    for kind in LOGS:
        shutil.rmtree(pathlib.Path(run_dir) / kind, ignore_errors=True)


class Logs:
    """The open logs of one run.

    Args:
        logs: objects with methods `epochs(rows, prefix=)` and `results(figures, pictures, step=)`.
        run_dir: the run folder.
    """

    def __init__(self, logs, run_dir):
        self.logs, self.run_dir = list(logs), pathlib.Path(run_dir)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return callbacks that log each epoch of a fit whose history is written into the run folder or a subfolder."""
        return [AfterEpoch(self)] if self.logs else []

    def epochs(self) -> int:
        """Log the epochs that the run folder has and the logs lack; return the run's number of epochs."""
        rows = []
        for prefix, rows in stages(self.run_dir):
            for log in self.logs:
                log.epochs(rows, prefix=prefix)
        return len(rows)

    def results(self, report: dict) -> None:
        """Log the test figures and pictures of a finished run.

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
    """Updates the logs after each epoch.

    It must come after the Checkpoint callback, so that a resumed run does not repeat an epoch that is logged.
    """

    def __init__(self, logs: Logs):
        super().__init__()
        self.logs = logs

    def on_epoch_end(self, epoch, logs=None):
        self.logs.epochs()


def stages(run_dir):
    """Yield (prefix, rows) for each history.csv, first those of stages in subfolders, then the run's own.

    The prefix is "", or the name of the stage's folder and a slash. A row is column -> float, without unknown values.
    """
    run_dir = pathlib.Path(run_dir)
    for path in [*sorted(run_dir.glob("*/history.csv")), run_dir / run_files.HISTORY]:
        if path.is_file():
            columns = curves.read_history(path)
            rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
            prefix = "" if path.parent == run_dir else f"{path.parent.name}/"
            yield prefix, [{name: value for name, value in row.items() if not math.isnan(value)} for row in rows]
