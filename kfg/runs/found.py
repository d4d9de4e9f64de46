"""Which runs there are below a folder: found, chosen, listed."""

import dataclasses
import datetime
import os
import pathlib

from kfg.errors import InputError
from kfg.evaluation import baseline, metrics
from kfg.files import RESTORE, read_json
from kfg.names import printable, shortened
from kfg.runs import run_files

MADE_BY_ONE = (run_files.CONFIG, run_files.MODEL, "saved_model.pb")  # what a run or an export has
FIGURES = ("loss", "top1", "top5", "macro_recall", "macro_f1", "auc")
DEEPEST = 6  # folders between the one that is given and a run


@dataclasses.dataclass(frozen=True)
class Found:
    """A finished run, as its files tell.

    Args:
        path: the run folder.
        finished: when its report was written, local time.
        data: name of the photographs.
        classes: how many.
        images: test images.
        top1: share of them that is right, with the bounds of the 95 % interval.
    """

    path: pathlib.Path
    finished: datetime.datetime
    data: str
    classes: int
    images: int
    top1: tuple[float, float, float]


def below(folder) -> list[pathlib.Path]:
    """Return the finished runs at or below a folder, sorted by path; links are not followed."""
    folder, found = pathlib.Path(folder), []
    for parent, subfolders, files in os.walk(folder):
        if run_files.REPORT in files and run_files.CONFIG in files:
            found.append(pathlib.Path(parent))
            subfolders.clear()
        depth = len(pathlib.Path(parent).relative_to(folder).parts)
        subfolders[:] = sorted(name for name in subfolders if depth < DEEPEST and not name.startswith("."))
    return found


def only(path) -> pathlib.Path:
    """Return the one finished run below a folder, or `path` itself where it is no folder of runs.

    Raises:
        InputError: there are several; they are named.
    """
    path = pathlib.Path(path)
    if not path.is_dir() or any((path / name).exists() for name in MADE_BY_ONE):
        return path
    runs = below(path)
    if len(runs) > 1:
        names = shortened([str(one) for one in runs])
        raise InputError(f"{path}: holds {len(runs)} finished runs; give one of {printable(names)}")
    return runs[0] if runs else path


def read(run) -> Found:
    """Read what the list of runs says of one.

    Raises:
        InputError: a damaged file.
    """
    run = pathlib.Path(run)
    report, config = read_json(run / run_files.REPORT, dict), read_json(run / run_files.CONFIG, dict)
    top1 = report["top1"]
    return Found(
        path=run,
        finished=datetime.datetime.fromtimestamp((run / run_files.REPORT).stat().st_mtime),
        data=str(config["data"]["name"]),
        classes=report["classes"],
        images=report["images"],
        top1=(top1["value"], top1["low"], top1["high"]),
    )


def runs_table(runs: list[Found]) -> str:
    """Return a line for each run, the newest first.

    Example:
        >>> when = datetime.datetime(2026, 1, 2, 3, 4)
        >>> print(runs_table([Found(pathlib.Path("runs/gulls/a/b/seed-0"), when, "gulls", 3, 60, (0.97, 0.9, 0.99))]))
        finished          data   classes  right            run
        2026-01-02 03:04  gulls        3  97.0 % of 60     runs/gulls/a/b/seed-0
    """
    newest = sorted(runs, key=lambda one: one.finished, reverse=True)
    width = max([5, *(len(printable(one.data)) for one in newest)])
    lines = [f"{'finished':<16}  {'data':<{width}}  classes  {'right':<15}  run"]
    for one in newest:
        right = f"{100 * one.top1[0]:.1f} % of {one.images:,}"
        when = one.finished.strftime("%Y-%m-%d %H:%M")
        name = printable(one.data)
        lines.append(f"{when}  {name:<{width}}  {one.classes:>7}  {right:<15}  {printable(str(one.path))}")
    return "\n".join(lines)


def file_of(run, name) -> pathlib.Path:
    """Return the path of a finished run's file.

    Raises:
        InputError: it is not there.
    """
    path = pathlib.Path(run) / name
    if not path.is_file():
        raise InputError(f"{run}: holds no {name}; the folder of a finished run is needed")
    return path


def summary(run) -> str:
    """Return a finished run's test figures as lines.

    Raises:
        InputError: no run folder, or one of an unfinished run.
    """
    report = read_json(file_of(run, run_files.REPORT), dict)
    try:
        lines = [f"{run}: {report['images']} test images of {metrics.classes_tested(report)}"]
        for name in FIGURES:
            figure = report[name]  # the AUC may be none
            if figure is not None:
                lines.append(f"{name:<13} {figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]")
        if "baseline" in report and (warning := baseline.warning(report["baseline"])):  # newer than some reports
            lines.append(f"WARNING: {warning}")
    except (KeyError, TypeError, ValueError) as error:  # a value that is no number
        raise InputError(f"{file_of(run, run_files.REPORT)}: damaged ({error}); {RESTORE}") from error
    return "\n".join(lines)
