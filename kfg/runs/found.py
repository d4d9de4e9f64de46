"""Find runs below a folder, choose one, list them."""

import dataclasses
import datetime
import os
import pathlib

from kfg import tables
from kfg.errors import InputError
from kfg.evaluation import baseline, metrics
from kfg.files import RESTORE, read_json
from kfg.names import counted, percent, printable, shortened
from kfg.program import say
from kfg.runs import run_files, unfinished

MADE_BY_ONE = (run_files.CONFIG, run_files.MODEL, run_files.SAVED_MODEL)  # files of a run's or an export's folder
SHARES = {"top1": "right (top-1)", "top5": "top-5", "macro_recall": "macro recall", "macro_f1": "macro F1"}
FIGURES = {**SHARES, "loss": "loss", "auc": "AUC"}  # figure of report.json -> name on the screen
DEEPEST = 6  # most folder levels between the given folder and a run


@dataclasses.dataclass(frozen=True)
class Found:
    """A finished run, as described by its files.

    Args:
        path: the run folder.
        finished: when its report was written, local time.
        data: name of the photographs.
        classes: number of classes.
        images: number of test images.
        top1: share of them that is right, with the bounds of its 95% interval.
    """

    path: pathlib.Path
    finished: datetime.datetime
    data: str
    classes: int
    images: int
    top1: tuple[float, float, float]


def below(folder) -> list[pathlib.Path]:
    """Return the finished runs at or below a folder, sorted by path; links are not followed."""
    return _holding(folder, run_files.REPORT, run_files.CONFIG)


def _holding(folder, *names) -> list[pathlib.Path]:
    """Return the folders at or below a folder that hold files of these names, and are not within such a folder."""
    folder, found = pathlib.Path(folder), []
    for parent, subfolders, files in os.walk(folder):
        if set(names) <= set(files):
            found.append(pathlib.Path(parent))
            subfolders.clear()
        depth = len(pathlib.Path(parent).relative_to(folder).parts)
        subfolders[:] = sorted(name for name in subfolders if depth < DEEPEST and not name.startswith("."))
    return found


