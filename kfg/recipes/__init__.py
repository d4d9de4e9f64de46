"""One module for each study; each is a program: python -m kfg.recipes.NAME."""

import importlib

from kfg.engine.recipe import Recipe
from kfg.errors import InputError
from kfg.names import suggestion

NAMES = ("imagenet20", "fruit3", "cub200", "retail258", "competition100", "folder")


def named(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        InputError: there is no recipe of this name.
    """
    if name not in NAMES:
        raise InputError(f"recipe: {name!r} is unknown; {suggestion(name, NAMES)}")
    return importlib.import_module(f"kfg.recipes.{name}").RECIPE
