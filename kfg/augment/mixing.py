"""Mixup and CutMix: each image of a batch is mixed with the next one, and so are their labels.

The batch is shuffled before, so the next image is a random one. The share of the two images, and the rectangle of
CutMix, depend only on the (seed, epoch, position) of the image.
"""

import dataclasses

import cv2
import numpy as np
from scipy.special import betaincinv

from kfg.augment import draws
from kfg.errors import InputError

_MIX = 7  # purpose number for derived seeds; kfg.augment.copies and kfg.data.sampling use 1 to 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixup:
    """Blend each image with the next: image = part * own + (1 - part) * next.

    `part` ~ Beta(alpha, alpha) is drawn for each image.

    Args:
        alpha: float > 0; with small values most images stay nearly the same.
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
            num_classes: number of classes.
            seed, epoch, positions: as in kfg.augment.draws.uniforms.
        Returns:
            The mixed images, of the same dtype and shape (uint8 is rounded); and float32 labels (B, num_classes), of
            which each row sums to 1.
        Raises:
            ValueError: a label is out of range.
        """
        part = _beta(self.alpha, _uniforms(seed, epoch, positions, 1)[:, 0])
        mixed, after = np.empty_like(images), np.roll(images, -1, axis=0)
        for i, share in enumerate(part):
            cv2.addWeighted(images[i], share, after[i], 1 - share, 0, dst=mixed[i])
        return mixed, soft_labels(labels, part, num_classes=num_classes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutMix:
    """Put a rectangle of the next image over each image; the labels are mixed by area.

    The rectangle has the proportions of the image and the share 1 - part of its area, with part ~ Beta(alpha, alpha).
    Its centre lies anywhere in the image. If the rectangle reaches beyond the image, it is cut off there, and the
    labels follow the area that is left.

    Args:
        alpha: float > 0; with 1 the share is uniform.
    Source: Yun et al. 2019, arXiv:1905.04899.
    """

    alpha: float = 1.0

    def __post_init__(self):
        _check_alpha(self.alpha)

    def apply(self, images, labels, *, num_classes: int, seed: int, epoch: int, positions):
        """Mix a batch; arguments and result are those of `Mixup.apply`."""
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
    """Return the mixing with this name.

    Args:
        name: "none" or a key of MIXINGS.
        alpha: float > 0; None: the default of the mixing.
    Returns:
        Mixup or CutMix, None for "none".
    Raises:
        InputError: the name is unknown, or alpha is not above 0 or is given with "none".
    Example:
        >>> named("cutmix"), named("mixup", alpha=0.4), named("none")
        (CutMix(alpha=1.0), Mixup(alpha=0.4), None)
    """
    if name != "none" and name not in MIXINGS:
        raise InputError(f"mixing: {name!r} is not one of none, {', '.join(MIXINGS)}")
    if alpha is None:
        return None if name == "none" else MIXINGS[name]()
    if name == "none" or not alpha > 0:
        raise InputError(
            f"mixing_alpha: must be above 0 and needs mixing={' or '.join(MIXINGS)}; got {alpha!r} with mixing={name}"
        )
    return MIXINGS[name](alpha=alpha)


def soft_labels(labels, part, *, num_classes: int) -> np.ndarray:
    """Return soft labels, float32 (B, num_classes): `part` for the image's own class, the rest for the next image's.

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
    """Return the rectangles of CutMix, and the share of each image that stays visible.

    Args:
        side: float (B,), sides of the rectangles as a share of the image's sides.
        centres: float (B, 2), vertical and horizontal position of the centres, in [0, 1].
        size: (height, width) of the image.
    Returns:
        int64 (B, 4), top, left, bottom and right of each rectangle, clipped to the image; float64 (B,), the share of
        the image outside of the rectangle.
    """
    top, bottom = _span(centres[:, 0], side, size[0])
    left, right = _span(centres[:, 1], side, size[1])
    part = 1 - (bottom - top) * (right - left) / (size[0] * size[1])
    return np.stack([top, left, bottom, right], axis=1), part


def _uniforms(seed, epoch, positions, count):
    return draws.uniforms(draws.derived_seed(seed, _MIX), epoch=epoch, positions=positions, count=count)


def _beta(alpha, uniforms):
    """Return the quantiles of Beta(alpha, alpha) at these probabilities, float64 (B,)."""
    return betaincinv(alpha, alpha, uniforms)


def _span(centre, side, size):
    """Return the first pixel of each side and the one after its last, clipped to the image; both int64 (B,)."""
    middle = centre * size
    low = np.clip(np.round(middle - side * size / 2), 0, size).astype(np.int64)
    return low, np.clip(np.round(middle + side * size / 2), 0, size).astype(np.int64)


def _check_alpha(alpha):
    if not alpha > 0:
        raise ValueError(f"alpha must be > 0, got {alpha!r}")
