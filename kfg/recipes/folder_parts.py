"""What a training of `kfg train` is made of: the photographs it learns from, their views, optimisers, the network."""

import dataclasses
import functools

import numpy as np

from kfg.data.index import Index
from kfg.errors import InputError
from kfg.models import backbones, freezing, heads
from kfg.names import printable
from kfg.recipes.folder_settings import AUTO
from kfg.repairing.manner import Manner
from kfg.training import optimizers
from kfg.training.features import Views


def without(index: Index, left_out) -> Index:
    """Return the index with some training photographs moved out of all parts, so that nothing is learned from them.

    Raises:
        InputError: one of them is not a training photograph; a class would have none left.
    """
    if not left_out:
        return index
    training = index.where("train")
    if unknown := sorted(set(left_out) - {index.paths[i] for i in training}):
        raise InputError(f"left_out: {printable(unknown[0])}: is not a training photograph; use the names in split.csv")
    gone = set(left_out)
    parts = ["" if path in gone else part for path, part in zip(index.paths, index.parts, strict=True)]
    kept = dataclasses.replace(index, parts=tuple(parts))
    counts = kept.take(kept.where("train")).counts()
    if (empty := np.flatnonzero((counts == 0) & (index.take(training).counts() > 0))).size:
        name = printable(index.classes[empty[0]])
        raise InputError(f"left_out: {name} would have no training photograph; leave fewer of them out")
    print(f"Left out of training: {len(training) - counts.sum():,} of {len(training):,} photographs.")
    return kept


def views_of(config, count: int | None = None) -> Views | None:
    """Return the settings of augmented views of the training images; None for none. `count`: default the settings'."""
    count = config.views if count is None else count
    return Views(count=count, policy=config.policy) if count else None


def manner(config, index: Index, treatment: str) -> Manner:
    """Return how this training learns and answers, for the heads that judge its classes."""
    counts = index.take(index.where("train")).counts()
    bias = heads.log_odds(config.class_bias, index.classes)
    return Manner.of(treatment, counts, mirrored=config.mirror_averaged, bias=bias)


def fine_tuning_optimizer(config):
    """Return the function () -> optimizer of fine-tuning."""
    return functools.partial(
        optimizers.rates,
        "adamw",
        learning_rate=config.learning_rate,
        trunk_multiplier=config.trunk_multiplier,
        weight_decay=config.weight_decay,
        use_ema=True,
        ema_momentum=config.ema,
    )


def head_optimizer(config):
    """Return the function () -> optimizer of heads."""
    return functools.partial(
        optimizers.rates, "adamw", learning_rate=config.head_learning_rate, weight_decay=config.weight_decay
    )


def classifier(config, num_classes):
    """Return the trunk with one dense layer; `config.freeze` decides which layers learn in fine-tuning."""
    model = backbones.classifier(
        config.backbone,
        num_classes=num_classes,
        image_size=config.image_size,
        weights=config.weights,
        head=heads.linear(dropout=config.dropout),
        second=config.second_backbone,
    )
    learning = config.freeze
    if learning == AUTO:
        untrained = config.weights == "none"  # a random front would be of no use
        learning = "none" if config.second_backbone or untrained else "stages:2"
    named = learning.startswith(("re:", "last-block"))  # the layers are named, batch norm too where it is to learn
    freezing.apply(model, learning, batch_norm="frozen" if named else "fixed")
    return model
