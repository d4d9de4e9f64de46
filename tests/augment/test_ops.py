"""Geometry against the legacy ImageDataGenerator and scipy; level changes against Pillow."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage

from kfg.augment import ops

SIZES = [(64, 64), (45, 68), (68, 45), (37, 37), (31, 50)]  # even, odd, the study's 68x45, neither square
# OpenCV 5 interpolates exactly. OpenCV 4 rounds the input point to 1/32 pixel: at most 1/64 off on each axis, so
# 255 * 2 / 64 = 8 levels at worst on noise, and 1/32 of a step of at most 36 levels, about 1, on the smooth picture.
EXACT = int(cv2.__version__.split(".")[0]) >= 5
TOLERANCE = {"noise": 0.51 if EXACT else 8.5, "smooth": 0.51 if EXACT else 1.7}


def picture(kind, height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float64)
    if kind == "smooth":
        blurred = ndimage.gaussian_filter(noise, (4, 4, 0), mode="reflect")
        noise = (blurred - blurred.min()) / (blurred.max() - blurred.min()) * 255
    return noise.astype(np.uint8)


def random_parameters(count, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "rotation": rng.uniform(-60, 60, count),
        "shift_x": rng.uniform(-6, 6, count),
        "shift_y": rng.uniform(-6, 6, count),
        "shear": rng.uniform(-15, 15, count),
        "zoom_x": rng.uniform(0.8, 1.2, count),
        "zoom_y": rng.uniform(0.8, 1.2, count),
        "flip_x": np.arange(count) % 2 == 1,
        "flip_y": np.arange(count) % 4 >= 2,
    }


def no_change(count=1):
    zero, one, no = np.zeros(count), np.ones(count), np.zeros(count, bool)
    shifts = {"rotation": zero, "shift_x": zero, "shift_y": zero, "shear": zero}
    return {**shifts, "zoom_x": one, "zoom_y": one, "flip_x": no, "flip_y": no}


def legacy(image, parameters, row, *, fill_mode="nearest", cval=0.0):
    """Return float64 of ImageDataGenerator.apply_transform, its wrong centre made good.

    On an image that is not square it turns about c' = ((H - 1) / 2, (W - 1) / 2) in (x, y) instead of
    c = ((W - 1) / 2, (H - 1) / 2). With L the linear part and R the rotation, its input point is
    c' + L (p - c') + R t; the shift t + inv(R) (I - L) (c - c') gives c + L (p - c) + R t.
    """
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    height, width = image.shape[:2]
    p = {name: float(values[row]) for name, values in parameters.items()}
    theta, phi = np.deg2rad(p["rotation"]), np.deg2rad(p["shear"])
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    linear = turn @ [[1, -np.sin(phi)], [0, np.cos(phi)]] @ np.diag([p["zoom_x"], p["zoom_y"]])
    off = np.array([width - height, height - width]) / 2
    tx, ty = [p["shift_x"], p["shift_y"]] + np.linalg.inv(turn) @ (np.eye(2) - linear) @ off
    generator = ImageDataGenerator(fill_mode=fill_mode, cval=cval, dtype="float64")
    steps = {"theta": p["rotation"], "tx": tx, "ty": ty, "shear": p["shear"], "zx": p["zoom_x"], "zy": p["zoom_y"]}
    steps |= {"flip_horizontal": bool(p["flip_x"]), "flip_vertical": bool(p["flip_y"])}
    return generator.apply_transform(image.astype(np.float64), steps)


def warped(image, matrix, fill_mode, cval=0.0):
    out = np.full((1, *image.shape), 77, np.uint8)
    ops.warp(image[None], matrix[None], out, rows=[0], fill_mode=fill_mode, cval=cval)
    return out[0]


def source_points(matrix, height, width):
    """Return (H, W, 2): the input (x, y) of each output pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T


def inside(points, height, width, margin=0.0):
    return ((points >= -margin) & (points <= np.array([width - 1, height - 1]) + margin)).all(axis=-1)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_matrices_are_the_legacy_generators(height, width):
    parameters = random_parameters(8, seed=height)
    matrices = ops.affine_matrices(height, width, **parameters)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    ramps = np.stack([x, y, x], axis=-1)  # linear interpolation of these reads off the input point
    for row, matrix in enumerate(matrices):
        seen = legacy(ramps, parameters, row, fill_mode="constant", cval=np.nan)[..., :2]
        known = np.isfinite(seen).all(axis=-1)
        assert known.mean() > 0.3
        np.testing.assert_allclose(source_points(matrix, height, width)[known], seen[known], atol=1e-9)


@pytest.mark.parametrize("kind", ["smooth", "noise"])
@pytest.mark.parametrize("fill_mode", ops.BORDERS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pixels_are_the_legacy_generators(height, width, fill_mode, kind):
    image, parameters = picture(kind, height, width), random_parameters(4, seed=width)
    matrices = ops.affine_matrices(height, width, **parameters)
    for row, matrix in enumerate(matrices):
        error = np.abs(
            warped(image, matrix, fill_mode, cval=50.0) - legacy(image, parameters, row, fill_mode=fill_mode, cval=50.0)
        )
        points = source_points(matrix, height, width)
        within = inside(points, height, width)
        assert 0.3 < within.mean() < 1  # both the interior and the border are looked at
        assert error[within].max() <= TOLERANCE[kind]
        if fill_mode in ("nearest", "reflect"):
            assert error.max() <= TOLERANCE[kind]
        if fill_mode == "constant":  # legacy cuts off at the last pixel's centre, we blend with cval over one pixel
            assert error[~inside(points, height, width, margin=1.0)].max() == 0


@pytest.mark.parametrize(("fill_mode", "scipy_mode"), [("constant", "grid-constant"), ("wrap", "grid-wrap")])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_borders_that_legacy_does_otherwise_are_scipys_grid_modes(height, width, fill_mode, scipy_mode):
    image = picture("noise", height, width)
    for matrix in ops.affine_matrices(height, width, **random_parameters(4, seed=1)):
        swapped = matrix[[1, 0]][:, [1, 0, 2]]  # scipy's order is (row, column)
        expected = [
            ndimage.affine_transform(
                channel.astype(np.float64), swapped[:, :2], swapped[:, 2], order=1, mode=scipy_mode, cval=50.0
            )
            for channel in np.moveaxis(image, -1, 0)
        ]
        error = np.abs(warped(image, matrix, fill_mode, cval=50.0) - np.stack(expected, axis=-1))
        assert error.max() <= TOLERANCE["noise"]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_turns_are_about_the_middle_and_the_legacy_ones_are_not(height, width):
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 1])
    matrix = ops.affine_matrices(height, width, **{**no_change(), "rotation": np.array([33.0])})[0]
    np.testing.assert_allclose(matrix @ middle, middle[:2], atol=1e-12)
    half_turn = ops.affine_matrices(height, width, **{**no_change(), "rotation": np.array([180.0])})[0]
    image = picture("noise", height, width)
    np.testing.assert_array_equal(warped(image, half_turn, "nearest"), image[::-1, ::-1])

    from tensorflow.keras.preprocessing.image import apply_affine_transform

    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    theirs = apply_affine_transform(image.astype(np.float64), theta=180, **axes)
    assert np.allclose(theirs, image[::-1, ::-1]) == (height == width)


