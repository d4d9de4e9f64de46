"""An order: what a command or call asks of a recipe (rows, images, settings, repetitions)."""

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Mapping

from kfg import program
from kfg.data import stores
from kfg.data.index import Index
from kfg.engine.options import OF_RECIPES, assigned, seeds
from kfg.engine.recipe import Recipe
from kfg.errors import InputError
from kfg.runs import run_files

GB = 1_000_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """The rows to run, the images to run them on, and how.

    Args:
        data: folder of photographs; None for drawn images.
        out: folder of the runs.
        rows: names of rows; None for the recipe's default rows.
        seeds: each row is run once for each seed.
        folds: if > 1, each row is run once for each fold, so that every image is tested once.
        settings: name -> value, replacing settings of every row.
        epochs: "30" for every row, or "50%" of each row's own number; None leaves them unchanged.
        weights: "imagenet", "none" or a weights file, in place of ImageNet's for rows with a pretrained trunk; None
            leaves them unchanged.
        init_from: run or model of the same net, whose weights (except the last layer's) each row starts from; None: no
            such run.
        precision: one of kfg.training.precision.CHOICES.
        max_params: the most parameters that a model may have, as a number or text like "10M"; None for any number.
        quick, smoke: replace settings by those of the recipe's `quick` or `smoke`.
        resume: continue interrupted runs.
        track: names from kfg.tracking.logs.LOGS.
        cache: folder for decoded images; None for `out`/cache.
        memory_budget: bytes of decoded images to keep in memory.
        corrections: as for kfg.data.folder.scan.
        devices: how many devices share the training of a net, as a number or "all".
        index: the images, if they are already read and grouped.
        options: setting -> option of the program that was called, for the commands that messages suggest.
    """

    data: pathlib.Path | None
    out: pathlib.Path = run_files.RUNS
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
    memory_budget: int = stores.MEMORY_BUDGET
    corrections: bool = True
    devices: int | str = 1
    index: Index | None = dataclasses.field(default=None, repr=False, compare=False)
    options: Mapping = dataclasses.field(default_factory=lambda: OF_RECIPES)


def parser(recipe: Recipe) -> argparse.ArgumentParser:
    """Make the argument parser of a recipe."""
    p = program.Parser(
        prog=f"python -m kfg.recipes.{recipe.name}",
        description=recipe.description.splitlines()[0],
        epilog=f"rows: {', '.join(recipe.rows)}",
    )
    demonstrated = "; without any arguments the recipe's main task runs on the drawn images, in a few minutes"
    p.add_argument(
        "--data",
        required=True,
        help=f"folder of class folders, or 'demo' for drawn images{demonstrated if recipe.demo else ''}",
    )
    p.add_argument(
        "--out", default=run_files.RUNS, type=pathlib.Path, help="folder for the run folders (default: %(default)s)"
    )
    p.add_argument(
        "--rows",
        default=",".join(recipe.default_rows),
        help="rows to run, separated by commas (default: %(default)s), or 'all'",
    )
    p.add_argument("--seeds", default="0", help="seeds, separated by commas, one run each (default: 0)")
    p.add_argument("--folds", type=int, default=1, metavar="K", help="run K times, so that every image is tested once")
    p.add_argument(
        "--epochs", metavar="N", help="change the number of epochs of every row; 50%% halves the number of each row"
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE|@FILE",
        help="change a setting of every row; @FILE takes all settings that a search found, from its best.json",
    )
    p.add_argument(
        "--precision",
        default="float32",
        help="float32, bfloat16, float16, or auto, which times them and takes the fastest",
    )
    p.add_argument(
        "--weights",
        metavar="imagenet|none|PATH",
        help="weights from which rows with a pretrained trunk start (default: ImageNet weights)",
    )
    p.add_argument(
        "--init-from",
        metavar="RUN",
        help="a run of the same network on other data; all layers but the last start from its weights",
    )
    p.add_argument(
        "--max-params", metavar="N", help="refuse models with more parameters than this (10M means ten million)"
    )
    p.add_argument(
        "--devices",
        default="1",
        metavar="all|N",
        help="number of GPUs that share the training of a network (default: %(default)s)",
    )
    p.add_argument(
        "--quick", action="store_true", help="use smaller networks and fewer epochs, to take minutes instead of hours"
    )
    p.add_argument("--smoke", action="store_true", help="run through everything with the smallest settings, in seconds")
    p.add_argument("--resume", action="store_true", help="continue runs that were interrupted")
    p.add_argument(
        "--track", action="append", default=[], metavar="LOG", help="log to tensorboard or wandb; repeat for both"
    )
    p.add_argument("--no-corrections", action="store_true", help="ignore a corrections.csv of kfg review")
    p.add_argument(
        "--cache", type=pathlib.Path, help="folder for decoded images that do not fit into memory (default: OUT/cache)"
    )
    p.add_argument(
        "--memory-budget",
        type=float,
        default=stores.MEMORY_BUDGET / GB,
        metavar="GB",
        help="gigabytes of decoded images kept in memory, of all sizes together (default: %(default)g)",
    )
    return p


def read(recipe: Recipe, words) -> Order:
    """Parse a recipe's command line into an Order.

    Raises:
        InputError: a word that cannot be understood; the message names the option.
    """
    args = parser(recipe).parse_args(words)
    return Order(
        data=None if args.data == "demo" else pathlib.Path(args.data),
        out=args.out,
        rows=tuple(recipe.rows) if args.rows == "all" else _names(args.rows),
        seeds=tuple(seeds(args.seeds)),
        folds=args.folds,
        settings=assigned(args.set, recipe.setting_names()),
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
        corrections=not args.no_corrections,
        devices=args.devices,
    )


def _names(text) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError("--rows: no row is named; give at least one")
    return names


def _bytes(gigabytes) -> int:
    if not 0 <= gigabytes * GB < math.inf:  # also refuses NaN
        raise InputError(f"--memory-budget: must be gigabytes from 0 up, got {gigabytes}")
    return int(gigabytes * GB)
