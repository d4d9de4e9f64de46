"""Warps and level changes of uint8 images with given parameters; no random numbers here.

The conventions are those of ImageDataGenerator: angles are in degrees, matrices map an output pixel to the input point
that it shows (so a positive shift moves the picture left or up, and a zoom above 1 shrinks it), and the centre is
(size - 1) / 2. Two of its faults are not repeated: `get_random_transform` draws the column shift from
`height_shift_range` and the row shift from `width_shift_range` (tensorflow#82838), and it rotates an image that is not
square about (row, column) = ((width - 1) / 2, (height - 1) / 2), which is not the centre.
"""

import cv2
import numpy as np

LUMA = (0.299, 0.587, 0.114)  # weights of R, G, B
BORDERS = {
    "nearest": cv2.BORDER_REPLICATE,  # aaaa|abcd|dddd
    "constant": cv2.BORDER_CONSTANT,  # kkkk|abcd|kkkk
    "reflect": cv2.BORDER_REFLECT,  # dcba|abcd|dcba; scipy's name, numpy calls it "symmetric"
    "wrap": cv2.BORDER_WRAP,  # abcd|abcd|abcd; in ImageDataGenerator it repeats after size - 1 pixels (scipy "wrap")
}

_FLIP_CODES = {(-1, 1): 1, (1, -1): 0, (-1, -1): -1}  # sign of (x, y) -> code for cv2.flip


def affine_matrices(
    height: int, width: int, *, rotation, shift_x, shift_y, shear, zoom_x, zoom_y, flip_x, flip_y
) -> np.ndarray:
    """Return the matrices for ImageDataGenerator's rotation, shift, shear and zoom, then flips, about the centre.

    Args:
        height, width: size of the images in pixels.
        rotation, shear: float arrays (B,), degrees.
        shift_x, shift_y: float arrays (B,), pixels along the width and the height.
        zoom_x, zoom_y: float arrays (B,), > 0; 1 is no zoom.
        flip_x, flip_y: bool arrays (B,), mirror left-right and top-bottom.
    Returns:
        float64 array (B, 2, 3): input (x, y) = matrix @ output (x, y, 1). The values are exact if there are only flips.
    Example:
        >>> none, one, yes = np.zeros(1), np.ones(1), np.array([True])
        >>> affine_matrices(4, 6, rotation=none, shift_x=none, shift_y=none, shear=none, zoom_x=one, zoom_y=one,
        ...                 flip_x=yes, flip_y=~yes)[0].tolist()
        [[-1.0, -0.0, 5.0], [-0.0, 1.0, 0.0]]
    """
    theta, phi = np.deg2rad(rotation), np.deg2rad(shear)
    scale_x = np.where(flip_x, -1.0, 1.0) * zoom_x
    scale_y = np.where(flip_y, -1.0, 1.0) * zoom_y
    cos, sin = np.cos(theta), np.sin(theta)
    matrices = np.empty((len(cos), 2, 3))
    # rotation @ shear: the second axis turns by theta + phi (sum of angles)
    matrices[:, 0, 0], matrices[:, 0, 1] = cos * scale_x, -np.sin(theta + phi) * scale_y
    matrices[:, 1, 0], matrices[:, 1, 1] = sin * scale_x, np.cos(theta + phi) * scale_y
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.stack([cos * shift_x - sin * shift_y, sin * shift_x + cos * shift_y], axis=-1)
    matrices[:, :, 2] = centre + shift - matrices[:, :, :2] @ centre
    return matrices


