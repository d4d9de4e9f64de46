"""Load the Keras model of a run folder, and the features against which it measures strangeness."""

import json
import zipfile

import keras
import numpy as np

from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE, RESTORE, local, read_json
from kfg.models import calibrated, saved
from kfg.runs import run_files, unfinished


def load_judge(run) -> keras.Model:
    """Load the Keras model of a run folder; if the folder has a bank, the model gets strangeness as a second output."""
    model, bank = load_keras(run)[0], load_bank(run)
    return model if bank is None else calibrated.judge(model, bank)


def load_bank(run) -> np.ndarray | None:
    """Return the features in a run folder against which strangeness is measured; None if there are none.

    Raises:
        InputError: the file is damaged.
    """
    path = run / run_files.BANK
    if not path.is_file():
        return None
    try:
        with np.load(path) as file:
            return file["bank"]
    except (*DAMAGED_ARCHIVE, KeyError) as error:
        raise InputError(f"{path}: damaged ({error}); {RESTORE}") from error


def load_keras(path) -> tuple[keras.Model, list[str]]:
    """Load a Keras model and its class names, from a run folder, or from a .keras file with classes.json beside it.

    Raises:
        InputError: there is no Keras model, or only an export, which has no layers; it is damaged; its classes do not
            fit.
    """
    path = local(path)
    if (path / run_files.SAVED_MODEL).is_file():
        beside = path.parent / run_files.MODEL
        raise InputError(f"{path}: is an export, which has no layers; give the Keras model instead: {beside}")
    path = path / run_files.MODEL if path.is_dir() else path
    if not path.is_file() and unfinished.is_unfinished(path.parent):
        raise InputError(f"{path.parent}: has no model yet; {unfinished.told(path.parent)}")
    if not path.is_file() or path.suffix != ".keras":
        raise InputError(f"{path}: there is no Keras model here (expected a run folder or a .keras file)")
    model = saved.load(path)
    listed = path.with_name(run_files.CLASSES)
    classes = read_json(listed, list)
    if len(classes) != model.output_shape[-1]:
        raise InputError(f"{listed}: has {len(classes)} classes, but the model has {model.output_shape[-1]}")
    with zipfile.ZipFile(path) as file:
        inside = json.loads(file.read(run_files.CLASSES)) if run_files.CLASSES in file.namelist() else classes
    if inside != classes:
        raise InputError(f"{listed}: its classes are not those inside {path.name}")
    return model, classes
