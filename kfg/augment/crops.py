"""Random resized crops with flips and a turn, torchvision's, as one warp and a pure function of their draws."""

import dataclasses
import math

import cv2
import numpy as np

from kfg.augment import draws, ops
from kfg.augment.policies import check_batch, check_number, check_pair

ATTEMPTS = 10  # crops tried before the largest centred one is taken
# Per attempt an area and a ratio, then the place, the flips and the turn.
_PLACE = 2 * ATTEMPTS
_SLOTS = _PLACE + 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """Cut out a part of random area and shape, stretch it to the whole, mirror it, turn it.

    The turn comes last and shows black where the crop ends, as torchvision's RandomRotation does. All of it is one
    bilinear warp of the image; the cut shrinks or enlarges without antialiasing, so cut from images not much larger
    than the result.

    Args:
        scale: (low, high) in (0, 1] of the area cut out, uniform.
        ratio: (low, high) > 0 of its width / height, uniform in the logarithm.
        image_size: (height, width) of the result in pixels; None keeps the input's.
        horizontal_flip, vertical_flip: mirror left-right, top-bottom, one time in two.
        rotation: degrees in [0, 180], angle uniform either way.
    Raises:
        ValueError: a value out of these limits.
    Source: torchvision.transforms.RandomResizedCrop, whose defaults these are.
    Example:
        >>> images = np.zeros((2, 30, 40, 3), np.uint8)
        >>> ResizedCrop(image_size=(16, 16)).apply(images, np.zeros(2), seed=0, epoch=0, positions=np.arange(2)).shape
        (2, 16, 16, 3)
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    image_size: tuple[int, int] | None = None
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation: float = 0.0

    def __post_init__(self):
        for name in ("scale", "ratio", "image_size"):
            if isinstance(getattr(self, name), list):  # as it comes back from JSON
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_pair("scale", self.scale, above_zero=True)
        check_pair("ratio", self.ratio, above_zero=True)
        if self.scale[1] > 1:
            raise ValueError(f"scale must be at most 1, the whole image, got {self.scale!r}")
        check_number("rotation", self.rotation, 0, 180, "degrees")

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return the images, each cut and turned as its (seed, epoch, position) says.

        Args and Raises: as `Policy.apply`.
        Returns:
            uint8 (B, *image_size, 3), a new array.
        """
        images = check_batch(images, labels, positions)
        height, width = images.shape[1:3]
        out_height, out_width = self.image_size or (height, width)
        uniforms = draws.uniforms(seed, epoch=epoch, positions=positions, count=_SLOTS)
        boxes = crop_boxes(uniforms, height=height, width=width, scale=self.scale, ratio=self.ratio)
        flip_x, flip_y, turn = uniforms[:, _PLACE + 2 :].T
        none, one = np.zeros(len(images)), np.ones(len(images))
        matrices = ops.affine_matrices(
            out_height,
            out_width,
            rotation=self.rotation * (2 * turn - 1),
            shift_x=none,
            shift_y=none,
            shear=none,
            zoom_x=one,
            zoom_y=one,
            flip_x=self.horizontal_flip & (flip_x < 0.5),
            flip_y=self.vertical_flip & (flip_y < 0.5),
        )
        out = np.empty((len(images), out_height, out_width, 3), np.uint8)
        for image, box, matrix, row in zip(images, boxes, matrices, out, strict=True):
            _cut(image, box, matrix, row)
        return out


def crop_boxes(uniforms: np.ndarray, *, height: int, width: int, scale, ratio) -> np.ndarray:
    """Turn numbers in (0, 1) into boxes to cut out.

    Args:
        uniforms: float64 (B, 22 or more): ten pairs of area and ratio, then top and left.
        height, width: of the image, pixels.
        scale, ratio: as in ResizedCrop.
    Returns:
        int64 (B, 4): top, left, height, width; inside the image. The first of the ten that fits, else the
        largest centred box whose ratio is allowed.
    """
    pairs = uniforms[:, :_PLACE].reshape(-1, ATTEMPTS, 2)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * pairs[..., 0])
    shape = np.exp(math.log(ratio[0]) + (math.log(ratio[1]) - math.log(ratio[0])) * pairs[..., 1])
    wide, high = np.rint(np.sqrt(area * shape)), np.rint(np.sqrt(area / shape))
    fits = (wide >= 1) & (wide <= width) & (high >= 1) & (high <= height)
    first = np.arange(len(uniforms)), fits.argmax(axis=1)
    wide, high = wide[first], high[first]
    top = np.floor(uniforms[:, _PLACE] * (height - high + 1))
    left = np.floor(uniforms[:, _PLACE + 1] * (width - wide + 1))
    boxes = np.stack([top, left, high, wide], axis=-1).astype(np.int64)
    boxes[~fits.any(axis=1)] = _centred(height, width, ratio)
    return boxes


def _centred(height, width, ratio):
    wide, high = width, height
    if width / height < ratio[0]:
        high = round(width / ratio[0])
    elif width / height > ratio[1]:
        wide = round(height * ratio[1])
    return (height - high) // 2, (width - wide) // 2, high, wide


def _cut(image, box, matrix, out):
    """Write the box of `image`, stretched to the size of `out` and seen through `matrix`, to `out`."""
    top, left, high, wide = box
    out_height, out_width = out.shape[:2]
    stretch = np.array([[wide / out_width], [high / out_height]])
    whole = stretch * matrix
    whole[:, 2:] += (stretch - 1) / 2 + 1  # pixel centres lie half a pixel in; 1 for the rim
    # A rim of repeated pixels: stretching reads up to half a pixel outside, which is not yet the black around a turn.
    part = cv2.copyMakeBorder(image[top : top + high, left : left + wide], 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(part, whole, (out_width, out_height), out, flags, cv2.BORDER_CONSTANT, (0, 0, 0))
