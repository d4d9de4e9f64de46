"""The diagnosis: from a finished run to the causes of its weak classes. The test photographs are not used."""

import dataclasses
import math
import pathlib
from collections.abc import Callable

import numpy as np

from kfg.data import splitcsv
from kfg.data.index import Index, make_index
from kfg.engine import photographs
from kfg.errors import InputError
from kfg.files import read_json
from kfg.models import backbones, heads
from kfg.progress import Progress, duration
from kfg.recipes.folder_settings import AUGMENTED, Config
from kfg.repairing import decided, judging, needs
from kfg.repairing.findings import Diagnosis
from kfg.repairing.looking import Eyes
from kfg.repairing.manner import Manner
from kfg.repairing.photographs import AsTheyWere, as_they_were
from kfg.repairing.trunks import Trunk
from kfg.runs import choices, origins, run_files
from kfg.training.features import Views
from kfg.training.out_of_fold import TooLong

JUDGED = ("train", "val")  # parts whose photographs are judged
VIEWS = Views(count=Config.views, policy=AUGMENTED)
TRUNK = Trunk(Config.backbone, Config.image_size, Config.weights)  # of kfg train, for runs that have none of their own


def forever() -> float:
    return math.inf


def diagnose(
    run,
    *,
    data=None,
    cache_dir=None,
    target: float | None = None,
    left: Callable[[], float] = forever,
) -> Diagnosis:
    """Find out which classes of a run are weak, and why.

    Args:
        run: folder of a finished run, of any recipe.
        data: folder of the run's photographs; default the one that the run was trained on.
        cache_dir: where features are kept; default the cache beside the runs, or inside the run folder if it stands
            alone.
        target: recall in (0, 1] below which a class is weak; default the share of all photographs that is recognised.
        left: function () -> seconds that are left. Steps that there is no time for are left out, and the result says
            so.
    Raises:
        InputError: no run; photographs that are not there; a damaged corrections.csv; a target out of range; less time
            than it takes to look at the photographs and to answer each one once.
    """
    run = pathlib.Path(run).resolve()
    check_target(target)
    settings = read_json(run / run_files.CONFIG, dict)
    rows, there = _photographs(run, origins.photographs_folder(run, data), settings)
    known = decided.of(there.index, there.index.root / run_files.CORRECTIONS)
    photographs.be_deterministic()
    eyes = _eyes(run, settings, rows, there.index, cache_dir)
    eyes.check_time(left())
    return _judged(eyes, there, manner_of(settings, there.index), target=target, known=known, left=left)


def _judged(eyes, there, manner, *, target, known, left) -> Diagnosis:
    features = eyes.plain()
    mirrored = eyes.mirrored() if manner.mirrored else None
    try:
        return judging.of_features(
            there.index,
            features,
            manner,
            lambda: eyes.images,
            mirrored=mirrored,
            prints=there.prints,
            left_out=there.left_out,
            target=target,
            eyes=eyes,
            known=known,
            left=left,
        )
    except TooLong as error:
        raise InputError(
            f"--time-budget: judging {len(there.index):,} photographs takes about {duration(error.expected)}, but only "
            f"{duration(max(left(), 0))} are left; give more time"
        ) from error


def curves(found: Diagnosis) -> needs.Needs:
    """Return recall as a function of the share of photographs. A diagnosis has it already if a class is weak."""
    return needs.measured(found.crossed.index, found.eyes.plain(), found.manner, cache_dir=found.eyes.cache_dir)


def _eyes(run, settings, rows, index, cache_dir) -> Eyes:
    """Return the Eyes that compute the features of a run's photographs as the run's own net sees them."""
    cache_dir = origins.cache_beside(run) if cache_dir is None else pathlib.Path(cache_dir)
    return Eyes(index, trunk_of(settings), VIEWS, cache_dir, *_whole(rows, index))


def check_target(target) -> None:
    """Raise InputError unless the target, a recall, is None or in (0, 1]."""
    if target is not None and not 0 < target <= 1:
        raise InputError(f"--target: must be a recall above 0 and at most 1, got {target}")


def _whole(rows, index) -> tuple[Index, np.ndarray]:
    """Return an Index of all photographs of a run, in the run's order, and the positions in it of `index`."""
    paths = [row["path"] for row in rows]
    where = {path: number for number, path in enumerate(paths)}
    digests = [row.get("sha256", "") for row in rows]
    whole = make_index(index.root, paths, [0] * len(paths), index.classes, sha256=digests)
    return whole, np.array([where[path] for path in index.paths])


def _photographs(run, root, settings) -> tuple[list[dict], AsTheyWere]:
    """Return all rows of the run's split, and the training and validation photographs that the run learned from."""
    all_rows, _ = splitcsv.split_rows(run / run_files.SPLIT)
    unlearned = origins.left_out(run)
    rows = [row for row in all_rows if row["part"] in JUDGED and row["path"] not in unlearned]
    found = as_they_were(run, root, rows, progress=Progress("photographs read"))
    if not found.prints:
        raise InputError(f"{root}: has none of the {len(rows):,} photographs of {run}; give their folder with --data")
    if len(set(found.index.labels.tolist())) < 2:
        raise InputError(f"{root}: has photographs of only one class of {run}; give their folder with --data")
    gone = [(row["path"], "this run did not use it") for row in all_rows if row["path"] in unlearned]
    return all_rows, dataclasses.replace(found, left_out=found.left_out + gone)


def _own(settings) -> dict:
    """Return the settings of a run of `kfg train`, also of one made by a repair; {} for a run of another recipe."""
    config = settings.get("config")
    return config if settings.get("recipe") == run_files.TRAIN_RECIPE and isinstance(config, dict) else {}


def trunk_of(settings) -> Trunk:
    """Return a run's own trunk if it started from ImageNet's weights, else TRUNK."""
    config = settings.get("config")
    if not isinstance(config, dict) or config.get("weights") != "imagenet":
        return TRUNK
    name, size = config.get("backbone", config.get("net")), config.get("image_size")
    if name not in backbones.BACKBONES or not isinstance(size, list) or len(size) != 2:
        return TRUNK
    # heads on both trunks are much like a second opinion
    second = config.get("second_backbone") or choices.heard(settings)
    return Trunk(name, tuple(size), second=second if second in backbones.BACKBONES and second != name else "")


def manner_of(settings, index: Index) -> Manner:
    """Return how a run learns and answers: its treatment of rare classes, mirror images, and raised classes."""
    made = settings
    for key in ("choices", "classes", "treatment"):
        made = made.get(key) if isinstance(made, dict) else None
    treatment = made if isinstance(made, str) else "none"
    own = _own(settings)
    bias = heads.log_odds(own.get("class_bias") or (), index.classes)
    return Manner.of(treatment, index.counts(), mirrored=bool(own.get("mirror_averaged")), bias=bias)
