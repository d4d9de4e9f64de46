"""Whether the packages of the extra `serve` are installed."""

import importlib.util

from kfg.errors import InputError


def check(command: str, names) -> None:
    """Refuse a command that needs packages which are not installed.

    Args:
        command: the command as it is typed, for the message.
        names: names under which the packages are imported.
    Raises:
        InputError: one of them is missing.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{command}: needs {missing[0]}, which is not installed; install it in the folder of kfg with "
            "pip install '.[serve]'"
        )
