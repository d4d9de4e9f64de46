"""The spaces: what a search may change about a recipe. python -m kfg.search RECIPE --space NAME.

A space is a function of KerasTuner's HyperParameters that returns settings of the recipe's Config, in the form that
`--set` takes. Its defaults are the row's own settings, and every search tries them first, except for settings that a
space fixes: `time_budget`, which would make a trial depend on the clock, and in `finetune` also `views` and
`min_errors`.
"""

import dataclasses
from collections.abc import Callable

from kfg.models import backbones, efficientnet_lite, pretrained
from kfg.models.convnets import L2_PLACES
from kfg.recipes import folder_settings
from kfg.time_budgets import NO_LIMIT
from kfg.training.imbalance import AUTO, TREATMENTS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Space:
    """A row of a recipe, and the settings that a search may change in it.

    Args:
        module: the recipe's module, which defines RECIPE.
        row: the row that the trials vary.
        suggest: function (HyperParameters) -> {setting: JSON value}; a value of None has no effect.
        epochs: the setting for how long a trial is trained; Hyperband begins with a fraction of it.
        continues: whether a longer trial may continue a shorter one; this needs a learning rate schedule that does not
            depend on `epochs`.
        makes: setting -> the hyperparameters it is computed from, which have other names. If the setting is given by
            hand, these are not searched either.
    """

    module: str
    row: str
    suggest: Callable
    epochs: str = "epochs"
    continues: bool = False
    makes: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


L2_ON = {
    "none": [],
    "conv8": list(L2_PLACES[2:]),
    "conv5+conv8": list(L2_PLACES[1:]),
    "conv3+conv5+conv8": list(L2_PLACES),
}
LEARNING = {
    "last stage": "stages:1",
    "last two stages": folder_settings.AUTO,
    "last three stages": "stages:3",
    "all": "none",
}

SMOOTHINGS = {AUTO: None, "0": 0.0, "0.05": 0.05, "0.1": 0.1, "0.2": 0.2, "0.3": 0.3}  # auto: the recipe decides


def augmented(strength: float) -> dict:
    """Return settings of a policy whose changes grow from none at 0 to the most that natural photographs bear at 1."""
    return {
        "rotation": 30 * strength,
        "width_shift": 0.16 * strength,
        "height_shift": 0.16 * strength,
        "zoom": 0.3 * strength,
        "brightness": [1 - 0.4 * strength, 1 + 0.4 * strength] if strength else None,
        "horizontal_flip": strength > 0,
        "fill_mode": "reflect",
    }


def convnet(hp) -> dict:
    """Widths, kernel, dropout, L2, rate, batch, plateau and augmentation of imagenet20's nets."""
    places = hp.Choice("l2_on", list(L2_ON), default="none")
    with hp.conditional_scope("l2_on", [name for name in L2_ON if name != "none"]):
        l2 = hp.Float("l2", 1e-5, 3e-2, sampling="log", default=0.01)
    return {
        "width": hp.Choice("width", [0.25, 0.5, 0.75, 1.0], default=1.0),
        "dense_width": hp.Choice("dense_width", [0.5, 1.0, 2.0], default=1.0),
        "kernel": hp.Choice("kernel", [3, 5, 7], default=5),
        "dropout": hp.Float("dropout", 0.0, 0.5, default=0.2),
        "l2_on": L2_ON[places],
        "l2": l2,
        "learning_rate": hp.Float("learning_rate", 1e-4, 5e-3, sampling="log", default=1e-3),
        "batch_size": hp.Choice("batch_size", [32, 64, 128], default=128),
        "plateau_factor": hp.Float("plateau_factor", 0.3, 0.95, default=0.9),
        "plateau_patience": hp.Int("plateau_patience", 2, 8, default=5),
        "policy": augmented(hp.Float("augmentation", 0.0, 1.0, default=0.0)),
    }


def head(hp) -> dict:
    """The trunk, and how the head on its cached features is trained; the trunk stays frozen."""
    return {
        "backbone": hp.Choice("backbone", at_hand(), default="efficientnet-lite0"),
        "dropout": hp.Float("dropout", 0.0, 0.6, default=0.2),
        "label_smoothing": SMOOTHINGS[hp.Choice("label_smoothing", list(SMOOTHINGS), default=AUTO)],
        "imbalance": hp.Choice("imbalance", [AUTO, *TREATMENTS], default=AUTO),
        "head_learning_rate": hp.Float("head_learning_rate", 2e-4, 2e-2, sampling="log", default=2e-3),
        "head_batch_size": hp.Choice("head_batch_size", [32, 64, 128], default=64),
        "weight_decay": hp.Float("weight_decay", 1e-4, 0.2, sampling="log", default=0.02),
        "time_budget": NO_LIMIT,  # all trials get as many views and epochs, whatever the time
    }


def finetune(hp) -> dict:
    """Which layers of the trunk train after the head, at which rates, on which pictures."""
    strength = hp.Float("augmentation", 0.0, 1.0, default=0.5)
    return {
        "freeze": LEARNING[hp.Choice("learning", list(LEARNING), default="last two stages")],
        "learning_rate": hp.Float("learning_rate", 3e-5, 1e-3, sampling="log", default=2e-4),
        "trunk_multiplier": hp.Float("trunk_multiplier", 0.05, 1.0, sampling="log", default=1.0),
        "weight_decay": hp.Float("weight_decay", 1e-4, 0.2, sampling="log", default=0.02),
        "dropout": hp.Float("dropout", 0.0, 0.6, default=0.2),
        "label_smoothing": SMOOTHINGS[hp.Choice("label_smoothing", list(SMOOTHINGS), default=AUTO)],
        "imbalance": hp.Choice("imbalance", [AUTO, *TREATMENTS], default=AUTO),
        "policy": augmented(strength),
        "views": 0,  # their features would have to be computed anew for every policy
        # all trials get as many epochs, whatever the time and however good the head is
        "time_budget": NO_LIMIT,
        "min_errors": 0,
    }


def at_hand() -> list[str]:
    """Return the trunks whose ImageNet weights are on this machine, in a package or in Keras's cache folder."""
    return [name for name in backbones.BACKBONES if _has_weights(name)]


def _has_weights(name):
    if name in efficientnet_lite.VARIANTS:
        return efficientnet_lite.at_hand(name)
    return name in pretrained.FILES and (pretrained.cache_folder() / pretrained.FILES[name].file).is_file()


MAKES = {"policy": ("augmentation",)}
SPACES = {
    "imagenet20": {
        "convnet": Space(module="kfg.recipes.imagenet20", row="convnet1", suggest=convnet, continues=True, makes=MAKES),
    },
    "folder": {
        "head": Space(module="kfg.recipes.folder", row="head", suggest=head, epochs="head_epochs"),
        "finetune": Space(
            module="kfg.recipes.folder", row="transfer", suggest=finetune, makes={**MAKES, "freeze": ("learning",)}
        ),
    },
}