def warp(images: np.ndarray, matrices: np.ndarray, out: np.ndarray, *, rows, fill_mode: str, cval: float = 0) -> None:
    """Warp images by their matrices with bilinear interpolation, and write each to the same row of `out`.

    For a matrix that only mirrors or does nothing, bytes are copied. OpenCV 5 is exact to rounding (0.5 level);
    OpenCV 4 rounds the input point to 1/32 pixel, which makes up to 8 levels between black and white neighbours.

    Args:
        images: uint8 (B, H, W, 3), C-contiguous.
        matrices: float64 (len(rows), 2, 3), which map output to input, from `affine_matrices`.
        out: uint8 (B, H, W, 3), C-contiguous, not overlapping `images`; rows that are not listed stay unchanged.
        rows: ints, positions of the images to warp.
        fill_mode: key of BORDERS that says how to fill the area outside the image.
        cval: level outside the image, for "constant".
    """
    height, width = images.shape[1:3]
    border, fill = BORDERS[fill_mode], (cval, cval, cval)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    only_flips = _only_flips(matrices, height, width)
    for row, matrix, exact in zip(rows, matrices, only_flips, strict=True):
        if exact and (matrix[0, 0], matrix[1, 1]) in _FLIP_CODES:
            cv2.flip(images[row], _FLIP_CODES[matrix[0, 0], matrix[1, 1]], out[row])
        elif exact:
            out[row] = images[row]
        else:
            cv2.warpAffine(images[row], matrix, (width, height), out[row], flags, border, fill)


def _only_flips(matrices, height, width):
    """Return bool (B,): whether each matrix does nothing but mirror, or nothing at all."""
    diagonal = matrices[:, [0, 1], [0, 1]]
    offset = np.where(diagonal < 0, [width - 1, height - 1], 0)
    straight = (matrices[:, 0, 1] == 0) & (matrices[:, 1, 0] == 0)
    return straight & (np.abs(diagonal) == 1).all(axis=1) & (matrices[:, :, 2] == offset).all(axis=1)


def level_tables(*, channel_shift, brightness) -> np.ndarray:
    """Return tables of new levels: the level plus the shift, times the brightness, clipped to [0, 255] at each step.

    ImageDataGenerator differs: it clips to the image's own lowest and highest level, and truncates instead of rounding.

    Args:
        channel_shift: float array (B,), in levels, the same for the three channels.
        brightness: float array (B,), factor >= 0.
    Returns:
        uint8 array (B, 256), for each image the new value of each level.
    Example:
        >>> level_tables(channel_shift=np.array([100.0]), brightness=np.array([0.5]))[0, [0, 10, 200]].tolist()
        [50, 55, 128]
    """
    shifted = np.clip(np.arange(256) + np.asarray(channel_shift)[:, None], 0, 255)
    return np.rint(np.clip(shifted * np.asarray(brightness)[:, None], 0, 255)).astype(np.uint8)


def mean_grey(images: np.ndarray, *, rows) -> np.ndarray:
    """Return the mean brightness, 0.299 R + 0.587 G + 0.114 B, of each images[row].

    The result is float64 (len(rows),), rounded to whole levels.
    """
    return np.array([np.rint(np.dot(LUMA, cv2.mean(images[row])[:3])) for row in rows])


def contrast_tables(contrast, grey) -> np.ndarray:
    """Return tables of new levels: the distance of each level from a grey level is multiplied by the contrast.

    The new levels are clipped to [0, 255].

    Args:
        contrast: float array (B,), factor >= 0.
        grey: float array (B,), in levels.
    Returns:
        uint8 array (B, 256), for each image the new value of each level.
    Source: torchvision's adjust_contrast, Pillow's ImageEnhance.Contrast.
    Example:
        >>> contrast_tables(np.array([0.5]), np.array([100.0]))[0, [0, 100, 200]].tolist()
        [50, 100, 150]
    """
    factor, grey = np.asarray(contrast)[:, None], np.asarray(grey)[:, None]
    return np.rint(np.clip(grey + factor * (np.arange(256) - grey), 0, 255)).astype(np.uint8)


def change_levels(images: np.ndarray, tables: np.ndarray, *, rows) -> None:
    """Replace each level of images[row] by its entry in the row's table, in place.

    Args:
        images: uint8 (B, H, W, 3), C-contiguous, writable.
        tables: uint8 (len(rows), 256), one table per row.
        rows: ints, positions of the images to change.
    """
    for row, table in zip(rows, tables, strict=True):
        cv2.LUT(images[row], table, images[row])
