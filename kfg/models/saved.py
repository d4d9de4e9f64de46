"""Load a saved Keras model; a damaged or unknown one is refused with a message of one line."""

import zipfile

import keras

from kfg import keras_settings
from kfg.errors import InputError
from kfg.files import DAMAGED_ARCHIVE
from kfg.models import calibrated, fbsd, mirrored, mmal  # noqa: F401  importing them registers kfg's layers with Keras

UNKNOWN = (OSError, ValueError, KeyError, TypeError)  # Keras raises these for an intact archive that is not kfg's model


def load(path) -> keras.Model:
    """Load a model from a `.keras` file, not compiled.

    The whole archive is checked first, because for a damaged file Keras raises one of many errors, says "File not
    found" if it is empty or truncated, and does not notice some damage.

    Raises:
        InputError: the file is missing or damaged, or the model has layers that kfg does not know (the message is one
            line that names the file); or Keras has settings that kfg does not work with.
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
    return InputError(f"{path}: not a complete Keras model ({said[0]})")
