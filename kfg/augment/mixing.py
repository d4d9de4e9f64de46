"""Mixup and CutMix: each image of a batch is mixed with the next one, and so are their labels.

The batch comes shuffled, so the next image is a random one. How much, and which rectangle, depends on the image's
(seed, epoch, position) alone.
"""

import dataclasses

import cv2
import numpy as np
from scipy.special import betaincinv

from kfg.augment import draws
from kfg.errors import InputError

_MIX = 7  # purpose of derived seeds; kfg.augment.copies and kfg.data.sampling have 1 to 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixup:
    """image = part * own + (1 - part) * next, part ~ Beta(alpha, alpha), drawn for each image.

    Args:
        alpha: float > 0; small values leave most images nearly as they are.
    Source: Zhang et al. 2018, arXiv:1710.09412.
    """

    alpha: float = 0.2

    def __post_init__(self):
        _check_alpha(self.alpha)

    def apply(self, images, labels, *, num_classes: int, seed: int, epoch: int, positions):
        """Mix a batch.

        Args:
            images: uint8 or float32 (B, H, W, 3) in [0, 255].
            labels: int (B,) in [0, num_classes).
            seed, epoch, positions: as in kfg.augment.draws.uniforms.
        Returns:
            images of the same dtype and shape (uint8 rounded), float32 labels (B, num_classes) that sum to 1.
        Raises:
            ValueError: a label out of range.
        """
        part = _beta(self.alpha, _uniforms(seed, epoch, positions, 1)[:, 0])
        mixed, after = np.empty_like(images), np.roll(images, -1, axis=0)
        for i, share in enumerate(part):
            cv2.addWeighted(images[i], share, after[i], 1 - share, 0, dst=mixed[i])
        return mixed, soft_labels(labels, part, num_classes=num_classes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutMix:
    """A rectangle of the next image over each image; labels share by area.

    The rectangle has the image's proportions, a share 1 - part of its area with part ~ Beta(alpha, alpha), and its
    centre anywhere; what falls outside is cut off, and the labels follow what is left.

    Args:
        alpha: float > 0; 1 draws the share uniformly.
    Source: Yun et al. 2019, arXiv:1905.04899.
    """

    alpha: float = 1.0

    def __post_init__(self):
        _check_alpha(self.alpha)

    def apply(self, images, labels, *, num_classes: int, seed: int, epoch: int, positions):
        """Mix a batch; arguments and result as `Mixup.apply`."""
        height, width = images.shape[1:3]
        uniforms = _uniforms(seed, epoch, positions, 3)
        boxes, part = rectangles(np.sqrt(1 - _beta(self.alpha, uniforms[:, 0])), uniforms[:, 1:], (height, width))
        mixed = images.copy()
        for i, (top, left, bottom, right) in enumerate(boxes):
            box = np.s_[top:bottom, left:right]
            mixed[i][box] = images[(i + 1) % len(images)][box]
        return mixed, soft_labels(labels, part, num_classes=num_classes)


MIXINGS = {"mixup": Mixup, "cutmix": CutMix}


def named(name: str, *, alpha: float | None = None):
    """Return the mixing of this name.

    Args:
        name: "none" or a key of MIXINGS.
        alpha: float > 0; None for the mixing's own.
    Returns:
        Mixup or CutMix, None for "none".
    Raises:
        InputError: an unknown name, an alpha for "none" or not above 0.
    Example:
        >>> named("cutmix"), named("mixup", alpha=0.4), named("none")
        (CutMix(alpha=1.0), Mixup(alpha=0.4), None)
    """
    if name != "none" and name not in MIXINGS:
        raise InputError(f"mixing: {name!r} is none of none, {', '.join(MIXINGS)}")
    if alpha is None:
        return None if name == "none" else MIXINGS[name]()
    if name == "none" or not alpha > 0:
        raise InputError(f"mixing_alpha: above 0, with mixing={' or '.join(MIXINGS)}; got {alpha!r}, mixing={name}")
    return MIXINGS[name](alpha=alpha)


def soft_labels(labels, part, *, num_classes: int) -> np.ndarray:
    """Return float32 (B, num_classes): `part` for each image's own class, the rest for the next one's.

    Example:
        >>> soft_labels([0, 1], np.array([0.75, 1.0]), num_classes=2).tolist()
        [[0.75, 0.25], [0.0, 1.0]]
    """
    labels = np.asarray(labels)
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels must be in [0, {num_classes}), got {labels.min()} to {labels.max()}")
    soft = np.zeros((len(labels), num_classes), np.float32)
    rows = np.arange(len(labels))
    soft[rows, labels] = part
    soft[rows, np.roll(labels, -1)] += (1 - part).astype(np.float32)
    return soft


def rectangles(side, centres, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return CutMix's rectangles and what they leave of the image.

    Args:
        side: float (B,), of the image's sides.
        centres: float (B, 2), down and right, in [0, 1].
        size: (height, width) of the image.
    Returns:
        int64 (B, 4), top, left, bottom and right of each, clipped to the image; float64 (B,), the share beside it.
    """
    top, bottom = _span(centres[:, 0], side, size[0])
    left, right = _span(centres[:, 1], side, size[1])
    part = 1 - (bottom - top) * (right - left) / (size[0] * size[1])
    return np.stack([top, left, bottom, right], axis=1), part


def _uniforms(seed, epoch, positions, count):
    return draws.uniforms(draws.derived_seed(seed, _MIX), epoch=epoch, positions=positions, count=count)


def _beta(alpha, uniforms):
    """Return Beta(alpha, alpha) at these probabilities, float64 (B,)."""
    return betaincinv(alpha, alpha, uniforms)


def _span(centre, side, size):
    """Return first and last-but-one pixel of a side, clipped to the image; int64 (B,) both."""
    middle = centre * size
    low = np.clip(np.round(middle - side * size / 2), 0, size).astype(np.int64)
    return low, np.clip(np.round(middle + side * size / 2), 0, size).astype(np.int64)


def _check_alpha(alpha):
    if not alpha > 0:
        raise ValueError(f"alpha must be > 0, got {alpha!r}")
