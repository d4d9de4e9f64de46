"""Checkpoints: one file per run with everything that later epochs depend on, so a resumed run gives the same result.

Keras saves weights and optimiser, but it resets the counters of ReduceLROnPlateau and EarlyStopping whenever training
starts. Here these counters are stored with the weights, in one file that is replaced as a whole: if the process is
killed at any moment, the file holds the state after the last finished epoch.
"""

import collections
import errno
import json
import pathlib
import re
import zipfile

import keras
import numpy as np

from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE, whole
from kfg.runs import run_files

LAST = pathlib.Path(run_files.CHECKPOINT, "last.npz")  # path of the file, relative to the folder of a training
# The attributes that each callback needs to continue; its other attributes are arguments.
CALLBACK_STATE = {
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch", "best_weights"),
    "History": ("rows",),
    "MadeFrom": ("settings",),
    "_Rate": (),  # a function of (epoch, step)
}
COUNTED = re.compile(r"_\d+(?=[_/]|$)")  # the number that Keras appends to a name already used in this process
UNNAMED = "a variable without a name"


class Checkpoint(keras.callbacks.Callback):
    """Save a checkpoint after every epoch, and restore the state of other callbacks when training starts.

    This callback must come last in the list, so that it saves the state of the others after they have handled the
    epoch, and restores it after they have reset themselves.

    Args:
        path: the .npz file.
        companions: callbacks whose state is saved, too; their types must be in CALLBACK_STATE.
        state: the result of `read` to resume from; None: start from the beginning.
    """

    def __init__(self, path, companions, *, state: dict | None = None):
        super().__init__()
        self.path, self.companions, self.resume_state = pathlib.Path(path), list(companions), state

    def on_train_begin(self, logs=None):
        if self.resume_state is not None:
            _restore_callbacks(self.companions, self.resume_state)

    def on_epoch_end(self, epoch, logs=None):
        save(self.path, self.model, self.companions, epoch=epoch + 1)


def save(path, model, companions=(), *, epoch: int) -> None:
    """Write a checkpoint of a model and its callbacks (`companions`) after `epoch` finished epochs."""
    arrays = {f"{kind}{i}": v.numpy() for kind, of in _variables(model).items() for i, v in enumerate(of)}
    plain = {"epoch": epoch, "callbacks": {}, "names": {kind: names(of) for kind, of in _variables(model).items()}}
    for callback in companions:
        kind = type(callback).__name__
        plain["callbacks"][kind] = {}
        for name in CALLBACK_STATE[kind]:
            value = getattr(callback, name)
            if name == "best_weights":
                arrays |= {f"best{i}": array for i, array in enumerate(value or [])}
            else:
                plain["callbacks"][kind][name] = value.item() if isinstance(value, np.generic) else value
    plain["count"] = len(arrays)  # to notice if a damaged list of members in the archive hides some arrays
    with whole(path, "wb") as file:
        np.savez(file, state=np.array(json.dumps(plain)), **arrays)


def read(path) -> dict | None:
    """Return the state that was saved at `path`, None if there is no such file.

    Raises:
        InputError: the file is damaged, or it cannot be read.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            arrays = {name.removesuffix(".npy"): _array(file, name) for name in file.namelist()}
        plain = json.loads(str(arrays.pop("state")))
        epoch, callbacks = plain["epoch"], plain["callbacks"]
        if plain.get("count", len(arrays)) != len(arrays):  # earlier versions of kfg wrote no count
            raise ValueError(f"it has {len(arrays)} of {plain['count']} arrays")
    except (*DAMAGED_ARCHIVE, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: a seek to a damaged offset
            why = f"cannot be read now ({error.strerror}), but it may be whole"
            raise InputError(f"{path}: {why}; make it readable, then run again with --resume") from error
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: damaged checkpoint ({said}); remove it to start again") from error
    return {**plain, "epoch": epoch, "callbacks": callbacks, "arrays": arrays, "path": path}


def _array(file, name) -> np.ndarray:
    """Read one array from the archive, to the end of its member: zipfile checks the checksum only at the end."""
    with file.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError(f"{name} has bytes after its array")
    return array


def restore(model, state: dict) -> int:
    """Restore weights, random states and optimiser of a compiled model; return the number of finished epochs.

    Raises:
        InputError: the checkpoint is of another model or optimiser. The message names the first variable that does not
            match, and the model is unchanged.
    """
    model.optimizer.build(model.trainable_variables)
    found = {kind: _fitting(state, kind, variables) for kind, variables in _variables(model).items()}
    for kind, variables in _variables(model).items():
        for variable, array in zip(variables, found[kind], strict=True):
            variable.assign(array)
    return state["epoch"]


def fits(model, state: dict) -> bool:
    """Return whether a checkpoint is of a model, by the names and shapes of its variables."""
    try:
        _fitting(state, "model", model.variables)
    except InputError:
        return False
    return True


def restore_weights(model, state: dict) -> None:
    """Restore only the weights of a model, which need not be compiled; arguments and errors are those of `restore`."""
    for variable, array in zip(model.variables, _fitting(state, "model", model.variables), strict=True):
        variable.assign(array)


def names(variables) -> list[str]:
    """Return a name for each variable that stays the same when the model is built again in another process.

    It is the variable's path without the numbers that Keras counts up in a process ("dense_7" becomes "dense"). If
    several variables then have the same name, the second and later ones get a number.
    """
    seen = collections.Counter()
    found = []
    for variable in variables:
        bare = COUNTED.sub("", variable.path)
        seen[bare] += 1
        found.append(bare if seen[bare] == 1 else f"{bare} ({seen[bare]})")
    return found


def _variables(model) -> dict:
    return {"model": model.variables, "optimizer": model.optimizer.variables}


def _fitting(state, kind, variables) -> list[np.ndarray]:
    """Return the saved arrays for these variables, after checking that their names and shapes match."""
    arrays, here = _numbered(state["arrays"], kind), names(variables)
    stored = state.get("names", {}).get(kind)  # earlier versions saved no names: then only shapes are compared
    stored = here[: len(arrays)] + [UNNAMED] * (len(arrays) - len(here)) if stored is None else stored
    for name, array, variable, wanted in zip(stored, arrays, variables, here, strict=False):
        if (name, array.shape) != (wanted, tuple(variable.shape)):
            raise InputError(
                f"{state['path']}: was saved from another model, which has {name} of shape {array.shape} where this "
                f"one has {wanted} of shape {tuple(variable.shape)}"
            )
    if len(arrays) != len(here):
        more, whose = (stored[len(here)], "it") if len(arrays) > len(here) else (here[len(arrays)], "this one")
        raise InputError(f"{state['path']}: was saved from another model; only {whose} has {more}")
    return arrays


def _restore_callbacks(companions, state):
    for callback in companions:
        kind = type(callback).__name__
        for name, value in state["callbacks"].get(kind, {}).items():  # earlier versions saved fewer callbacks
            setattr(callback, name, value)
        if kind == "EarlyStopping":
            callback.best_weights = best_weights(state)


def best_weights(state: dict) -> list[np.ndarray] | None:
    """Return the weights of the best epoch from a checkpoint, None if it has none."""
    return _numbered(state["arrays"], "best") or None


def _numbered(arrays, prefix):
    return [arrays[f"{prefix}{i}"] for i in range(sum(name.startswith(prefix) for name in arrays))]
