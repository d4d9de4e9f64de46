"""One file per run that holds everything a later epoch depends on, so a resumed run is the same run.

Keras saves weights and optimiser; it resets the counters of ReduceLROnPlateau and EarlyStopping whenever
training starts. Here they travel with the weights, in one file that is replaced as a whole: a kill at any
moment leaves the state of the last finished epoch.
"""

import collections
import json
import pathlib
import re
import zipfile

import keras
import numpy as np

from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE, whole

LAST = pathlib.Path("checkpoint", "last.npz")  # in the folder of a training
# What each callback would need to go on; everything else in it is an argument.
CALLBACK_STATE = {
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch", "best_weights"),
    "History": ("rows",),
    "MadeFrom": ("settings",),
    "_Rate": (),  # a function of (epoch, step)
}
COUNTED = re.compile(r"_\d+(?=[_/]|$)")  # what Keras appends to a name that this process has had before
UNNAMED = "a variable without a name"


class Checkpoint(keras.callbacks.Callback):
    """Save after every epoch; restore the callbacks' state when training starts.

    Goes last in the list, so that it sees the others' state after an epoch and restores it after they reset.

    Args:
        path: the .npz file.
        companions: callbacks whose state travels along, each of a type in CALLBACK_STATE.
        state: what `read` returned, to resume from; None to start afresh.
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
    """Write the state after `epoch` finished epochs."""
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
    plain["count"] = len(arrays)  # a bit turned in the archive's list of members can hide some
    with whole(path, "wb") as file:
        np.savez(file, state=np.array(json.dumps(plain)), **arrays)


def read(path) -> dict | None:
    """Return the state saved at `path`, None where there is none.

    Raises:
        InputError: the file is damaged.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            arrays = {name.removesuffix(".npy"): _array(file, name) for name in file.namelist()}
        plain = json.loads(str(arrays.pop("state")))
        epoch, callbacks = plain["epoch"], plain["callbacks"]
        if plain.get("count", len(arrays)) != len(arrays):  # those of earlier versions have none
            raise ValueError(f"{len(arrays)} of {plain['count']} arrays")
    except (*DAMAGED_ARCHIVE, KeyError, TypeError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: damaged checkpoint ({said}); remove it to start again") from error
    return {**plain, "epoch": epoch, "callbacks": callbacks, "arrays": arrays, "path": path}


def _array(file, name) -> np.ndarray:
    """Read one array, to the end of its member, where its checksum is looked at."""
    with file.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError(f"{name} has bytes after its array")
    return array


def restore(model, state: dict) -> int:
    """Put weights, random states and optimiser back into a compiled model; return the finished epochs.

    Raises:
        InputError: the checkpoint is of another model or optimiser; it names the first variable that does not fit, and
            nothing was changed.
    """
    model.optimizer.build(model.trainable_variables)
    found = {kind: _fitting(state, kind, variables) for kind, variables in _variables(model).items()}
    for kind, variables in _variables(model).items():
        for variable, array in zip(variables, found[kind], strict=True):
            variable.assign(array)
    return state["epoch"]


def restore_weights(model, state: dict) -> None:
    """Put the weights alone into a model, which need not be compiled; arguments and errors as for `restore`."""
    for variable, array in zip(model.variables, _fitting(state, "model", model.variables), strict=True):
        variable.assign(array)


def names(variables) -> list[str]:
    """Return a name of each variable that is the same wherever its model is built anew.

    It is its path without the numbers that Keras counts through a process ("dense_7" is "dense"); of variables that
    are then called alike, the second and later ones are numbered.
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
    """Return the arrays of these variables after comparing names and shapes."""
    arrays, here = _numbered(state["arrays"], kind), names(variables)
    stored = state.get("names", {}).get(kind)  # earlier versions kept no names: there the shapes have to do
    stored = here[: len(arrays)] + [UNNAMED] * (len(arrays) - len(here)) if stored is None else stored
    for name, array, variable, wanted in zip(stored, arrays, variables, here, strict=False):
        if (name, array.shape) != (wanted, tuple(variable.shape)):
            raise InputError(
                f"{state['path']}: saved from another model, whose {name} of shape {array.shape} stands where this "
                f"one has {wanted} of shape {tuple(variable.shape)}"
            )
    if len(arrays) != len(here):
        more, whose = (stored[len(here)], "it") if len(arrays) > len(here) else (here[len(arrays)], "this one")
        raise InputError(f"{state['path']}: saved from another model; only {whose} has {more}")
    return arrays


def _restore_callbacks(companions, state):
    for callback in companions:
        kind = type(callback).__name__
        for name, value in state["callbacks"].get(kind, {}).items():  # earlier versions had fewer callbacks
            setattr(callback, name, value)
        if kind == "EarlyStopping":
            callback.best_weights = best_weights(state)


def best_weights(state: dict) -> list[np.ndarray] | None:
    """Return the weights of the best epoch, None where none were kept."""
    return _numbered(state["arrays"], "best") or None


def _numbered(arrays, prefix):
    return [arrays[f"{prefix}{i}"] for i in range(sum(name.startswith(prefix) for name in arrays))]
