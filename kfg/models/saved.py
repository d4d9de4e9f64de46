"""A saved Keras model, read back whole or refused in one line."""

import zipfile

import keras

from kfg import keras_settings
from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE
from kfg.models import fbsd, mirrored, mmal  # noqa: F401  Keras knows a layer of ours once it is imported

UNKNOWN = (OSError, ValueError, KeyError, TypeError)  # what Keras raises of a whole archive that is no model of kfg


def load(path) -> keras.Model:
    """Load a `.keras` file, not compiled.

    The archive is read through first: Keras answers damage with one of many errors, says "File not found" of an
    empty or truncated file, and does not notice some of it.

    Raises:
        InputError: missing, damaged, or no model that kfg knows all layers of; one line that names the file. Keras
            settings that kfg does not work with.
    """
    keras_settings.check()
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except DAMAGED_ARCHIVE as error:
        raise _refusal(path, error) from error
    if damaged is not None:
        raise _refusal(path, f"{damaged} inside it is damaged")
    try:
        return keras.saving.load_model(path, compile=False)
    except UNKNOWN as error:
        raise _refusal(path, error) from error


def _refusal(path, error):
    said = str(error).splitlines() or [type(error).__name__]
    return InputError(f"{path}: not a whole Keras model ({said[0]})")
