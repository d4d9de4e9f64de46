"""The Keras settings that kfg's nets need, whatever a user's keras.json and environment say.

Keras reads ~/.keras/keras.json and KERAS_* variables once, when it is imported. Older versions of Keras and work with
other backends can leave settings there with which kfg's nets and their weights do not work.
"""

import contextlib
import os
import sys

from kfg.errors import InputError

PREFIX = "KERAS_"
NEEDED = {"backend": "tensorflow", "image_data_format": "channels_last", "floatx": "float32"}


@contextlib.contextmanager
def set_aside():
    """Hide the user's Keras settings from an import of Keras inside a `with` block, then restore the environment."""
    before = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    for name in before:
        del os.environ[name]
    # os.devnull is no folder, so Keras finds no settings file and writes none
    os.environ |= {"KERAS_HOME": os.devnull, "KERAS_BACKEND": NEEDED["backend"]}
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"], os.environ["KERAS_BACKEND"]
        os.environ |= before


def check_imported() -> None:
    """Check the settings if Keras has been imported; see `check`."""
    if "keras" in sys.modules:
        check()


def check() -> None:
    """Refuse to build, load or train a net under Keras settings that kfg does not work with.

    Raises:
        InputError: one line that names the setting and says what to change.
    """
    import keras

    found = {name: getattr(keras.config, name)() for name in NEEDED}
    for name, needed in NEEDED.items():
        if found[name] != needed:
            way = "KERAS_BACKEND=tensorflow" if name == "backend" else f"keras.config.set_{name}({needed!r})"
            raise InputError(
                f"Keras setting {name}: kfg needs {needed!r}, but it is {found[name]!r}; change it in {_file()}, or "
                f"start with {way}"
            )


def _file() -> str:
    return os.path.join(os.environ.get("KERAS_HOME", "~/.keras"), "keras.json")
