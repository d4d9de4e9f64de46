"""Choose the folder for the runs on some photographs if --out is not given: one for each state of the photographs.

This module does not import TensorFlow, so that messages appear before seconds are spent on loading it.
"""

import itertools
import pathlib
import re

from kfg.data.index import Index, fingerprint
from kfg.engine import changes, run_folder
from kfg.errors import InputError
from kfg.files import read_json
from kfg.names import printable
from kfg.runs import origins, run_files


def folder_of_runs(index: Index, *, home: pathlib.Path = run_files.RUNS) -> tuple[pathlib.Path, str]:
    """Return the folder for runs on these photographs, and a line that explains it if it is not the obvious one.

    The folder is `home`/NAME, named after the photographs' folder. If that holds runs on other photographs, they stay
    untouched and the folder is NAME-2, and so on. Where runs of an earlier version lie in `home` itself, it is `home`.

    Args:
        index: the photographs, digests filled in.
        home: folder of all runs.
    Returns:
        The folder; and the line, "" if there is nothing to explain.
    Raises:
        InputError: a damaged config.json.
    """
    home, name, now = pathlib.Path(home), index.root.resolve().name or "photos", fingerprint(index)
    states = {number: _runs_in(home / _numbered(name, number)) for number in _numbers(home, name)}
    for number, runs in states.items():
        if now in (data.get("fingerprint") for data in runs.values()):
            return home / _numbered(name, number), ""
    if now in (data.get("fingerprint") for data in _runs_in(home).values()):
        return home, f"{home}: holds runs on these photographs from an earlier version of kfg"
    free = next(number for number in itertools.count(1) if not states.get(number))
    earlier = [run for runs in states.values() for run, data in runs.items() if data.get("name") == name]
    said = ""
    if earlier:
        last = max(earlier, key=lambda run: (run / run_files.CONFIG).stat().st_mtime)
        said = (
            f"{printable(str(last))} stays as it is, because {changes.since(last, index)}. So this is a new run, in "
            f"{printable(str(home / _numbered(name, free)))}."
        )
    return home / _numbered(name, free), said


def check_unused(
    photographs: pathlib.Path, out: pathlib.Path | None, seeds, *, home: pathlib.Path = run_files.RUNS
) -> None:
    """Refuse a training that another command is just doing, before time is spent on looking at the photographs.

    Args:
        photographs: folder of the photographs, absolute.
        out: folder of the runs; None: one of those that `folder_of_runs` may choose.
        seeds: the seeds of the runs.
        home: folder of all runs.
    Raises:
        InputError: another process holds one of these runs, and it was begun on the same folder of photographs.
    """
    name = photographs.name or "photos"
    homes = [home / _numbered(name, number) for number in _numbers(home, name)] if out is None else [out]
    for one, seed in itertools.product(homes, seeds):
        run = run_files.run_folder(one, run_files.TRAIN_RECIPE, run_files.TRAIN_ROW, seed)
        # one that has a report has ended, and one that names no photographs has not begun
        if not (run / run_files.REPORT).is_file() and origins.photographs_of(run) == photographs:
            with run_folder.owned(run):
                pass


def _numbered(name, number) -> str:
    return name if number == 1 else f"{name}-{number}"


def _numbers(home, name) -> list[int]:
    """Return the numbers of the existing folders NAME (1), NAME-2 (2) and so on."""
    if not home.is_dir():
        return []
    found = [re.fullmatch(rf"{re.escape(name)}(?:-([1-9]\d*))?", path.name) for path in home.iterdir() if path.is_dir()]
    return sorted(int(match[1] or 1) for match in found if match and match[1] != "1")


def _runs_in(out) -> dict[pathlib.Path, dict]:
    """Return run folder -> the entry "data" of its config.json, on its photographs."""
    found = out.glob(f"{run_files.ANY_RUN}/{run_files.CONFIG}")
    return {path.parent: read_json(path, dict).get("data", {}) for path in sorted(found)}


def check_beside(photographs: pathlib.Path, out: pathlib.Path, *, given: bool = True) -> None:
    """Refuse to write runs inside the folder of photographs, where their pictures would be taken for photographs.

    Args:
        photographs: folder of the photographs.
        out: folder of the runs.
        given: whether the user named `out`.
    """
    home = out.resolve()
    if photographs.resolve() in (home, *home.parents):
        inside = "inside the data folder, so its pictures would be taken for photographs"
        if given:
            raise InputError(f"--out {out}: is {inside}; give another folder")
        raise InputError(
            f"runs would be written to {printable(str(home))}, which is {inside}; start kfg in another folder, or give "
            "one with --out"
        )
