"""Checks of the run that lends its weights to another (`--init-from`), before anything is trained."""

import pathlib

from kfg.data.index import Index
from kfg.data.splitcsv import split_rows
from kfg.engine.recipe import Recipe
from kfg.errors import InputError
from kfg.files import read_json
from kfg.runs import run_files
from kfg.training import lineage


def resolved(run: str, *, option: str = "--init-from") -> str:
    """Return the absolute path of a run, as config.json has it, whatever folder the command is called in.

    Args:
        option: as for `model_file`.
    Raises:
        InputError: the path is empty, as a shell variable that was never set.
    """
    if not run.strip():
        raise InputError(f"{option} {run!r}: is not the name of a run")
    return str(pathlib.Path(run).resolve())


def check_lenders(recipe: Recipe, jobs) -> None:
    """Check for each unfinished Job that the run whose weights it starts from has the same net.

    Args:
        jobs: all jobs of a command, so that none of them is refused hours later.
    Raises:
        InputError: a setting differs, and the message names the row and both values; there is no such run.
    """
    for job in jobs:
        run = getattr(job.config, "init_from", "")
        if not run or job.finished():
            continue
        path = model_file(run).parent / run_files.CONFIG
        if not (path.is_file() or pathlib.Path(run).is_dir()):
            continue  # a model without its run: its layers are checked when it is loaded
        found = read_json(path, dict).get("config", {})
        for name, wanted in recipe.lending(job.config).items():
            if found.get(name) != wanted:
                raise InputError(
                    f"--init-from {run}: row {job.row} has {name} {wanted!r}, but that run has {found.get(name)!r}"
                )


def model_file(run, *, option: str = "--init-from") -> pathlib.Path:
    """Return the model file in a run folder, or `run` itself if it is a model file.

    Args:
        option: the option or setting that names the run, for messages.
    Raises:
        InputError: there is no model, or its run is not finished.
    """
    path = pathlib.Path(run)
    path = path / run_files.MODEL if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{option} {run}: there is no {run_files.MODEL}")
    of_run = path.parent == pathlib.Path(run) or (path.parent / run_files.CONFIG).is_file()
    if of_run and not (path.parent / run_files.REPORT).is_file():
        raise InputError(
            f"{option} {run}: this run is not finished, it has no {run_files.REPORT}; finish it with --resume"
        )
    return path


def check_unseen(run, index: Index, *, option: str = "--init-from") -> None:
    """Check, by content hash, that a run was not trained on images that are val or test in `index`.

    What the runs were trained on from whose weights it began counts as well.

    Args:
        run: run folder or model file; a model without a split.csv beside it cannot be checked.
        index: the images, with parts decided and digests filled in.
        option: as for `model_file`.
    Raises:
        InputError: it was trained on such images; the message says how many and names one.
    """
    seen = set()
    for one in lineage.runs(model_file(run, option=option)):
        if (one / run_files.SPLIT).is_file():
            rows, _ = split_rows(one / run_files.SPLIT)
            seen |= {row.get("sha256") for row in rows if row["part"] == "train"} - {None, ""}
    held_out = sorted({*index.where("val").tolist(), *index.where("test").tolist()})
    both = [index.paths[at] for at in held_out if index.sha256[at] in seen]
    if both:
        raise InputError(
            f"{option} {run}: was trained on {len(both)} images that are val or test here, such as {both[0]}; "
            "give both runs the same split"
        )
