"""From a finished run to the causes of its weak classes. The test photographs are not looked at."""

import csv
import dataclasses
import pathlib

import numpy as np

from kfg import files, overwrite
from kfg.data import decoded, fingerprints, folder
from kfg.data.folder import Index
from kfg.data.stores import Budget
from kfg.engine import photographs
from kfg.errors import InputError
from kfg.files import read_json
from kfg.models import backbones
from kfg.names import printable, shortened
from kfg.progress import Progress
from kfg.recipes.folder_settings import Config
from kfg.repairing import causes, looks, weakness
from kfg.repairing.crossed import Crossed, crossed
from kfg.repairing.looking import Eyes
from kfg.runs import run_files
from kfg.training import imbalance

JUDGED = ("train", "val")  # parts
SUSPECTS = "suspects.csv"
FOUND = "repair.json"
COLUMNS = ("path", "class", "likelier", "margin")  # of suspects.csv
KEYS = ("photographs", "right", "left_out", "classes")  # of repair.json


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a run's classes.

    Args:
        crossed: the training and validation photographs, each answered by heads that have not seen it.
        recalls: of each class.
        causes: of each class, the most believable first.
        left_out: (path, why) of photographs that have changed or gone.
        target: recall that was asked for, or None for the mean of all.
        eyes: what the features of the photographs are computed by.
        loss: of the heads.
    """

    crossed: Crossed
    recalls: list[weakness.Recall]
    causes: dict[int, list[causes.Cause]]
    left_out: list[tuple[str, str]]
    target: float | None
    eyes: Eyes
    loss: object

    @property
    def weak(self) -> tuple[int, ...]:
        """The classes that are weak, the weakest first."""
        return tuple(one.label for one in sorted(self.recalls, key=lambda one: one.value) if one.weak)


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
    if target is not None and not 0 < target <= 1:
        raise InputError(f"--target: a recall above 0 and at most 1, got {target}")
    settings = read_json(run / run_files.CONFIG, dict)
    rows, index, prints, left_out = _photographs(run, data)
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
    eyes, loss = Eyes(index, images, config, cache_dir, whole, at), _loss(settings, index)
    found = crossed(index, eyes.plain(), loss=loss, seed=seed)
    evidence = causes.Evidence(found, prints, looks.of_store(images))
    of_class = {label: causes.of_class(evidence, label) for label in range(len(index.classes))}
    return Diagnosis(found, weakness.recalls(found, target=target), of_class, left_out, target, eyes, loss)


def _whole(rows, index) -> tuple[Index, np.ndarray]:
    """Return all photographs of a run in its own order, and where those of an index are among them."""
    paths = [row["path"] for row in rows]
    where = {path: number for number, path in enumerate(paths)}
    digests = [row.get("sha256", "") for row in rows]
    whole = folder.make_index(index.root, paths, [0] * len(paths), index.classes, sha256=digests)
    return whole, np.array([where[path] for path in index.paths])


def _photographs(run, data) -> tuple[list[dict], Index, list, list[tuple[str, str]]]:
    """Return all rows of the run's split; its training and validation photographs as they were, their fingerprints,
    and which are left out."""
    root = _root(run, data)
    all_rows, _ = folder.split_rows(run / run_files.SPLIT)
    rows = [row for row in all_rows if row["part"] in JUDGED]
    prints = fingerprints.read(root, [row["path"] for row in rows], progress=Progress("photographs read"))
    kept, left_out = [], []
    for row, one in zip(rows, prints, strict=True):
        changed = not one.problem and row.get("sha256") not in (None, "", one.sha256)
        if one.problem or changed:
            left_out.append((row["path"], "it has changed since" if changed else one.reason))
        else:
            kept.append((row, one))
    if not kept:
        raise InputError(f"{root}: holds none of the {len(rows):,} photographs of {run}; give their folder with --data")
    classes = read_json(run / run_files.CLASSES, list)
    unknown = {row["class"] for row, _ in kept} - set(classes)
    if unknown:
        raise InputError(f"{run / run_files.SPLIT}: class {sorted(unknown)[0]!r} is not in {run_files.CLASSES}")
    if len({row["class"] for row, _ in kept}) < 2:
        raise InputError(f"{root}: holds photographs of one class of {run} only; give their folder with --data")
    index = folder.make_index(
        root,
        [row["path"] for row, _ in kept],
        [classes.index(row["class"]) for row, _ in kept],
        classes,
        parts=[row["part"] for row, _ in kept],
        groups=fingerprints.group([one for _, one in kept], [row.get("group", at) for at, (row, _) in enumerate(kept)]),
        sha256=[one.sha256 for _, one in kept],
    )
    return all_rows, index, [one for _, one in kept], left_out


def _root(run, data) -> pathlib.Path:
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


def lines(found: Diagnosis) -> list[str]:
    """Say which classes are weak, and why."""
    index, weak = found.crossed.index, [one for one in found.recalls if one.weak]
    told = [
        f"{len(index):,} training and validation photographs, each answered by a classifier that has not seen it, on "
        f"features of {found.eyes.config.backbone}: {found.crossed.right.mean():.1%} right."
    ]
    if found.left_out:
        names = shortened([f"{path} ({why})" for path, why in found.left_out], count=3)
        told.append(f"Left out: {causes.counted(len(found.left_out), 'photograph')}, {printable(names)}.")
    if not weak:
        asked = "the mean of all" if found.target is None else f"the {found.target:.0%} asked for"
        told.append(f"No class is weak: the interval of each one's recall reaches {asked}.")
    for one in sorted(weak, key=lambda one: one.value):
        name = printable(index.classes[one.label])
        told.append(
            f"{name} is weak: {one.right} of {one.images} photographs are recognised "
            f"({one.value:.0%}; 95 % interval {one.low:.0%} to {one.high:.0%})."
        )
        told += [f"  Why: {_sentence(cause)}" for cause in found.causes[one.label]] or ["  Why: no cause was found."]
    beside = [one for one in found.recalls if not one.weak and found.causes[one.label]]
    for one in beside:
        told += [f"{printable(index.classes[one.label])}: {_sentence(cause)}" for cause in found.causes[one.label]]
    return told


def _sentence(cause) -> str:
    return f"{printable(cause.said)}. What helps: {cause.advice}."


def check_out(out) -> None:
    """Refuse to write over what is not a repair's, before any work is done.

    Raises:
        InputError: `out` cannot be written, or holds other files of these names.
    """
    overwrite.check_writable("--out", out)
    overwrite.check_file(
        pathlib.Path(out) / SUSPECTS, lambda path: overwrite.is_csv(path, COLUMNS), what="kfg repair's"
    )
    overwrite.check_file(pathlib.Path(out) / FOUND, lambda path: overwrite.is_json(path, KEYS), what="kfg repair's")


def write(found: Diagnosis, out, *, remedies=()) -> int:
    """Write suspects.csv and repair.json; return the number of suspicious labels.

    Args:
        remedies: verdicts of kfg.repairing.proof, where remedies were tried.
    """
    out, crossed_, index = pathlib.Path(out), found.crossed, found.crossed.index
    out.mkdir(parents=True, exist_ok=True)
    suspects, likelier, margins = crossed_.suspects(), crossed_.likelier, crossed_.margins
    with files.whole(out / SUSPECTS) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for at in suspects:
            names = index.classes[index.labels[at]], index.classes[likelier[at]]
            writer.writerow([index.paths[at], *names, f"{margins[at]:.3f}"])
    files.write_json(
        out / FOUND,
        {
            "photographs": len(index),
            "right": int(np.sum(crossed_.right)),
            "left_out": [list(one) for one in found.left_out],
            "classes": [
                {**dataclasses.asdict(one), "name": index.classes[one.label], "causes": _as_json(found, one.label)}
                for one in found.recalls
            ],
            "remedies": [dataclasses.asdict(one) for one in remedies],
        },
    )
    return len(suspects)


def _as_json(found, label) -> list[dict]:
    paths, classes = found.crossed.index.paths, found.crossed.index.classes
    return [
        {
            **dataclasses.asdict(cause),
            "photographs": [paths[at] for at in cause.photographs],
            "other": None if cause.other is None else classes[cause.other],
        }
        for cause in found.causes[label]
    ]
