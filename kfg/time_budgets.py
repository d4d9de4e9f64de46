"""Time budgets: the defaults, as they are typed, and how many seconds a typed one stands for."""

import re

from kfg.errors import InputError

TRAINING = "12m"  # default of one run of `kfg train`
REPAIR = "20m"  # default of `kfg repair`
UNITS = {"h": 3600, "m": 60, "s": 1}
SHORTEST = 30  # seconds; loading a pretrained net and tracing its graph takes much of that
NO_LIMIT = 1e9  # seconds; a time budget this long never ends a training


def seconds_of(text) -> float:
    """Return the number of seconds that "90s", "10m" or "2h" stands for; a number alone is minutes.

    Raises:
        InputError: text that is no time, or a time too short for any training.
    Example:
        >>> seconds_of("10m"), seconds_of("1.5h"), seconds_of("90s"), seconds_of("3")
        (600.0, 5400.0, 90.0, 180.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).strip(), flags=re.ASCII)
    seconds = float(match[1]) * UNITS[match[2] or "m"] if match else 0
    if not 0 < seconds <= NO_LIMIT:
        raise InputError(f"--time-budget: expected a time like 90s, 10m or 2h, got {text!r}")
    if seconds < SHORTEST:
        raise InputError(
            f"--time-budget: {str(text).strip()} is too short; give at least {SHORTEST}s, which is enough for the head "
            "of a network on a few hundred photographs; fine-tuning needs minutes (try 10m)"
        )
    return seconds
