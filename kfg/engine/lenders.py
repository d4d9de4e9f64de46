"""The run that lends its weights to another, `--init-from`: what it must be before anything is trained."""

import pathlib

from kfg.data.folder import Index, split_rows
from kfg.errors import InputError
from kfg.files import read_json
from kfg.runs import run_files


def resolved(run: str) -> str:
    """Return the path of a run as config.json has it: the same from every folder the command is called in.

    Raises:
        InputError: it is empty, as a shell variable is that was never set.
    """
    if not run.strip():
        raise InputError(f"--init-from {run!r}: names no run")
    return str(pathlib.Path(run).resolve())


def check_lenders(recipe, jobs) -> None:
    """Check for each unfinished Job that the run it begins from is of the same net.

    Args:
        recipe: module with `lending`, function (config) -> dict of the settings that both must share, where its
            Config has init_from.
        jobs: all of a command, so that none of them is refused hours later.
    Raises:
        InputError: another setting; the message names the row and both values. No such run.
    """
    for job in jobs:
        run = getattr(job.config, "init_from", "")
        if not run or job.finished():
            continue
        path = model_file(run).parent / run_files.CONFIG
        if not (path.is_file() or pathlib.Path(run).is_dir()):
            continue  # a model alone: its layers tell, when it is loaded
        found = read_json(path, dict).get("config", {})
        for name, wanted in recipe.lending(job.config).items():
            if found.get(name) != wanted:
                raise InputError(
                    f"--init-from {run}: row {job.row} has {name} {wanted!r}, that run {found.get(name)!r}"
                )


def model_file(run) -> pathlib.Path:
    """Return the model of a run folder, or `run` itself if it is one.

    Raises:
        InputError: there is none, or the run it lies in is not finished.
    """
    path = pathlib.Path(run)
    path = path / run_files.MODEL if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"--init-from {run}: no {run_files.MODEL} there")
    of_run = path.parent == pathlib.Path(run) or (path.parent / run_files.CONFIG).is_file()
    if of_run and not (path.parent / run_files.REPORT).is_file():
        raise InputError(f"--init-from {run}: an unfinished run, it has no {run_files.REPORT}; end it with --resume")
    return path


def check_unseen(run, index: Index) -> None:
    """Check that a run was not trained on images that are val or test in `index`, as their bytes tell.

    Args:
        run: its folder, or its model; of a model without a split.csv beside it nothing is known.
        index: with parts decided and digests filled.
    Raises:
        InputError: it was; the message says on how many and names one.
    """
    listed = model_file(run).parent / run_files.SPLIT
    if not listed.is_file():
        return
    rows, _ = split_rows(listed)
    seen = {row.get("sha256") for row in rows if row["part"] == "train"} - {None, ""}
    held_out = sorted({*index.where("val").tolist(), *index.where("test").tolist()})
    both = [index.paths[at] for at in held_out if index.sha256[at] in seen]
    if both:
        raise InputError(
            f"--init-from {run}: was trained on {len(both)} images that are val or test here, {both[0]} among them; "
            "give it and this run the same split"
        )
