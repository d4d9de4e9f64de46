"""The folder of one run: whose it is, and whether it may be begun, gone on with, or left as it is."""

import json
import pathlib

from kfg.engine.options import difference
from kfg.errors import InputError
from kfg.files import read_json, sweep, write_json
from kfg.locks import exclusive
from kfg.runs import run_files
from kfg.tracking import logs

ALWAYS = ("recipe", "row", "seed", "data", "config")  # what the config.json of any version has


def owned(workdir: pathlib.Path):
    """Return the `with` block in which no other process may have the run folder.

    Raises:
        InputError: another process has it: which, on which machine, since when.
    """
    return exclusive(workdir / run_files.LOCK, refusal=f"{workdir}: another command is at work on this run")


def begin(workdir: pathlib.Path, settings: dict, *, finished: bool, resume: bool, options, changed) -> None:
    """Make a run folder, or check that the one there is of the same settings; sweep what a killed run left.

    Args:
        workdir: the folder, owned by this process.
        settings: everything that decides the result.
        finished: whether the run there is.
        resume: go on with one that is not.
        options: setting -> option of the program that was called.
        changed: function () -> in what the photographs differ from those of the run that is there.
    Raises:
        InputError: other settings, unfinished without `resume`, a folder of something else, a damaged config.json.
    """
    wanted = json.loads(json.dumps(settings))
    path = workdir / run_files.CONFIG
    if path.is_file():
        found = read_json(path, dict)
        if finished and isinstance(found.get("config"), dict):  # settings newer than the run decided nothing in it
            wanted["config"] = {key: value for key, value in wanted["config"].items() if key in found["config"]}
        different = [key for key in wanted if found.get(key) != wanted[key]]
        checkpoints = list(workdir.rglob("checkpoint"))  # a head's lies deeper
        begun = bool(checkpoints) or finished
        if begun:
            found = {**{key: found[key] for key in ALWAYS if key in wanted}, **found}  # one without them is damaged
        if "data" in different and begun and _images_of(found) != _images_of(wanted):
            raise InputError(f"{workdir}: {changed()}; give another --out, or remove this folder")
        if different and begun:
            what, way_on = difference(found, wanted, different[0], options)
            raise InputError(
                f"{workdir}: holds a run whose {run_files.CONFIG} has another {what}; give another --out{way_on}, or "
                "remove it"
            )
        if begun and not finished and not resume:
            reported = (workdir / run_files.REPORT).is_file()
            lacking = f", which lacks {run_files.EXPORT_CHECK}" if reported else ""
            raise InputError(f"{workdir}: holds an unfinished run{lacking}; add --resume to go on, or remove it")
        for folder in {workdir, *checkpoints, *(path.parent for path in checkpoints)}:
            sweep(folder, idle=0)  # one process at a time has a run
        if begun:
            return
        (workdir / run_files.ENVIRONMENT).unlink(missing_ok=True)  # nothing was trained: begin anew
        logs.discard(workdir)
    else:
        _check_own(workdir)
    write_json(path, wanted)


def _images_of(settings) -> str | None:
    return settings["data"].get("fingerprint")


def _check_own(workdir) -> None:
    """Refuse a folder without a config.json that holds something: its files would be taken for a run's."""
    found = sorted(path.name for path in workdir.glob("*") if not path.name.startswith("."))
    if found:
        raise InputError(
            f"{workdir}: holds {found[0]} but no {run_files.CONFIG}, so it is no run; give another --out, or remove it"
        )
