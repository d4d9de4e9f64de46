"""The formats by name. Importing this module imports neither TensorFlow nor any runtime."""

import importlib.util
from collections.abc import Iterable

from kfg.errors import InputError
from kfg.exporting.formats import keras_file, litert, litert_int8, onnx, openvino, savedmodel
from kfg.exporting.formats.protocol import Format
from kfg.names import printable, suggestion

FORMATS: dict[str, Format] = {
    "savedmodel": savedmodel,
    "litert": litert,
    "litert-int8": litert_int8,
    "onnx": onnx,
    "openvino": openvino,
    "keras": keras_file,
}


def chosen(words: Iterable[str], *, option: str) -> list[str]:
    """Return the different names of formats in some words; a word may hold several names, separated by commas.

    Args:
        words: the words of the command line.
        option: option of the command line, for messages.
    Raises:
        InputError: an unknown name, and the message lists the known ones and the extra that each needs; a format that
            needs a module which is not installed; no name at all.
    Example:
        >>> chosen(["keras,savedmodel", "keras"], option="--format")
        ['keras', 'savedmodel']
    """
    names = [name.strip().lower() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in FORMATS:
            near = suggestion(name, FORMATS)
            hint = f"{near} Choose from" if near.startswith("did you") else "choose from"
            raise InputError(f"{option} {printable(name)}: no such format; {hint} {with_extras()}")
        if missing := not_installed(FORMATS[name].MODULES):
            extra = FORMATS[name].EXTRA
            raise InputError(
                f"{option} {name}: needs {missing[0]}, which is not installed; install it in the folder of kfg with "
                f"pip install '.[{extra}]'"
            )
    if not names:
        raise InputError(f"{option}: no format is named; choose from {with_extras()}")
    return list(dict.fromkeys(names))


def with_extras() -> str:
    """Return the names of all formats, each with the extra that it needs, for an error message."""
    names = (f"{name} ({f'extra {one.EXTRA}' if one.EXTRA else 'no extra'})" for name, one in FORMATS.items())
    return f"{', '.join(names)}; install an extra in the folder of kfg, as in pip install '.[onnx]'"


def not_installed(modules: Iterable[str]) -> list[str]:
    """Return the Python modules among `modules` that are not installed."""
    return [name for name in modules if importlib.util.find_spec(name) is None]
