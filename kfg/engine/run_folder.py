"""The folder of one run: which process owns it, and whether it may be begun, continued or left as it is."""

import json
import pathlib

from kfg.engine.options import difference
from kfg.errors import InputError
from kfg.files import read_json, sweep, write_json
from kfg.locks import exclusive
from kfg.runs import run_files

ALWAYS = ("recipe", "row", "seed", "data", "config")  # keys that a config.json of any version has


def owned(workdir: pathlib.Path):
    """Return a `with` block in which no other process can use the run folder.

    Raises:
        InputError: another process is using it; the message says which, on which machine and since when.
    """
    return exclusive(workdir / run_files.LOCK, refusal=f"{workdir}: another command is working on this run")


def begin(workdir: pathlib.Path, settings: dict, *, finished: bool, resume: bool, options, changed) -> None:
    """Make a run folder, or check that an existing one has the same settings; remove what a killed run left.

    A folder in which nothing was trained is begun anew, except by `resume` with the same settings.

    Args:
        workdir: the folder, which this process owns.
        settings: everything that decides the result.
        finished: whether the folder holds a finished run.
        resume: continue an unfinished run.
        options: setting -> option of the program that was called.
        changed: function () -> half a sentence on how the photographs differ from those of the run in the folder.
    Raises:
        InputError: other settings; an unfinished run without `resume`; a folder that is not a run's; a damaged
            config.json.
    """
    wanted = json.loads(json.dumps(settings))
    path = workdir / run_files.CONFIG
    if path.is_file():
        found = read_json(path, dict)
        if finished and isinstance(found.get("config"), dict):  # newer settings had no effect on the run
            wanted["config"] = {key: value for key, value in wanted["config"].items() if key in found["config"]}
        different = [key for key in wanted if found.get(key) != wanted[key]]
        checkpoints = list(workdir.rglob(run_files.CHECKPOINT))  # that of a head lies in a subfolder
        begun = bool(checkpoints) or finished
        if begun:
            found = {**{key: found[key] for key in ALWAYS if key in wanted}, **found}  # fails if damaged
        if "data" in different and begun and _images_of(found) != _images_of(wanted):
            chosen = found.get("recipe") == run_files.TRAIN_RECIPE
            or_none = " (without --out, `kfg train` takes a new folder)" if chosen else ""
            raise InputError(f"{workdir}: {changed()}; give another --out{or_none}")
        if different and begun:
            what, way_on = difference(found, wanted, different[0], options)
            kind, way_on = ("a finished run", "") if finished else ("a run", way_on)
            raise InputError(
                f"{workdir}: holds {kind} whose {run_files.CONFIG} has another value of {what}; give another "
                f"--out{way_on}, or remove it"
            )
        if begun and not finished and not resume:
            reported = (workdir / run_files.REPORT).is_file()
            lacking = f", which lacks {run_files.EXPORT_CHECK}" if reported else ""
            raise InputError(f"{workdir}: holds an unfinished run{lacking}; add --resume to continue it, or remove it")
        for folder in {workdir, *checkpoints, *(path.parent for path in checkpoints)}:
            sweep(folder, idle=0)  # safe: this process owns the run
        if begun or (resume and not different):  # what a session chose stands: the clock would now choose otherwise
            return
        for name in (run_files.ENVIRONMENT, run_files.CLOCK):  # nothing was trained: begin anew
            (workdir / name).unlink(missing_ok=True)
        from kfg.tracking import logs  # imports keras, which takes seconds

        logs.discard(workdir)
    else:
        _check_own(workdir)
    write_json(path, wanted)


def _images_of(settings) -> str | None:
    return settings["data"].get("fingerprint")


def _check_own(workdir) -> None:
    """Refuse a folder that has files but no config.json: the files would be taken for a run's."""
    found = sorted(path.name for path in workdir.glob("*") if not path.name.startswith("."))
    if found:
        raise InputError(
            f"{workdir}: holds {found[0]} but no {run_files.CONFIG}, so it is not a run; give another --out, or remove "
            "it"
        )
