"""Turn the words of a command line into a recipe's settings, and settings into words."""

import ast
import dataclasses
import shlex
import typing

from kfg.augment.by_name import ByName
from kfg.errors import InputError
from kfg.files import read_json
from kfg.names import suggestion
from kfg.time_budgets import NO_LIMIT, UNITS

# setting -> option of the program that sets it; all other settings are given by --set
OF_RECIPES = {"weights": "--weights", "init_from": "--init-from", "epochs": "--epochs"}
OF_TRAIN = {  # `kfg train`
    "weights": "--weights",
    "time_budget": "--time-budget",
    "epochs": "--epochs",
    "learning_rate": "--learning-rate",
}
TRUNKS = ("backbone", "second_backbone", "second_opinion")  # settings that name a pretrained trunk
MAX_SEED = 2**31 - 1  # TensorFlow's index_shuffle takes an int32 seed


def countdown(budget: float, spent: float = 0.0) -> float | None:
    """Return the seconds that are left of a time budget, for the screen; None if the budget has no end.

    Example:
        >>> countdown(600.0, 510.0), countdown(NO_LIMIT, 30.0)
        (90.0, None)
    """
    return budget - spent if budget < NO_LIMIT else None


def second_for(backbone: str) -> str:
    """Return the trunk for a second opinion on nets with this trunk; its weights come with kfg."""
    return "efficientnet-lite0" if backbone == "efficientnet-lite2" else "efficientnet-lite2"


def as_typed(key: str, value, options) -> str | None:
    """Return the words of a command line that set a setting, quoted for a shell; None if the value is a dict.

    Args:
        key: name of the setting.
        value: its value, as read from a config.json.
        options: setting -> option of the program that was called; other settings are given by --set.
    Example:
        >>> as_typed("time_budget", 180.0, OF_TRAIN), as_typed("image_size", [68, 45], OF_TRAIN)
        ('--time-budget 3m', "--set 'image_size=(68, 45)'")
    """
    if isinstance(value, dict):
        return None
    option = options.get(key)
    if option is None:
        return f"--set {shlex.quote(f'{key}={tuples(value)}')}"
    return f"{option} {shlex.quote(_duration(value) if option == '--time-budget' else str(value))}"


def difference(found, wanted, key, options) -> tuple[str, str]:
    """Describe how a run's settings differ from today's, and how to continue with the run's own.

    Settings may also differ because the defaults changed between versions.

    Args:
        found, wanted: the run's settings and today's, as in config.json.
        key: a key whose values differ.
        options: as for `as_typed`.
    Returns:
        The name with both values; and words to append to a message, "" if no option can set the run's value.
    """
    before, now, of_config = found.get(key), wanted[key], key == "config"
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(name for name in {**before, **now} if before.get(name) != now.get(name))
        if of_config and key not in before:
            return f"{key} (it was started by an earlier version of kfg, which did not have this setting)", ""
        before, now = before.get(key), now.get(key)
    words = as_typed(key, before, options) if of_config else None
    return f"{key} ({before}, now {now})", f", continue with {words}" if words else ""


def _duration(seconds: float) -> str:
    """Return seconds in the largest unit that needs no fraction: 180.0 is "3m", 90.5 is "90.5s"."""
    unit = next((unit for unit, size in UNITS.items() if seconds % size == 0), "s")
    return f"{seconds / UNITS[unit]:.12g}{unit}"


def within(config, limits) -> None:
    """Check that a Config's numbers are in range; `limits` are (name, lowest, highest); None in the Config is allowed.

    Raises:
        ValueError: a number is out of range; the message has the setting, the limits and the value.
    """
    for name in ("image_size", "crop_from"):
        size = getattr(config, name, None)
        if size is not None and not (len(size) == 2 and all(isinstance(n, int) and 1 <= n <= 65536 for n in size)):
            raise ValueError(f"{name}: expected height and width in whole pixels like (224, 224), got {size!r}")
    for name, low, high in limits:
        value = getattr(config, name)
        if value is not None and not (isinstance(value, (int, float)) and low <= value <= high):
            raise ValueError(f"{name}: must be from {low} to {high}, got {value!r}")


def epochs(text, before) -> int:
    """Return the epochs that `--epochs` asks for: "30" means 30, "50%" half of `before`, at least 1."""
    number, percent, rest = text.partition("%")
    if rest or not number.isascii() or not number.isdigit() or int(number) < 1:
        raise InputError(f"--epochs: expected a whole number from 1 up like 30, or a percentage like 50%, got {text!r}")
    return max(1, round(before * int(number) / 100)) if percent else int(number)


