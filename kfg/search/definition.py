"""The definition of a search (all that decides its result), and the folder that holds this search and no other."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib

import keras_tuner

from kfg import locks
from kfg.data.index import fingerprint
from kfg.engine.options import replaced, tuples
from kfg.errors import InputError
from kfg.files import sweep, write_json
from kfg.search import table
from kfg.search.spaces import Space

HYPERBAND_FROM = "tuner/trial_id"
DIGEST = "kfg/search"  # a fixed value in every space, which workers compare with their own
BEING_SHOWN = 2.0  # seconds that `--show`, which takes no lock, may need to write a file of the page
OBJECTIVES = {"val_macro_recall": "max", "val_accuracy": "max", "val_loss": "min"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Definition:
    """A search: everything that decides its result.

    Args:
        recipe, space_name: names.
        space: kfg.search.spaces.Space.
        config: the row's Config with the settings given by hand.
        given: settings given by hand; they are not searched over.
        algorithm: a key of kfg.search.algorithms.ALGORITHMS.
        objective: a key of OBJECTIVES, measured on validation images.
        seed: int >= 0, for the oracle and for the first training of each trial.
        executions: trainings in a trial, with consecutive seeds; the mean of their figures is the score.
        max_params: the most parameters that a model may have; None for any number.
        trial_time: seconds that the trainings of a trial may take together; None for any time.
        precision: of the trainings, one of kfg.training.precision.CHOICES.
        index, data_name: the images and their name.
    """

    recipe: str
    space_name: str
    space: Space
    config: object
    given: dict
    algorithm: str
    objective: str
    seed: int
    executions: int
    max_params: int | None
    trial_time: float | None
    precision: str
    index: object
    data_name: str

    def settings(self) -> dict:
        """Return everything that decides the result, except the number of trials, as JSON values."""
        index = self.index
        settings = {
            "recipe": self.recipe,
            "row": self.space.row,
            "space": self.space_name,
            "algorithm": self.algorithm,
            "objective": [self.objective, OBJECTIVES[self.objective]],
            "seed": self.seed,
            "executions": self.executions,
            "max_params": self.max_params,
            "trial_time": self.trial_time,
            "precision": self.precision,
            "data": {
                "images": len(index), "classes": len(index.classes), "fingerprint": fingerprint(index),
            },
            "config": dataclasses.asdict(self.config),
            "hyperparameters": self.hyperparameters().get_config()["space"],
            "defaults": self.changes({}),  # includes what a space fixes
        }  # fmt: skip
        return json.loads(json.dumps(settings))

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """Return the space as KerasTuner's HyperParameters."""
        hp = keras_tuner.HyperParameters()
        self.space.suggest(_Free(hp, self.given, self.space.makes))
        if not hp.space:
            raise InputError(f"--set: leaves nothing to search over in the space {self.space_name}")
        return hp

    def changes(self, values: dict) -> dict:
        """Return a trial's settings, as JSON values, from the values that KerasTuner chose."""
        hp = keras_tuner.HyperParameters()
        hp.values = {name: value for name, value in values.items() if not name.startswith(table.PREFIXES)}
        suggested = self.space.suggest(_Free(hp, self.given, self.space.makes))
        changes = {name: value for name, value in suggested.items() if value is not None and name not in self.given}
        if table.HYPERBAND_EPOCHS in values:
            changes[self.space.epochs] = values[table.HYPERBAND_EPOCHS]
        return changes

    def full(self, changes: dict) -> dict:
        """Return a trial's settings for a full run: with those given by hand, and with all epochs."""
        if self.algorithm == "hyperband":
            changes = {name: value for name, value in changes.items() if name != self.space.epochs}
        return {**changes, **self.given}

    def begun_in(self, values: dict) -> str | None:
        """Return the id of the shorter trial that a trial of Hyperband continues; None if it begins anew."""
        return values.get(HYPERBAND_FROM) if self.space.continues else None

    @property
    def keeps_checkpoints(self) -> bool:
        return self.space.continues and self.algorithm == "hyperband"

    def configured(self, changes: dict):
        """Return the Config of a trial."""
        return replaced(self.config, tuples(changes))

    @property
    def epochs(self) -> int:
        return getattr(self.config, self.space.epochs)


class _Free:
    """KerasTuner's HyperParameters for a space, without those that are not searched.

    Not searched are hyperparameters given by hand, and those that have no effect because of another one given by hand.
    They keep their default and do not become part of the space.
    """

    def __init__(self, hp, given, makes):
        self.hp, self.given, self.idle = hp, given, False
        self.fixed = {*given, *(name for setting in given for name in makes.get(setting, ()))}

    def Choice(self, name, values, *, default):
        return default if self._fixed(name) else self.hp.Choice(name, values, default=default)

    def Int(self, name, low, high, *, default, **arguments):
        return default if self._fixed(name) else self.hp.Int(name, low, high, default=default, **arguments)

    def Float(self, name, low, high, *, default, **arguments):
        return default if self._fixed(name) else self.hp.Float(name, low, high, default=default, **arguments)

    def _fixed(self, name):
        return self.idle or name in self.fixed

    @contextlib.contextmanager
    def conditional_scope(self, name, values):
        if name not in self.given:
            with self.hp.conditional_scope(name, values):
                yield
            return
        self.idle = not self.given[name]  # e.g. l2_on given as nothing: then the factor l2 has no effect
        yield
        self.idle = False


def digest(settings: dict) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def claim(folder: pathlib.Path, settings: dict, data_name: str) -> None:
    """Mark the folder as this search's, or check that it is.

    Raises:
        InputError: the folder holds another search, or cannot be written.
    """
    path = folder / table.SETTINGS_FILE
    if path.is_file():
        found = table.head(folder)["settings"]
        for key, wanted in settings.items():
            if found.get(key) != wanted:
                what = _difference(key, found.get(key), wanted)
                raise InputError(
                    f"{folder}: holds a search with another value of {what}; give another --out or remove it"
                )
        return
    foreign = [name for name in table.WRITTEN if os.path.lexists(folder / name)]
    if foreign:
        raise InputError(
            f"--out {folder}: holds {foreign[0]} but no {table.SETTINGS_FILE}, so it is not the folder of a search; "
            "give another"
        )
    write_json(path, {"settings": settings, "data": data_name})


def _difference(key, before, now) -> str:
    """Say in a few words which setting differs."""
    if key == "hyperparameters":  # a list of {"class_name", "config"}
        before, now = ({one["config"]["name"]: one for one in found or []} for found in (before, now))
    if key == "data" and (before or {}).get("fingerprint") != now["fingerprint"]:
        return "data: the photographs, their classes or their parts have changed since it started"
    if isinstance(now, dict):
        before = before or {}
        names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        return f"{key}: {', '.join(names)}"
    return f"{key} ({before}, now {now})"


@contextlib.contextmanager
def held(folder: pathlib.Path, *, refusal="another search is running there; print it with --show DIR"):
    """Lock the folder for a `with` block against other processes; the lock ends with this process, however it ends.

    Files that a killed process left half written in it are removed.
    """
    with locks.exclusive(folder / ".lock", refusal=f"--out {folder}: {refusal}"):
        sweep(folder, idle=BEING_SHOWN)
        yield
