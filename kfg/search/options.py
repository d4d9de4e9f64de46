"""Turn the words of a command line into the Definition of a search."""

import importlib
import pathlib

from kfg import overwrite
from kfg.engine import photographs, places, weights_at_hand
from kfg.engine.options import assigned, replaced
from kfg.errors import InputError
from kfg.models.freezing import parse_count
from kfg.search import distributed
from kfg.search.algorithms import ALGORITHMS
from kfg.search.definition import OBJECTIVES, Definition
from kfg.search.spaces import SPACES
from kfg.training.precision import CHOICES


def from_words(args, spaces=None) -> Definition:
    """Check the words, scan the images and return the Definition.

    Args:
        args: the result of parsing with `kfg.search.command.parser`.
        spaces: recipe -> name of a space -> Space; default kfg.search.spaces.SPACES.
    Raises:
        InputError: an unknown name; a number out of range; no images; settings that do not fit each other.
    """
    spaces = SPACES if spaces is None else spaces
    if args.recipe is None:
        raise InputError(f"RECIPE: is missing; give one of {', '.join(spaces)}, or --show DIR to print a search")
    _known("RECIPE", args.recipe, spaces)
    known = spaces[args.recipe]
    name = next(iter(known)) if args.space is None else args.space
    _known("--space", name, known)
    space = known[name]
    _known("--algorithm", args.algorithm, ALGORITHMS)
    _known("--objective", args.objective, OBJECTIVES)
    _known("--precision", args.precision, [name for name in CHOICES if name != "auto"])
    for option, low, high in (
        ("max_trials", 1, 10**6),
        ("executions", 1, 1000),
        ("finish", 0, 1000),
        ("seed", 0, 2**30),
    ):
        if not low <= getattr(args, option) <= high:
            raise InputError(f"--{option.replace('_', '-')}: must be from {low} to {high}, got {getattr(args, option)}")
    if args.trial_time is not None and not 0 < args.trial_time < 1e9:
        raise InputError(f"--trial-time: must be above 0 seconds, got {args.trial_time}")
    if args.worker is not None and args.chief is None:
        raise InputError(f"--worker {args.worker}: also needs --chief HOST:PORT")
    if args.chief is not None:
        distributed.address(args.chief)
    if args.worker is not None:
        distributed.worker_name(args.worker)
    if not 0 < args.patience < 1e6:
        raise InputError(f"--patience: must be above 0 seconds, got {args.patience}")
    for option in ("data", "out"):
        if getattr(args, option) is None:
            raise InputError(f"--{option}: is needed for a search; to print a search, give --show DIR")
    row = importlib.import_module(space.module).RECIPE.rows[space.row].config
    given = assigned(args.set, vars(row))
    max_params = None if args.max_params is None else parse_count(args.max_params)
    config = replaced(row, given)
    if getattr(config, "val_is_test", False):
        raise InputError("--set val_is_test=True: a search must not choose by test images")
    weights_at_hand.check_names([config])
    data = None if args.data == "demo" else pathlib.Path(args.data)
    if data is not None:
        places.check_beside(data, args.out)
    overwrite.check_writable("--out", args.out)
    if args.cache is not None:
        overwrite.check_writable("--cache", args.cache)
    index, data_name = photographs.open_index(data, out=args.out)
    return Definition(
        recipe=args.recipe,
        space_name=name,
        space=space,
        config=config,
        given=given,
        algorithm=args.algorithm,
        objective=args.objective,
        seed=args.seed,
        executions=args.executions,
        max_params=max_params,
        trial_time=args.trial_time,
        precision=args.precision,
        index=index,
        data_name=data_name,
    )


def _known(what, name, known):
    if name not in known:
        raise InputError(f"{what}: {name!r} is not one of {', '.join(known)}")