def seeds(text) -> list[int]:
    """Return the seeds that `--seeds` asks for: "0,1,2" means [0, 1, 2]."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds: expected whole numbers like 0,1,2, got {text!r}") from None
    if min(numbers) < 0 or max(numbers) > MAX_SEED or len(set(numbers)) < len(numbers):
        raise InputError(f"--seeds: expected different numbers from 0 to {MAX_SEED}, got {text!r}")
    return numbers


def replaced(config, changes, *, prefix: str = "--set "):
    """Return a Config with some settings replaced.

    A setting that is itself a dataclass takes a dict of its own fields. If its type is `Policy | ByName`, a dict with
    by_class makes a ByName, whose default is the earlier policy. None is accepted if it is the setting's default.

    Args:
        changes: name of a setting -> its new value.
        prefix: text before the name of a setting in an error message.
    Raises:
        InputError: a value of another type than before, or one that the Config refuses.
    """
    types = {field.name: field.type for field in dataclasses.fields(config)}
    optional = {field.name for field in dataclasses.fields(config) if field.default is None}
    for key, value in changes.items():
        before = getattr(config, key)
        if dataclasses.is_dataclass(before) and isinstance(value, dict):
            try:
                changes = {**changes, key: _changed(before, value, types[key])}
            except (TypeError, ValueError) as error:
                raise InputError(f"{prefix}{key}: {error}") from error
        elif not (_fits(before, value) or (value is None and key in optional)):
            raise InputError(f"{prefix}{key}: expected {type(before).__name__} like {before!r}, got {value!r}")
    try:
        return dataclasses.replace(config, **changes)
    except ValueError as error:
        raise InputError(f"{prefix}{error}") from error


def _changed(before, value, of_type):
    if "by_class" in value and ByName in typing.get_args(of_type):
        return ByName(**{"default": before, **value})
    return dataclasses.replace(before, **value)


def _fits(before, value) -> bool:
    whole = isinstance(before, float) and isinstance(value, int)
    return before is None or whole or isinstance(value, type(before))


def assigned(words, fields) -> dict:
    """Return the settings that `--set` asks for, see `pairs`; refuse unknown names.

    Args:
        words: the arguments of all --set.
        fields: names of the known settings.
    Raises:
        InputError: as for `pairs`; an unknown name.
    """
    changes = pairs(words)
    for name in changes:
        word = next((word for word in words if word.startswith(f"{name}=")), next(iter(words)))
        check_known([name], fields, f"--set {word}")
    return changes


def pairs(words) -> dict:
    """Return the settings of words like KEY=VALUE, or @FILE with settings that a search found; later words win.

    Raises:
        InputError: a word without a value; a file that no search wrote.
    """
    changes = {}
    for word in words:
        if word.startswith("@"):
            found = read_json(word[1:])
            settings = found.get("settings") if isinstance(found, dict) else None
            if not isinstance(settings, dict) or not settings:
                raise InputError(f"--set {word}: is not the best.json of a search, as it has no settings")
            changes |= {key: tuples(value) for key, value in settings.items()}
            continue
        key, _, text = word.partition("=")
        if not text:
            raise InputError(f"--set {word}: expected KEY=VALUE, or @FILE with the settings that a search found")
        changes[key] = value_of(text)
    return changes


def check_known(settings, fields, where: str) -> None:
    """Refuse settings whose names are unknown.

    Example:
        >>> check_known({"lerning_rate": 1}, ["learning_rate", "epochs"], "--set lerning_rate=1")
        Traceback (most recent call last):
        kfg.errors.InputError: --set lerning_rate=1: unknown setting lerning_rate; did you mean learning_rate?
    """
    for name in settings:
        if name not in fields:
            raise InputError(f"{where}: unknown setting {name}; {suggestion(name, fields)}")


def tuples(value):
    """Return a value from JSON with its lists as tuples, as settings have them."""
    if isinstance(value, dict):
        return {key: tuples(inner) for key, inner in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def value_of(text: str):
    """Return the Python value that a word stands for; the word itself if it stands for none.

    Example:
        >>> value_of("0.5"), value_of("true"), value_of("(64, 48)"), value_of("none")
        (0.5, True, (64, 48), 'none')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text.lower(), text)
