"""Random resized crops with flips and a rotation, as in torchvision, done in one warp.

The result is a pure function of (seed, epoch, position).
"""

import dataclasses
import math
import numbers

import cv2
import numpy as np

from kfg.augment import draws, ops
from kfg.augment.policies import check_batch, check_number, check_pair
from kfg.errors import InputError

ATTEMPTS = 10  # crops tried before the largest centred crop is taken
# Random numbers of an image: per attempt an area and a ratio, then two for the place, two flips and the rotation.
_PLACE = 2 * ATTEMPTS
_SLOTS = _PLACE + 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """Cut out a part of random area and shape, stretch it to the size of the result, mirror it and rotate it.

    The rotation comes last and shows black outside of the crop, as torchvision's RandomRotation does. All steps are one
    bilinear warp of the image. The warp shrinks without antialiasing, so the images should not be much larger than
    the result.

    Args:
        scale: (low, high) in (0, 1], range of the area cut out as a share of the image, uniform.
        ratio: (low, high) > 0, range of its width / height, uniform in the logarithm.
        image_size: (height, width) of the result in pixels; None: the size of the input.
        horizontal_flip, vertical_flip: mirror left-right or top-bottom with probability 1/2.
        rotation: degrees in [0, 180]; the angle is uniform in [-rotation, rotation].
    Raises:
        ValueError: a value is out of these limits.
    Source: torchvision.transforms.RandomResizedCrop, which has the same defaults.
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
            if isinstance(getattr(self, name), list):  # JSON turns tuples into lists
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_pair("scale", self.scale, above_zero=True)
        check_pair("ratio", self.ratio, above_zero=True)
        if self.scale[1] > 1:
            raise ValueError(f"scale must be at most 1, the whole image, got {self.scale!r}")
        if self.image_size is not None and not _is_size(self.image_size):
            raise InputError(f"image_size must be (height, width) in pixels, got {self.image_size!r}")
        check_number("rotation", self.rotation, 0, 180, "degrees")

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return the images, each cropped, mirrored and rotated by draws that depend on (seed, epoch, position) alone.

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


def _is_size(value) -> bool:
    whole = isinstance(value, tuple) and all(isinstance(side, numbers.Integral) and side >= 1 for side in value)
    return whole and len(value) == 2


def crop_boxes(uniforms: np.ndarray, *, height: int, width: int, scale, ratio) -> np.ndarray:
    """Turn random numbers in (0, 1) into the boxes to cut out.

    Args:
        uniforms: float64 (B, 22 or more): ten pairs for area and ratio, then two numbers for top and left.
        height, width: size of the image in pixels.
        scale, ratio: as in ResizedCrop.
    Returns:
        int64 (B, 4): top, left, height and width of a box inside the image: the first of the ten that fits, else the
        largest centred box with an allowed ratio.
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
    """Write the box cut from `image` to `out`, stretched to its size and warped by `matrix` (output to input)."""
    top, left, high, wide = box
    out_height, out_width = out.shape[:2]
    stretch = np.array([[wide / out_width], [high / out_height]])
    whole = stretch * matrix
    whole[:, 2:] += (stretch - 1) / 2 + 1  # pixel centres lie half a pixel inside; 1 more for the rim added below
    # Stretching reads up to half a pixel outside of the box, where a rim of repeated pixels prevents a black edge.
    part = cv2.copyMakeBorder(image[top : top + high, left : left + wide], 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(part, whole, (out_width, out_height), out, flags, cv2.BORDER_CONSTANT, (0, 0, 0))
