"""A second opinion for a trained net: a head on another pretrained trunk, with whose answers its own are averaged."""

import functools

import keras
import numpy as np

from kfg.data import stores
from kfg.data.part import Part
from kfg.engine.fitting import train_head, trunk_of
from kfg.models import backbones, freezing, heads
from kfg.models.opinions import averaged
from kfg.progress import duration
from kfg.runs import run_files
from kfg.training import features, precision

SHARE = 0.5  # of the time that is left once the head is trained; if a second opinion takes more, there is none


def net(name: str, config, num_classes: int, seed: int) -> keras.Model:
    """Return a frozen trunk with one dense layer, whose first weights depend only on the seed.

    Args:
        name: key of kfg.models.backbones.
        config: settings of kfg.recipes.folder.
    """
    keras.utils.set_random_seed(seed)
    with precision.scope("float32"):
        made = backbones.classifier(
            name,
            num_classes=num_classes,
            image_size=config.image_size,
            weights="none" if str(config.weights) == "none" else "imagenet",
            head=heads.linear(dropout=config.dropout),
        )
    freezing.apply(made, "head")
    return made


def planned(config, job, index, images, *, left: float) -> dict:
    """Decide whether there is time for a second opinion; return the choice, a dict with "trunk", "" for none.

    Raises:
        InputError: both nets together have more parameters than the job allows.
    """
    second = net(config.second_opinion, config, len(index.classes), job.seed)
    if job.max_params is not None:
        freezing.check_budget(keras.Model(job.model.input, [job.model.output, second(job.model.input)]), job.max_params)
    pictures = stores.Chosen(images, _learned(index))
    seconds = features.seconds(trunk_of(second), pictures, cache_dir=job.data.cache_dir)
    if seconds > max(SHARE * left, 0):
        why = f"it would take {duration(seconds)}, more than half of the time that is left"
        return {"trunk": "", "why": why, "seconds expected": round(seconds)}
    return {"trunk": config.second_opinion, "why": "as the settings say", "seconds expected": round(seconds)}


def added(config, job, index, images, *, trunk: str, **learning) -> keras.Model:
    """Train a head on another trunk; from then on, `job.model` answers with the average of both nets.

    Args:
        trunk: key of kfg.models.backbones.
        learning: how the head learns, see kfg.engine.fitting.train_head.
    Returns:
        The second net, of which only the head was trained.
    """
    second = net(trunk, config, len(index.classes), job.seed)
    learned = _learned(index)
    pictures = stores.Chosen(images, learned)
    parts = []
    for name in ("train", "val"):
        at = index.where(name)
        store = stores.Chosen(pictures, np.searchsorted(learned, at))
        parts.append(Part(store, index.labels[at], classes=index.classes, name=name))
    train_head(job, *parts, model=second, workdir=job.workdir / run_files.SECOND, **learning)
    job.answer_by(functools.partial(averaged, second=second))
    return second


def _learned(index) -> np.ndarray:
    """Return the positions of the training and validation images, in rising order."""
    return np.sort(np.concatenate([index.where("train"), index.where("val")]))
