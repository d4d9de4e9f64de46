import numpy as np
import pytest

from kfg.errors import InputError
from kfg.pixels import check_range

PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [
        (lambda x: x / 255, "0", "1"),
        (lambda x: x / 127.5 - 1, "-1", "1"),
        (lambda x: x - 116.779, r"-116\.779", r"138\.221"),
        (lambda x: x * 257.0, "0", "65535"),
        (lambda x: np.where(x > 250, np.nan, x), "nan", "nan"),
    ],
)
def test_a_photograph_scaled_beforehand_is_refused_with_its_range(scale, low, high):
    message = rf"^frames: values from {low} to {high} seem to be scaled already; give raw pixels in \[0, 255\]$"
    with pytest.raises(InputError, match=message):
        check_range(scale(PHOTOGRAPH.astype(np.float32)).astype(np.float32), name="frames")


@pytest.mark.parametrize(
    "images", [PHOTOGRAPH, PHOTOGRAPH.astype(np.float32), np.zeros((1, 4, 4, 3)), np.ones((1, 4, 4, 3), np.uint8)]
)
def test_raw_pixels_and_black_pictures_pass(images):
    assert check_range(images) is None  # it would have raised
