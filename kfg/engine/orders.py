"""What one command or call asks of a recipe: which rows, on which images, with which settings, how often."""

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Mapping

from kfg import program
from kfg.engine.options import assigned, seeds
from kfg.errors import InputError
from kfg.runs import run_files

GB = 1_000_000_000
RUNS = pathlib.Path(run_files.RUNS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run.

    Args:
        data: folder of photographs; None for drawn images.
        out: folder of the runs.
        rows: names; None for the recipe's default ones.
        seeds: one run of each row for each.
        folds: > 1 runs as often, so that every image is tested once.
        settings: name -> value, which replace those of every row.
        epochs: "30" for every row, or "50%" of each row's own; None as they are.
        weights: "imagenet", "none" or a file, instead of ImageNet's for rows with a pretrained trunk; None as they are.
        init_from: a run or model of the same net, whose weights all but the last begin; None for none.
        precision: one of kfg.training.precision.CHOICES.
        max_params: parameters a model may have, as a number or "10M"; None for any.
        quick, smoke: replace settings by the recipe's QUICK and SMOKE ones.
        resume: go on with interrupted runs.
        track: names of kfg.tracking.logs.LOGS.
        cache: folder for decoded images; None for `out`/cache.
        memory_budget: bytes of decoded images that are kept in memory.
    """

    data: pathlib.Path | None
    out: pathlib.Path = RUNS
    rows: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    folds: int = 1
    settings: Mapping = dataclasses.field(default_factory=dict)
    epochs: str | None = None
    weights: str | None = None
    init_from: str | None = None
    precision: str = "float32"
    max_params: int | str | None = None
    quick: bool = False
    smoke: bool = False
    resume: bool = False
    track: tuple[str, ...] = ()
    cache: pathlib.Path | None = None
    memory_budget: int = 2 * GB


def parser(recipe) -> argparse.ArgumentParser:
    """Make the argument parser of a recipe module, which has NAME, ROWS, DEFAULT_ROWS and a docstring."""
    known = ", ".join(recipe.ROWS)
    p = program.Parser(
        prog=f"python -m kfg.recipes.{recipe.NAME}", description=recipe.__doc__.splitlines()[0], epilog=f"rows: {known}"
    )
    p.add_argument("--data", required=True, help="folder of class folders, or 'demo' for drawn images")
    p.add_argument("--out", default="runs", type=pathlib.Path, help="where run folders go (default: runs)")
    p.add_argument(
        "--rows", default=",".join(recipe.DEFAULT_ROWS), help="comma-separated (default: %(default)s), or 'all'"
    )
    p.add_argument("--seeds", default="0", help="comma-separated, one run each (default: 0)")
    p.add_argument("--folds", type=int, default=1, metavar="K", help="run K times so that every image is tested once")
    p.add_argument("--epochs", metavar="N", help="replace every row's number of epochs; 50%% halves each row's own")
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE|@FILE",
        help="replace a setting of every row; @FILE takes all that a search found, from its best.json",
    )
    p.add_argument(
        "--precision", default="float32", help="float32, bfloat16, float16, or auto: time and take the fastest"
    )
    p.add_argument(
        "--weights",
        metavar="imagenet|none|PATH",
        help="what rows with a pretrained trunk begin from, instead of ImageNet",
    )
    p.add_argument(
        "--init-from", metavar="RUN", help="a run of the same net on other data, whose weights all but the last begin"
    )
    p.add_argument("--max-params", metavar="N", help="refuse a model of more parameters; 10M is ten million")
    p.add_argument("--quick", action="store_true", help="smaller nets and fewer epochs: minutes, not hours")
    p.add_argument("--smoke", action="store_true", help="the least that runs through everything: seconds")
    p.add_argument("--resume", action="store_true", help="go on with interrupted runs")
    p.add_argument("--track", action="append", default=[], metavar="LOG", help="log to tensorboard or wandb, or both")
    p.add_argument(
        "--cache", type=pathlib.Path, help="folder for decoded images too many for memory (default: OUT/cache)"
    )
    p.add_argument(
        "--memory-budget",
        type=float,
        default=2.0,
        metavar="GB",
        help="decoded images kept in memory, all sizes together (default: 2)",
    )
    return p


def read(recipe, words) -> Order:
    """Return what the words of a command line ask for.

    Raises:
        InputError: a word that is understood by none; the option is named.
    """
    args = parser(recipe).parse_args(words)
    fields = [field.name for field in dataclasses.fields(next(iter(recipe.ROWS.values())).config)]
    return Order(
        data=None if args.data == "demo" else pathlib.Path(args.data),
        out=args.out,
        rows=tuple(recipe.ROWS) if args.rows == "all" else _names(args.rows),
        seeds=tuple(seeds(args.seeds)),
        folds=args.folds,
        settings=assigned(args.set, fields),
        epochs=args.epochs,
        weights=args.weights,
        init_from=args.init_from,
        precision=args.precision,
        max_params=args.max_params,
        quick=args.quick,
        smoke=args.smoke,
        resume=args.resume,
        track=tuple(args.track),
        cache=args.cache,
        memory_budget=_bytes(args.memory_budget),
    )


def _names(text) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError("--rows: names no row")
    return names


def _bytes(gigabytes) -> int:
    if not 0 <= gigabytes < math.inf:  # refuses nan too
        raise InputError(f"--memory-budget: gigabytes from 0 up, got {gigabytes}")
    return int(gigabytes * GB)
