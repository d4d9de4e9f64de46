"""Where a result comes from: code, packages, machine, weights and images."""

import dataclasses
import functools
import importlib.metadata
import os
import pathlib
import platform
import subprocess

import kfg
from kfg import kernels
from kfg.data.index import fingerprint
from kfg.engine.lenders import model_file
from kfg.errors import InputError
from kfg.files import digest, read_json
from kfg.runs import run_files
from kfg.training import precision, processor

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "opencv-python-headless", "scikit-learn")


def environment() -> dict:
    """Return the device, cores, versions and git commit of this process."""
    return {
        "device": precision.device(),
        "tf32": precision.uses_tf32(),
        "onednn": os.environ.get(kernels.ONEDNN, "as TensorFlow chooses"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": processor.vectors(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "kfg": kfg.__version__,
        "commit": commit(),
    }


def settings(job) -> dict:
    """Return everything that decides the result of a Job, in the form of config.json."""
    index, weights = job.data.index, getattr(job.config, "weights", "none")
    # a path alone would not show that another file has taken its place
    of_file = {}
    if weights not in ("imagenet", "none"):
        of_file["weights_sha256"] = _digest(job, "weights_sha256", lambda: weights)
    if earlier := getattr(job.config, "init_from", ""):
        of_file["init_from_sha256"] = _digest(job, "init_from_sha256", lambda: model_file(earlier))
    if net_of := getattr(job.config, "net_of", ""):
        of_file["net_of_sha256"] = _digest(job, "net_of_sha256", lambda: model_file(net_of, option="net_of"))
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
    """Return the digest of a file that a Job starts from; the recorded one if the Job is finished and the file gone."""
    try:
        return file_digest(find())
    except InputError:
        if not job.finished():
            raise
        return read_json(job.workdir / run_files.CONFIG, dict).get(key)  # None in folders of earlier versions


def file_digest(path) -> str:
    """Return the SHA-256 of a weights file, as hex digits.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return digest(path)
    except OSError as error:
        raise InputError(f"weights: {path}: {error.strerror}; give imagenet, none or a file") from error


@functools.cache  # cached, for the imported code: the checkout may change while a long command runs
def commit() -> str:
    """Return the git commit that kfg runs from, with "-dirty" for local changes; "" outside a checkout."""
    here = pathlib.Path(kfg.__file__).parents[1]
    if not (here / ".git").exists():  # an installed package, perhaps inside somebody else's checkout
        return ""
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except OSError:  # a machine without git
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