@pytest.mark.parametrize("fill_mode", ops.BORDERS)
@pytest.mark.parametrize(("flip_x", "flip_y"), [(False, False), (True, False), (False, True), (True, True)])
def test_flips_alone_move_bytes(fill_mode, flip_x, flip_y):
    image = picture("noise", 45, 68)
    changes = {**no_change(), "flip_x": np.array([flip_x]), "flip_y": np.array([flip_y])}
    matrix = ops.affine_matrices(45, 68, **changes)[0]
    expected = image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    np.testing.assert_array_equal(warped(image, matrix, fill_mode), expected)


@pytest.mark.parametrize(
    ("fill_mode", "expected"),
    [("nearest", 7), ("constant", 9), ("reflect", 6), ("wrap", 1)],  # what follows ... 5 6 7
)
def test_whole_pixel_shifts_move_bytes_and_fill_by_name(fill_mode, expected):
    image = np.repeat(np.arange(8, dtype=np.uint8)[None, :, None], 6, axis=0).repeat(3, axis=2)
    matrix = ops.affine_matrices(6, 8, **{**no_change(), "shift_x": np.array([2.0])})[0]
    out = warped(image, matrix, fill_mode, cval=9.0)
    assert (out[:, :6] == image[:, 2:]).all()
    assert out[0, 7, 0] == expected


def test_warp_leaves_other_rows_and_its_input_alone():
    images = np.stack([picture("noise", 20, 24, seed) for seed in range(3)])
    images.setflags(write=False)  # as TensorFlow hands them over
    before, out = images.copy(), np.full(images.shape, 77, np.uint8)
    matrices = ops.affine_matrices(20, 24, **random_parameters(1))
    ops.warp(images, matrices, out, rows=[1], fill_mode="reflect")
    assert (out[[0, 2]] == 77).all() and (out[1] != 77).any()
    np.testing.assert_array_equal(images, before)


def test_channel_shift_is_the_legacy_one():
    from tensorflow.keras.preprocessing.image import apply_channel_shift

    image = picture("smooth", 30, 40)  # levels 0 to 255, so that legacy's clip to the image's own range is ours
    for shift in (-90.0, -0.5, 0.0, 33.7, 255.0):
        table = ops.level_tables(channel_shift=np.array([shift]), brightness=np.ones(1))
        out = image[None].copy()
        ops.change_levels(out, table, rows=[0])
        assert np.abs(out[0] - apply_channel_shift(image.astype(np.float64), shift, 2)).max() <= 0.5


def test_brightness_is_pillows_to_a_level():
    from tensorflow.keras.preprocessing.image import apply_brightness_shift

    image = picture("noise", 30, 40)
    for factor in (0.0, 0.37, 1.0, 1.6):
        table = ops.level_tables(channel_shift=np.zeros(1), brightness=np.array([factor]))
        out = image[None].copy()
        ops.change_levels(out, table, rows=[0])
        theirs = apply_brightness_shift(image.astype(np.float64), factor, False)
        assert np.abs(out[0] - theirs).max() <= (0 if factor in (0.0, 1.0) else 1)


def test_contrast_is_pillows():
    images = np.random.default_rng(5).integers(0, 256, (3, 12, 9, 3), dtype=np.uint8)
    factors, changed = np.array([0.0, 0.6, 1.7]), images.copy()
    ops.change_levels(changed, ops.contrast_tables(factors, ops.mean_grey(images, rows=range(3))), rows=range(3))
    for before, factor, after in zip(images, factors, changed, strict=True):
        theirs = np.asarray(ImageEnhance.Contrast(Image.fromarray(before)).enhance(factor), dtype=int)
        assert abs(after - theirs).max() <= 1  # Pillow cuts off where this rounds
    assert (changed[0] == changed[0][0, 0, 0]).all()
