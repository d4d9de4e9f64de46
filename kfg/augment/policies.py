"""Augmentation policies with ImageDataGenerator's settings, as pure functions of (seed, epoch, position)."""

import dataclasses
import math
import numbers

import numpy as np

from kfg.augment import draws, from_keras, ops
from kfg.errors import InputError

# One random number per parameter is always drawn, so switching an option on does not change the draws of the others.
_SLOTS = (
    "rotation", "width_shift", "width_sign", "height_shift", "height_sign", "shear",
    "zoom_x", "zoom_y", "horizontal_flip", "vertical_flip", "channel_shift", "brightness", "contrast",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Ranges of random changes to an image; the default changes nothing.

    Rotation, shift, shear, zoom and flips are one bilinear warp about the centre (see `ops.affine_matrices`); levels
    are changed after it. The result of `dataclasses.asdict` can be written as JSON, and `Policy(**settings)` makes the
    same policy from it.

    Args:
        rotation: degrees in [0, 180]; the angle is uniform in [-rotation, rotation].
        width_shift, height_shift: a float in [0, 1) is a fraction of the size, uniform in both directions; an int
            n >= 0 means whole pixels, 0 to n - 1 in either direction (n itself never occurs, as in
            ImageDataGenerator).
        shear: degrees in [0, 90), uniform in both directions.
        zoom: float z in [0, 1) for factors in [1 - z, 1 + z], or (low, high); one factor per axis; above 1 shrinks.
        channel_shift: levels in [0, 255], uniform up and down, the same for the three channels.
        brightness: (low, high), range of the factor, >= 0; None: no change.
        contrast: (low, high), range of the factor, >= 0, for the distance from the image's mean grey; None: no change.
            Contrast is changed last.
        horizontal_flip, vertical_flip: mirror left-right or top-bottom with probability 1/2.
        fill_mode: "nearest", "constant", "reflect" or "wrap": how the area outside the image is filled.
        cval: level in [0, 255] for "constant".
    Raises:
        InputError: a value is out of these limits.
    Example:
        >>> Policy(rotation=45, width_shift=3, height_shift=3, zoom=0.1, fill_mode="reflect").zoom_range
        (0.9, 1.1)
    """

    rotation: float = 0.0
    width_shift: float | int = 0.0
    height_shift: float | int = 0.0
    shear: float = 0.0
    zoom: float | tuple[float, float] = 0.0
    channel_shift: float = 0.0
    brightness: tuple[float, float] | None = None
    contrast: tuple[float, float] | None = None
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill_mode: str = "nearest"
    cval: float = 0.0

    def __post_init__(self):
        for name in ("zoom", "brightness", "contrast"):
            if isinstance(getattr(self, name), list):  # JSON turns tuples into lists
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_number("rotation", self.rotation, 0, 180, "degrees")
        _check_shift("width_shift", self.width_shift)
        _check_shift("height_shift", self.height_shift)
        check_number("shear", self.shear, 0, 90, "degrees", end_included=False)
        if isinstance(self.zoom, tuple):
            check_pair("zoom", self.zoom, above_zero=True)
        else:
            check_number("zoom", self.zoom, 0, 1, "or (low, high)", end_included=False)
        check_number("channel_shift", self.channel_shift, 0, 255, "levels")
        for name in ("brightness", "contrast"):
            if getattr(self, name) is not None:
                check_pair(name, getattr(self, name))
        for name in ("horizontal_flip", "vertical_flip"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.fill_mode not in ops.BORDERS:
            raise InputError(f"fill_mode must be one of {', '.join(ops.BORDERS)}, got {self.fill_mode!r}")
        check_number("cval", self.cval, 0, 255, "levels")

    @classmethod
    def from_keras(cls, **arguments) -> "Policy":
        """Return the policy that does the same as ImageDataGenerator with these arguments.

        Args:
            arguments: arguments of `tf.keras.preprocessing.image.ImageDataGenerator`: `rotation_range`,
                `width_shift_range`, `height_shift_range`, `shear_range`, `zoom_range`, `channel_shift_range`,
                `brightness_range`, `horizontal_flip`, `vertical_flip`, `fill_mode`, `cval`.
        Raises:
            InputError: an argument is unknown, or is not about augmentation, such as `rescale`; the message says how
                kfg does this.
        Example:
            >>> Policy.from_keras(rotation_range=20, width_shift_range=0.1, horizontal_flip=True).rotation
            20
        """
        return cls(**from_keras.settings(arguments))

    @property
    def zoom_range(self) -> tuple[float, float]:
        return self.zoom if isinstance(self.zoom, tuple) else (1 - self.zoom, 1 + self.zoom)

    @property
    def changes_geometry(self) -> bool:
        turned = self.rotation or self.width_shift or self.height_shift or self.shear or self.zoom_range != (1, 1)
        return bool(turned or self.horizontal_flip or self.vertical_flip)

    @property
    def changes_levels(self) -> bool:
        return bool(self.channel_shift or self.brightness not in (None, (1, 1)))

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return the images, each changed by draws that depend on its (seed, epoch, position) alone.

        The result for an image does not depend on the rest of the batch, on order, or on threads.

        Args:
            images: uint8 (B, H, W, 3).
            labels: int32 (B,); not used here, but in `ClassTargeted`.
            seed: int in [0, 2^64).
            epoch: int in [0, 2^32).
            positions: int64 (B,), >= 0, each image's position in the data set.
        Returns:
            uint8 (B, H, W, 3), a new array.
        Raises:
            InputError: a dtype or shape is wrong, or a number is out of range.
        """
        images = check_batch(images, labels, positions)
        return _changed(images, seed, epoch, positions, [(self, np.arange(len(images)))])


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassTargeted:
    """A policy for some classes by label, and one for all others.

    The random numbers of an image do not depend on its policy. So if two ClassTargeted differ in the policy of one
    class, only the images of that class come out differently.

    The result of `dataclasses.asdict` can be written as JSON, and `ClassTargeted(**settings)` makes the same policies
    from it.

    Args:
        default: Policy for the classes that are not listed.
        by_class: label -> Policy; labels may be strings of digits, as in JSON.
    Raises:
        InputError: a label is not an int >= 0, or is there twice.
    """

    default: Policy
    by_class: dict[int, Policy]

    def __post_init__(self):
        plain = {}
        for label, policy in self.by_class.items():
            digits = isinstance(label, str) and label.isascii() and label.isdigit()
            if not digits and (not isinstance(label, numbers.Integral) or label < 0):
                raise InputError(f"by_class: a label must be an int >= 0, got {label!r}")
            if int(label) in plain:
                raise InputError(f"by_class: label {int(label)} is given twice")
            plain[int(label)] = _as_policy(policy)  # int(): JSON cannot have numpy's ints as keys
        object.__setattr__(self, "by_class", plain)
        object.__setattr__(self, "default", _as_policy(self.default))

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return the images, each changed by its class's policy; arguments and result are those of `Policy.apply`."""
        images = check_batch(images, labels, positions)
        labels = np.asarray(labels)
        work = [(self.default, np.flatnonzero(~np.isin(labels, list(self.by_class))))]
        work += [(policy, np.flatnonzero(labels == label)) for label, policy in self.by_class.items()]
        return _changed(images, seed, epoch, positions, work)


def _as_policy(value) -> Policy:
    return Policy(**value) if isinstance(value, dict) else value


def parameters(policy: Policy, uniforms: np.ndarray, *, height: int, width: int) -> dict[str, np.ndarray]:
    """Turn random numbers in (0, 1) into rotation angles, shifts, factors and so on within a policy's ranges.

    Args:
        policy: the policy, which gives the ranges.
        uniforms: float64 (B, 13), one column per parameter.
        height, width: size of the images in pixels.
    Returns:
        A dict of arrays (B,): the arguments of `ops.affine_matrices`, those of `ops.level_tables`, and "contrast".
    """
    draw = dict(zip(_SLOTS, uniforms.T, strict=True))
    zoom_low, zoom_high = policy.zoom_range
    low, high = policy.brightness or (1.0, 1.0)
    least, most = policy.contrast or (1.0, 1.0)
    return {
        "rotation": policy.rotation * (2 * draw["rotation"] - 1),
        "shift_x": _shift(policy.width_shift, width, draw["width_shift"], draw["width_sign"]),
        "shift_y": _shift(policy.height_shift, height, draw["height_shift"], draw["height_sign"]),
        "shear": policy.shear * (2 * draw["shear"] - 1),
        "zoom_x": zoom_low + (zoom_high - zoom_low) * draw["zoom_x"],
        "zoom_y": zoom_low + (zoom_high - zoom_low) * draw["zoom_y"],
        "flip_x": policy.horizontal_flip & (draw["horizontal_flip"] < 0.5),
        "flip_y": policy.vertical_flip & (draw["vertical_flip"] < 0.5),
        "channel_shift": policy.channel_shift * (2 * draw["channel_shift"] - 1),
        "brightness": low + (high - low) * draw["brightness"],
        "contrast": least + (most - least) * draw["contrast"],
    }


def _shift(amount, size, draw, sign):
    if isinstance(amount, int):
        return np.floor(draw * amount) * np.where(sign < 0.5, -1, 1)
    return amount * size * (2 * draw - 1)


def _changed(images, seed, epoch, positions, work):
    """Return the changed images; `work` is a list of (policy, rows) that together cover the batch."""
    height, width = images.shape[1:3]
    uniforms = draws.uniforms(seed, epoch=epoch, positions=positions, count=len(_SLOTS))
    out = np.empty_like(images)
    for policy, rows in work:
        values = parameters(policy, uniforms[rows], height=height, width=width)
        contrast = values.pop("contrast")
        levels = {name: values.pop(name) for name in ("channel_shift", "brightness")}
        if policy.changes_geometry:
            matrices = ops.affine_matrices(height, width, **values)
            ops.warp(images, matrices, out, rows=rows, fill_mode=policy.fill_mode, cval=policy.cval)
        else:
            for row in rows:  # out[rows] = images[rows] would copy twice
                out[row] = images[row]
        if policy.changes_levels:
            ops.change_levels(out, ops.level_tables(**levels), rows=rows)
        if policy.contrast not in (None, (1, 1)):
            ops.change_levels(out, ops.contrast_tables(contrast, ops.mean_grey(out, rows=rows)), rows=rows)
    return out


def check_batch(images, labels, positions):
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InputError(f"images must be uint8 (B, H, W, 3), got {images.dtype} {images.shape}")
    for name, values in (("labels", labels), ("positions", positions)):
        if np.shape(values) != (len(images),):
            raise InputError(f"{name} must be ({len(images)},) like the images, got {np.shape(values)}")
    return np.ascontiguousarray(images)


def check_number(name, value, low, high, unit, end_included=True):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not (low <= value <= high) or (value == high and not end_included):
        raise InputError(f"{name} must be in [{low}, {high}{']' if end_included else ')'} {unit}, got {value!r}")


def _check_shift(name, value):
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise InputError(f"{name} in pixels (an int) must be >= 0, got {value}")
    elif not isinstance(value, float) or not 0 <= value < 1:
        raise InputError(f"{name} must be a float in [0, 1), a fraction, or an int, pixels; got {value!r}")


def check_pair(name, value, above_zero=False):
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(v, (int, float)) for v in value):
        raise InputError(f"{name} must be (low, high), got {value!r}")
    low, high = value
    if not 0 <= low <= high < math.inf or (above_zero and low == 0):
        raise InputError(f"{name} must have {'0 <' if above_zero else '0 <='} low <= high, got {value!r}")
