"""Where a result comes from: the code, the packages, the machine and the very images."""

import dataclasses
import functools
import importlib.metadata
import os
import pathlib
import platform
import subprocess

import kfg
from kfg.data.folder import fingerprint
from kfg.engine.lenders import model_file
from kfg.errors import InputError
from kfg.files import digest, read_json
from kfg.runs import run_files
from kfg.training import precision

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "opencv-python-headless", "scikit-learn")


def environment() -> dict:
    """Return device, cores, versions and git commit of this process."""
    return {
        "device": precision.device(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "kfg": kfg.__version__,
        "commit": commit(),
    }


def settings(job) -> dict:
    """Return everything that decides the result of a Job."""
    index, weights = job.data.index, getattr(job.config, "weights", "none")
    # the path alone would not tell a file from another that took its place
    of_file = {}
    if weights not in ("imagenet", "none"):
        of_file["weights_sha256"] = _digest(job, "weights_sha256", lambda: weights)
    if earlier := getattr(job.config, "init_from", ""):
        of_file["init_from_sha256"] = _digest(job, "init_from_sha256", lambda: model_file(earlier))
    return {
        "recipe": job.recipe,
        "row": job.row,
        "seed": job.seed,
        "fold": job.fold,
        "folds": job.folds,
        "precision": job.precision,
        "data": {
            "name": job.data.name,
            "images": len(index),
            "classes": len(index.classes),
            "fingerprint": fingerprint(index),
        },
        **of_file,
        "config": dataclasses.asdict(job.config),
    }


def _digest(job, key, find) -> str | None:
    """Return the digest of the file that a Job begins from; the one noted where it is finished and the file gone."""
    try:
        return file_digest(find())
    except InputError:
        if not job.finished():
            raise
        return read_json(job.workdir / run_files.CONFIG, dict).get(key)  # none in folders of earlier versions


def file_digest(path) -> str:
    """Return the SHA-256 of a weights file, as hex digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return digest(path)
    except OSError as error:
        raise InputError(f"weights: {path}: {error.strerror}; imagenet, none or a file") from error


@functools.cache  # of the code that was imported: the checkout may move on while a long command runs
def commit() -> str:
    """Return the git commit kfg runs from, with "-dirty" for local changes; "" outside a checkout."""
    here = pathlib.Path(kfg.__file__).parents[1]
    if not (here / ".git").exists():  # installed, perhaps inside somebody else's checkout
        return ""
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except OSError:  # a machine without git
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
