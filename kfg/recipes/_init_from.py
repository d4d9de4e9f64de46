"""The run that lends its weights to another, `--init-from`: what it must be before anything is trained."""

import pathlib

from kfg.errors import InputError
from kfg.export import MODEL_FILE
from kfg.files import read_json

CONFIG_FILE = "config.json"


def check(recipe, jobs) -> None:
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
        path = model_file(run).parent / CONFIG_FILE
        if not (path.is_file() or pathlib.Path(run).is_dir()):
            continue  # a model alone: its layers tell, when it is loaded
        found = read_json(path).get("config", {})
        for name, wanted in recipe.lending(job.config).items():
            if found.get(name) != wanted:
                raise InputError(
                    f"--init-from {run}: row {job.row} has {name} {wanted!r}, that run {found.get(name)!r}"
                )


def model_file(run) -> pathlib.Path:
    """Return the model of a run folder, or `run` itself if it is one.

    Raises:
        InputError: there is none.
    """
    path = pathlib.Path(run)
    path = path / MODEL_FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"--init-from {run}: no {MODEL_FILE} there")
    return path
