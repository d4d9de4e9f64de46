"""From a finished run to the causes of its weak classes. The test photographs are not looked at."""

import csv
import dataclasses
import pathlib

import numpy as np

from kfg import files
from kfg.data import decoded, fingerprints, folder
from kfg.data.folder import Index
from kfg.data.stores import Budget
from kfg.engine import photographs
from kfg.engine.fitting import trunk_of
from kfg.errors import InputError
from kfg.files import read_json
from kfg.models import backbones
from kfg.names import printable, shortened
from kfg.progress import Progress
from kfg.recipes import folder as own_photographs
from kfg.recipes.folder_settings import Config
from kfg.repair import causes, looks, weakness
from kfg.repair.crossed import Crossed, crossed
from kfg.runs import run_files
from kfg.training import features, imbalance

JUDGED = ("train", "val")  # parts
SUSPECTS = "suspects.csv"
FOUND = "repair.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a run's classes.

    Args:
        crossed: the training and validation photographs, each answered by heads that have not seen it.
        recalls: of each class.
        causes: of each class, the most believable first.
        left_out: (path, why) of photographs that have changed or gone.
    """

    crossed: Crossed
    recalls: list[weakness.Recall]
    causes: dict[int, list[causes.Cause]]
    left_out: list[tuple[str, str]]


def diagnose(run, *, data=None, cache_dir=None, target: float | None = None, seed: int = 0) -> Diagnosis:
    """Find out which classes of a run are weak, and why.

    Args:
        run: folder of a finished run, of any recipe.
        data: the folder of its photographs; default the one that the run was trained on.
        cache_dir: where features are kept; default beside the run, where `kfg train` has left them.
        target: recall in (0, 1] below which a class is weak; default the mean of all.
        seed: int >= 0, of the division into folds.
    Raises:
        InputError: no run, photographs that are not there, a target out of range.
    """
    run = pathlib.Path(run)
    if target is not None and not 0 < target <= 1:
        raise InputError(f"--target: a recall from 0 to 1, got {target}")
    settings = read_json(run / run_files.CONFIG, dict)
    index, prints, left_out = _photographs(run, data)
    photographs.be_deterministic()
    config = _trunk_settings(settings)
    trunk = trunk_of(own_photographs.classifier(config, len(index.classes)))
    cache_dir = pathlib.Path(cache_dir) if cache_dir is not None else run.parents[2] / "cache"
    images = decoded.load(
        index,
        image_size=config.image_size,
        cache_dir=cache_dir,
        memory_budget=Budget(decoded.MEMORY_BUDGET),
        progress=Progress("photographs decoded"),
    )
    of_trunk = features.cached(trunk, images, cache_dir=cache_dir, progress=Progress("photographs looked at"))
    found = crossed(index, of_trunk, loss=_loss(settings, index), seed=seed)
    evidence = causes.Evidence(found, prints, looks.of_store(images))
    of_class = {label: causes.of_class(evidence, label) for label in range(len(index.classes))}
    return Diagnosis(found, weakness.recalls(found, target=target), of_class, left_out)


def _photographs(run, data) -> tuple[Index, list, list[tuple[str, str]]]:
    """Return the run's training and validation photographs as they were, their fingerprints, and which are left out."""
    root = _root(run, data)
    rows, _ = folder.split_rows(run / run_files.SPLIT)
    rows = [row for row in rows if row["part"] in JUDGED]
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
    index = folder.make_index(
        root,
        [row["path"] for row, _ in kept],
        [classes.index(row["class"]) for row, _ in kept],
        classes,
        parts=[row["part"] for row, _ in kept],
        groups=fingerprints.group([one for _, one in kept], [row.get("group", at) for at, (row, _) in enumerate(kept)]),
        sha256=[one.sha256 for _, one in kept],
    )
    return index, [one for _, one in kept], left_out


def _root(run, data) -> pathlib.Path:
    if data is None:
        made = read_json(run / run_files.ENVIRONMENT, dict)
        data = made.get("photographs")
        if data is None:
            raise InputError(f"{run}: does not say where its photographs are; give their folder with --data DIR")
    root = pathlib.Path(data)
    if not root.is_dir():
        raise InputError(f"{printable(str(root))}: no such folder; give that of the run's photographs with --data DIR")
    return root


def _trunk_settings(settings) -> Config:
    """Return settings with the run's own trunk, if it began with weights of ImageNet; else with that of `kfg train`."""
    config = settings.get("config", {})
    if config.get("backbone") in backbones.BACKBONES and config.get("weights") == "imagenet":
        return Config(backbone=config["backbone"], image_size=tuple(config["image_size"]))
    return Config()


def _loss(settings, index):
    """Return the loss of the run's treatment of rare classes, without smoothing: margins are to be firm."""
    treatment = settings.get("choices", {}).get("classes", {}).get("treatment", "none")
    return imbalance.treated(treatment, index.counts(), label_smoothing=0.0)[0]


def lines(found: Diagnosis) -> list[str]:
    """Say which classes are weak, and why."""
    index, weak = found.crossed.index, [one for one in found.recalls if one.weak]
    told = [
        f"{len(index):,} training and validation photographs, each answered by a classifier that has not seen it: "
        f"{found.crossed.right.mean():.1%} right."
    ]
    if found.left_out:
        names = shortened([f"{path} ({why})" for path, why in found.left_out], count=3)
        told.append(f"Left out: {len(found.left_out)} photographs, {printable(names)}.")
    if not weak:
        told.append("No class is weak: each one's interval reaches the mean of all.")
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


def write(found: Diagnosis, out) -> int:
    """Write suspects.csv and repair.json; return the number of suspicious labels."""
    out, crossed_, index = pathlib.Path(out), found.crossed, found.crossed.index
    out.mkdir(parents=True, exist_ok=True)
    suspects, likelier, margins = crossed_.suspects(), crossed_.likelier, crossed_.margins
    with files.whole(out / SUSPECTS) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "class", "likelier", "margin"])
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