def only(path) -> pathlib.Path:
    """Return the one finished run below a folder; `path` itself if it is not a folder of runs.

    If there are several runs and one is a repair of the others, it is returned, and a line says so. A repair that does
    not stand, see kfg.repairing.retraining.stands, is passed over for the run that it repairs.

    Raises:
        InputError: the path does not exist; there are several runs, which the message names; there are only unfinished
            ones.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such run; `kfg runs` lists the finished ones, and `kfg train` makes one")
    if not path.is_dir() or any((path / name).exists() for name in MADE_BY_ONE):
        return path
    runs = below(path)
    if len(runs) > 1 and (last := last_repair(runs)) is not None:
        say(f"{printable(str(path))}: using {printable(str(last))}{_among(runs, last)}")
        return last
    if len(runs) > 1:
        names = shortened([str(one) for one in runs])
        raise InputError(f"{path}: holds {len(runs)} finished runs; choose one of {printable(names)}")
    if not runs and (begun := _holding(path, run_files.CONFIG)):
        raise InputError(f"{path}: {unfinished.told(begun[0])}")
    return runs[0] if runs else path


def last_repair(runs: list[pathlib.Path]) -> pathlib.Path | None:
    """Return the run at the end of a chain of repairs that contains all these runs; None if there is no such chain.

    Repairs that do not stand are passed over.
    """
    known = {one.resolve(): one for one in runs}
    of = {one: _origin(one, known) for one in known if not _passed_over(one, known)}
    ends = [one for one in of if one not in of.values()]
    chain, at = [], ends[0] if len(ends) == 1 else None
    while at in of and at not in chain:
        chain.append(at)
        at = of[at]
    return known[ends[0]] if len(chain) == len(of) and chain else None


def _passed_over(run, known) -> bool:
    of, stands = _repaired(run)
    return of in known and not stands


def _origin(run, known) -> pathlib.Path | None:
    """Return the run that a run is a repair of, in the end, if repairs that are passed over are left out."""
    of, seen = _repaired(run)[0], set()
    while of is not None and of not in seen and _passed_over(of, known):
        seen.add(of)
        of = _repaired(of)[0]
    return of


def _repaired(run: pathlib.Path) -> tuple[pathlib.Path | None, bool]:
    """Return the run that a run is a repair of, or None, and whether the repair stands.

    A repair that was interrupted before that was known stands, as do those of earlier versions.
    """
    path = run / run_files.REPAIR_OF
    told = read_json(path, dict) if path.is_file() else {}
    of, stands = told.get("run"), told.get("stands", True)
    known = isinstance(of, str) and of and "\0" not in of
    return ((run / of).resolve() if known else None), stands is not False


def _among(runs, last) -> str:
    """Return the end of a sentence that says what the other runs are to the last one."""
    known = [one.resolve() for one in runs]
    over = [one for one in runs if _passed_over(one.resolve(), known)]
    repaired = [one for one in runs if one not in over and one != last]
    told = f", which is the repair of {_named(repaired)}" if repaired else ""
    if over:
        told += f"; the repair {_named(over)} is not to be used, as its page says"
    return told


def _named(runs) -> str:
    return printable(shortened([str(one) for one in runs]))


def read(run) -> Found:
    """Read what the list of runs shows about a run.

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
    """Return a table with a line for each run, the newest first.

    Example:
        >>> when = datetime.datetime(2026, 1, 2, 3, 4)
        >>> print(runs_table([Found(pathlib.Path("runs/gulls/a/b/seed-0"), when, "gulls", 3, 60, (0.97, 0.9, 0.99))]))
        finished          data   classes  right         run
        2026-01-02 03:04  gulls        3  97.0% of 60  runs/gulls/a/b/seed-0
    """
    newest = sorted(runs, key=lambda one: one.finished, reverse=True)
    rows = [
        (one.finished.strftime("%Y-%m-%d %H:%M"), printable(one.data), str(one.classes),
         f"{100 * one.top1[0]:.1f}% of {one.images:,}", printable(str(one.path)))
        for one in newest
    ]  # fmt: skip
    return tables.text(("finished", "data", ">classes", "right", "run"), rows)


def file_of(run, name) -> pathlib.Path:
    """Return the path of a finished run's file.

    Raises:
        InputError: the file does not exist.
    """
    path = pathlib.Path(run) / name
    if not path.is_file() and unfinished.is_unfinished(run):
        raise InputError(f"{run}: has no {name}; {unfinished.told(run)}")
    if not path.is_file():
        raise InputError(f"{run}: has no {name}; give the folder of a finished run")
    return path


def summary(run) -> str:
    """Return a finished run's test figures as lines.

    Raises:
        InputError: not a run folder, or that of an unfinished run.
    """
    report = read_json(file_of(run, run_files.REPORT), dict)
    try:
        tested = counted(report["images"], "test photograph")
        lines = [f"{run}: {tested} of {metrics.classes_tested(report)}; figures with 95% intervals"]
        lines += [_figure(report[name], name) for name in FIGURES if report[name] is not None]  # the AUC may be None
        judged = report.get("baseline")  # newer than some reports
        if judged and (warning := baseline.warning(judged, thing="photograph")):
            lines.append(f"WARNING: {warning}")
    except (KeyError, TypeError, ValueError) as error:  # or a value that is not a number
        raise InputError(f"{file_of(run, run_files.REPORT)}: damaged ({error}); {RESTORE}") from error
    return "\n".join(lines)


def _figure(figure, name) -> str:
    """Return a line with a figure and its interval; shares are in percent."""
    value, low, high = (
        percent(figure[key]) if name in SHARES else f"{figure[key]:.3f}" for key in ("value", "low", "high")
    )
    return f"{FIGURES[name]:<14} {value:>7}  ({low} to {high})"
