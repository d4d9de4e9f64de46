"""What is left of a run that did not get to its end."""

import contextlib
import pathlib

import keras

from kfg.engine import shipping as exporting
from kfg.files import read_json
from kfg.runs import run_files
from kfg.training import checkpoint, precision

# what a run folder holds before anything is trained
SETTLED_FIRST = {
    run_files.CONFIG, run_files.ENVIRONMENT, run_files.SPLIT, run_files.CLASSES, run_files.CLASS_IDS, run_files.CLOCK,
    run_files.LOCK, f"{run_files.LOCK}.json",
}  # fmt: skip


def withdraw(workdir: pathlib.Path, *, out: pathlib.Path) -> None:
    """Remove a run folder that holds nothing but settings, and the folders up to `out` that are empty then.

    Its lock is this process's; where a lock in use cannot be removed, as on Windows, the folder stays with it alone.
    """
    if not workdir.is_dir() or not {path.name for path in workdir.iterdir()} <= SETTLED_FIRST:
        return
    for path in list(workdir.iterdir()):
        with contextlib.suppress(PermissionError):
            path.unlink()
    for folder in (workdir, *workdir.parents):
        with contextlib.suppress(OSError):  # other runs are in it
            folder.rmdir()
        if folder == out:
            return


def keep(job) -> str:
    """Write model.keras with the weights of a run's last finished epoch.

    Args:
        job: interrupted, with a model that is being fitted.
    Returns:
        what the file holds, "" if no epoch was finished.
    """
    state = checkpoint.read(job.workdir / checkpoint.LAST)
    head = checkpoint.read(job.workdir / run_files.HEAD / checkpoint.LAST)
    if state is None and head is None:
        return ""
    if job.begun:  # else this session has added nothing to what an earlier one left
        model = _with_head(job, head) if state is None else _restored(job, state)
        exporting.save_keras(model, read_json(job.workdir / run_files.CLASSES), job.workdir)
    return "the last finished epoch of the head" if state is None else "the last finished epoch"


def _restored(job, state):
    checkpoint.restore(job.fitted, state)
    job.fitted.optimizer.finalize_variable_values(job.fitted.trainable_variables)  # averages, where kept
    return job.float32_model()


def _with_head(job, state):
    """Return the model as it was built, with a head from its checkpoint: the trunk may be half trained by now."""
    keras.utils.set_random_seed(job.seed)
    with precision.scope("float32"):
        model = job.build()
    checkpoint.restore_weights(keras.Model(model.get_layer("features").output, model.output), state)
    return model
