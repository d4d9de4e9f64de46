"""Clean up after a run that did not reach its end: remove its folder, or keep its model."""

import contextlib
import pathlib

import keras

from kfg.engine import saving
from kfg.files import read_json
from kfg.runs import run_files
from kfg.training import checkpoint, precision

# files that a run folder holds before anything is trained
SETTLED_FIRST = {
    run_files.CONFIG, run_files.ENVIRONMENT, run_files.SPLIT, run_files.CLASSES, run_files.CLASS_IDS, run_files.CLOCK,
    run_files.LOCK, f"{run_files.LOCK}.json",
}  # fmt: skip
EPOCHS = {  # folder of a training in the run folder -> what its checkpoint holds; of several, the first is named
    "": "the last finished epoch",
    run_files.HEAD: "the last finished epoch of the head",
    run_files.SECOND: "the last finished epoch of the second opinion",
}


def withdraw(workdir: pathlib.Path, *, out: pathlib.Path) -> None:
    """Remove a run folder that holds nothing but settings, and its parents up to `out` that are then empty.

    This process owns the folder's lock. If a lock in use cannot be removed, as on Windows, the folder stays with the
    lock alone.
    """
    if not workdir.is_dir() or not {path.name for path in workdir.iterdir()} <= SETTLED_FIRST:
        return
    for path in list(workdir.iterdir()):
        with contextlib.suppress(PermissionError):
            path.unlink()
    for folder in (workdir, *workdir.parents):
        with contextlib.suppress(OSError):  # the folder has other runs
            folder.rmdir()
        if folder == out:
            return


def held(job) -> str:
    """Return what is in a job's run folder, by its files; "" if no epoch was finished."""
    if job.finished():
        return "the finished run"
    return next((said for folder, said in EPOCHS.items() if (job.workdir / folder / checkpoint.LAST).is_file()), "")


def keep(job) -> None:
    """Write model.keras with the weights of a run's last finished epoch.

    Nothing is written if the session has not come as far as that epoch, or if no epoch was finished.

    Args:
        job: an interrupted job with a model that was being fitted.
    """
    if not job.begun:  # this session has added nothing to what an earlier one left
        return
    state = checkpoint.read(job.workdir / checkpoint.LAST)
    model = _with_head(job) if state is None else _restored(job, state)
    if model is not None:
        saving.save_keras(model, read_json(job.workdir / run_files.CLASSES), job.workdir)


def _restored(job, state):
    """Return the model of a checkpoint; None if something else is being fitted, as the head of a resumed run is."""
    if not checkpoint.fits(job.fitted, state):
        return None
    checkpoint.restore(job.fitted, state)
    job.fitted.optimizer.finalize_variable_values(job.fitted.trainable_variables)  # averages, if it keeps them
    return job.float32_model()


def _with_head(job):
    """Return a new model with the head of its checkpoint, None if it has none; the trunk may be half trained by now."""
    state = checkpoint.read(job.workdir / run_files.HEAD / checkpoint.LAST)
    if state is None:
        return None
    keras.utils.set_random_seed(job.seed)
    with precision.scope("float32"):
        model = job.first_build()
    checkpoint.restore_weights(keras.Model(model.get_layer("features").output, model.output), state)
    return model
