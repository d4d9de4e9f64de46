"""The settings of `kfg train`, with defaults and limits. No TensorFlow is imported, so wrong names fail at once."""

import dataclasses
import math
import re

from kfg import quiet
from kfg.augment import mixing
from kfg.augment.policies import Policy
from kfg.data.splits import FRACTIONS
from kfg.engine.options import TRUNKS, replaced, within
from kfg.time_budgets import NO_LIMIT, TRAINING, seconds_of

AUTO = "auto"
FREEZE = (AUTO, "none", "all", "head", "last-block+bn", "stages:N", "re:REGEX")  # as kfg.models.freezing.POLICIES
AUGMENTED = Policy(
    rotation=15,
    width_shift=0.08,
    height_shift=0.08,
    zoom=0.15,
    brightness=(0.8, 1.2),
    horizontal_flip=True,
    fill_mode="reflect",
)
LIMITS = (
    ("dropout", 0, 0.95), ("label_smoothing", 0, 0.9), ("views", 0, 100), ("head_epochs", 1, 100_000),
    ("head_batch_size", 1, 65536), ("head_learning_rate", 1e-9, 1e3), ("epochs", 0, 100_000),
    ("batch_size", 1, 65536), ("learning_rate", 1e-9, 1e3), ("trunk_multiplier", 0, 1e3), ("weight_decay", 0, 10),
    ("ema", 0.5, 0.99999), ("min_errors", 0, 100_000), ("min_error_rate", 0, 1), ("time_budget", 1, NO_LIMIT),
    ("test_fraction", 0.01, 0.9), ("val_fraction", 0.01, 0.9), ("split_seed", 0, 2**31),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    backbone: str = "efficientnet-lite0"  # a key of kfg.models.backbones
    second_backbone: str = ""  # a second trunk, whose features are appended to the first's; "" for none
    second_opinion: str = ""  # another trunk, with a head on which the trained net's answers are averaged; "" for none
    weights: str = "imagenet"  # imagenet, none, or a file
    net_of: str = ""  # a finished run, whose net is taken over instead of training one; "" for none
    # a policy of kfg.models.freezing for fine-tuning; auto: the last two stages learn, or all of a random trunk or two.
    # Batch norm learns only where last-block+bn or re: names it.
    freeze: str = AUTO
    image_size: tuple[int, int] = (256, 256)  # pixels, height and width
    test_fraction: float = FRACTIONS["test"]  # of all images
    val_fraction: float = FRACTIONS["val"]  # of all images; if a split is given, of its training part
    split_seed: int = 0
    policy: Policy = AUGMENTED
    mixing: str = "none"  # none, mixup or cutmix, used in fine-tuning
    mixing_alpha: float | None = None  # of the beta distribution of shares; None: 0.2 for mixup, 1 for cutmix
    dropout: float = 0.2  # on the features
    label_smoothing: float | None = None  # None: 0.1, but 0 with the adjusted loss
    imbalance: str = "auto"  # or one of kfg.training.imbalance.TREATMENTS
    views: int = 2  # augmented pictures of each image on which the head is trained
    head_epochs: int = 40
    head_batch_size: int = 64  # images
    head_learning_rate: float = 2e-3
    epochs: int = 8  # of fine-tuning, at most
    batch_size: int = 32  # images
    learning_rate: float = 2e-4
    trunk_multiplier: float = 1.0  # learning rate of the trunk, as a factor on that of the head
    weight_decay: float = 0.02  # of AdamW, for kernels
    ema: float = 0.99  # decay, per step, of the average of the weights; the average is kept
    min_errors: int = 3  # if the cross-validated head makes fewer, the net is not fine-tuned; 0: it always is
    min_error_rate: float = 0.01  # of the head, by the figure it is judged by; the net is not fine-tuned below it
    mirror_averaged: bool = False  # whether the answers on an image and its mirror image are averaged
    # (class, log-odds): by how much its answers are raised at the end, on the scale of calibrated answers
    class_bias: tuple[tuple[str, float], ...] = ()
    left_out: tuple[str, ...] = ()  # training photographs from which nothing is learned, such as mislabelled ones
    # seconds until the end of training; the head may take half, with as many views as fit
    time_budget: float = seconds_of(TRAINING)

    def __post_init__(self):
        within(self, LIMITS)
        mixing.named(self.mixing, alpha=self.mixing_alpha)
        if not all(isinstance(path, str) for path in self.left_out):
            raise ValueError(f"left_out: expected paths of photographs as in split.csv, got {self.left_out!r}")
        if not all(_is_bias(one) for one in self.class_bias):
            raise ValueError(
                f"class_bias: expected pairs of class and number like (('gull', 0.5),), got {self.class_bias!r}"
            )
        if not _is_freeze(self.freeze):
            raise ValueError(f"freeze: expected one of {', '.join(FREEZE)}, got {self.freeze!r}")
        for name in ("second_backbone", "second_opinion"):
            if getattr(self, name) == self.backbone:
                raise ValueError(f"{name}: must be another trunk than backbone, got {self.backbone!r} for both")
        if self.imbalance == Config.imbalance:
            return
        with quiet.tensorflow_notes():
            from kfg.training import imbalance  # imports keras, which takes seconds

        known = (imbalance.AUTO, *imbalance.TREATMENTS)
        if self.imbalance not in known:
            raise ValueError(f"imbalance: expected one of {', '.join(known)}, got {self.imbalance!r}")


def _is_freeze(policy: str) -> bool:
    """Return whether a policy has the form of one; whether it fits the network is known once that is built."""
    kind, _, argument = policy.partition(":")
    if kind == "re":
        try:
            return bool(re.compile(argument).pattern)
        except re.error:
            return False
    return policy in FREEZE[:-2] or (kind == "stages" and argument.isdecimal())


def _is_bias(one) -> bool:
    pair = isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)
    return pair and isinstance(one[1], (int, float)) and math.isfinite(one[1])


def names() -> list[str]:
    """Return the names of the settings."""
    return [field.name for field in dataclasses.fields(Config)]


def checked(settings: dict, *, prefix: str = "--set ") -> dict:
    """Return the settings after checking that a training can use them, before the slow look at the photographs.

    Args:
        settings: name -> value.
        prefix: text before the name of a setting in an error message.
    Raises:
        InputError: a value of the wrong type or out of range; an unknown trunk.
    """
    config = replaced(Config(), settings, prefix=prefix)
    if any(getattr(config, name) != getattr(Config, name) for name in TRUNKS):
        with quiet.tensorflow_notes():
            from kfg.engine import weights_at_hand  # imports TensorFlow, which takes seconds

        weights_at_hand.check_names([config], prefix=prefix)
    return settings
