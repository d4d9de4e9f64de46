"""How photographs look, whatever they show: sharpness, brightness and contrast, all measured at one size."""

import dataclasses
import math
import time

import numpy as np
from PIL import Image

SIDE = 128  # pixels; photographs are compared at this size, so that a high resolution does not count as blur
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Looks:
    """Float arrays (N,), one value for each photograph.

    Args:
        sharpness: share of the brightness's variance that lies between neighbouring pixels, in [0, 1].
        brightness: mean, in [0, 255].
        contrast: standard deviation of the brightness, in [0, 128].
    """

    sharpness: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray


def of_store(store, *, chunk: int = 64, left: float = math.inf) -> Looks | None:
    """Measure the photographs of a store of uint8 (N, H, W, 3).

    Args:
        left: seconds that are left; if the pace of the first chunk says that they are too few, None is returned.
    """
    rows, began = [], time.monotonic()
    for start in range(0, len(store), chunk):
        rows += [_looks(image) for image in store.gather(np.arange(start, min(start + chunk, len(store))))]
        if start == 0 and (time.monotonic() - began) * len(store) / len(rows) > left:
            return None
    return Looks(*np.array(rows, dtype=np.float32).reshape(-1, 3).T)


def _looks(image) -> tuple[float, float, float]:
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) @ GREY
    variance = small.var()
    steps = (np.diff(small, axis=0) ** 2).mean() + (np.diff(small, axis=1) ** 2).mean()
    sharpness = min(1.0, steps / (4 * variance)) if variance > 1 else 0.0  # 1 for independent pixels
    return sharpness, float(small.mean()), float(np.sqrt(variance))
