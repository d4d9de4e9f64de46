"""From a finished run to the causes of its weak classes. The test photographs are not looked at."""

import pathlib

import numpy as np

from kfg.data import decoded, folder
from kfg.data.folder import Index
from kfg.data.stores import Budget
from kfg.engine import photographs
from kfg.errors import InputError
from kfg.files import read_json
from kfg.models import backbones
from kfg.names import printable
from kfg.progress import Progress
from kfg.recipes.folder_settings import AUGMENTED, Config
from kfg.repairing import causes, looks, weakness
from kfg.repairing.crossed import crossed
from kfg.repairing.findings import Diagnosis
from kfg.repairing.looking import Eyes, Trunk
from kfg.repairing.photographs import AsTheyWere, as_they_were
from kfg.runs import run_files
from kfg.training import imbalance
from kfg.training.features import Views

JUDGED = ("train", "val")  # parts
VIEWS = Views(count=Config.views, policy=AUGMENTED)


def diagnose(run, *, data=None, cache_dir=None, target: float | None = None, seed: int = 0) -> Diagnosis:
    """Find out which classes of a run are weak, and why.

    Args:
        run: folder of a finished run, of any recipe.
        data: the folder of its photographs; default the one that the run was trained on.
        cache_dir: where features are kept; default the cache beside the runs, or in a run folder that stands alone.
        target: recall in (0, 1] below which a class is weak; default the mean of all.
        seed: int >= 0, of the division into folds.
    Raises:
        InputError: no run, photographs that are not there, a target out of range.
    """
    run = pathlib.Path(run).resolve()
    check_target(target)
    settings = read_json(run / run_files.CONFIG, dict)
    rows, there = _photographs(run, photographs_folder(run, data))
    index = there.index
    photographs.be_deterministic()
    config = _trunk_settings(settings)
    cache_dir = _cache_beside(run) if cache_dir is None else pathlib.Path(cache_dir)
    images = decoded.load(
        index,
        image_size=config.image_size,
        cache_dir=cache_dir,
        memory_budget=Budget(decoded.MEMORY_BUDGET),
        progress=Progress("photographs decoded"),
    )
    whole, at = _whole(rows, index)
    trunk = Trunk(config.backbone, config.image_size, config.weights)
    eyes, loss = Eyes(index, images, trunk, VIEWS, cache_dir, whole, at), _loss(settings, index)
    found = crossed(index, eyes.plain(), loss=loss, seed=seed)
    evidence = causes.Evidence(found, there.prints, looks.of_store(images))
    of_class = causes.of_all(evidence)
    return Diagnosis(found, weakness.recalls(found, target=target), of_class, there.left_out, target, eyes, loss)


def check_target(target) -> None:
    """Raise InputError unless a recall that is asked for can be one."""
    if target is not None and not 0 < target <= 1:
        raise InputError(f"--target: a recall above 0 and at most 1, got {target}")


def _whole(rows, index) -> tuple[Index, np.ndarray]:
    """Return all photographs of a run in its own order, and where those of an index are among them."""
    paths = [row["path"] for row in rows]
    where = {path: number for number, path in enumerate(paths)}
    digests = [row.get("sha256", "") for row in rows]
    whole = folder.make_index(index.root, paths, [0] * len(paths), index.classes, sha256=digests)
    return whole, np.array([where[path] for path in index.paths])


def _photographs(run, root) -> tuple[list[dict], AsTheyWere]:
    """Return all rows of the run's split, and its training and validation photographs."""
    all_rows, _ = folder.split_rows(run / run_files.SPLIT)
    rows = [row for row in all_rows if row["part"] in JUDGED]
    found = as_they_were(run, root, rows, progress=Progress("photographs read"))
    if not found.prints:
        raise InputError(f"{root}: holds none of the {len(rows):,} photographs of {run}; give their folder with --data")
    if len(set(found.index.labels.tolist())) < 2:
        raise InputError(f"{root}: holds photographs of one class of {run} only; give their folder with --data")
    return all_rows, found


def photographs_folder(run, data) -> pathlib.Path:
    """Return the folder of a run's photographs: `data`, or the one that the run was trained on."""
    if data is None:
        made = read_json(run / run_files.ENVIRONMENT, dict)
        data = made.get("photographs")
        if not isinstance(data, str):
            raise InputError(f"{run}: does not say where its photographs are; give their folder with --data DIR")
    root = pathlib.Path(data)
    if not root.is_dir():
        raise InputError(f"{printable(str(root))}: no such folder; give that of the run's photographs with --data DIR")
    return root


def _cache_beside(run) -> pathlib.Path:
    """Return the cache of the folder of runs, where the run stands in one."""
    out = run.parents[2] if len(run.parents) > 2 else run
    return (out if (out / run_files.RESULTS).is_file() else run) / "cache"


def _trunk_settings(settings) -> Config:
    """Return settings with the run's own trunk, if it began with weights of ImageNet; else with that of `kfg train`."""
    config = settings.get("config")
    if not isinstance(config, dict) or config.get("weights") != "imagenet":
        return Config()
    name, size = config.get("backbone", config.get("net")), config.get("image_size")
    fits = name in backbones.BACKBONES and isinstance(size, list) and len(size) == 2
    return Config(backbone=name, image_size=tuple(size)) if fits else Config()


def _loss(settings, index):
    """Return the loss of the run's treatment of rare classes, without smoothing: margins are to be firm."""
    made = settings
    for key in ("choices", "classes", "treatment"):
        made = made.get(key) if isinstance(made, dict) else None
    return imbalance.treated(made if isinstance(made, str) else "none", index.counts(), label_smoothing=0.0)[0]
