"""How smooth a photograph is from pixel to pixel, whatever it shows: a photograph that is very smooth is blurred."""

import numpy as np
from PIL import Image

SIDE = 128  # pixels; photographs are compared at this size, so that a high resolution does not count as blur
# Among the 12,257 photographs of caltech20, cub100 and fruit3, 22 are below this value and none is below 0.285. A
# Gaussian blur leads below it if its standard deviation is 1.1% of the photograph's side or more.
BLURRED = 0.3


def smoothness(picture: Image.Image) -> float | None:
    """Return how large the steps from a pixel to the next are, compared with those from a pixel to the next but one.

    The mean squares of the differences in brightness are compared: 0.25 if the brightness changes evenly, as in a
    photograph that is far out of focus, 0.5 between flat areas with sharp edges, 1 if neighbouring pixels have nothing
    to do with each other. What the photograph shows matters little, because contrast and detail change both.

    Args:
        picture: of one channel (mode L).
    Returns:
        The quotient; None if the photograph is of a single colour or has less than SIDE pixels in width or height.
    Example:
        >>> noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8))
        >>> even = Image.linear_gradient("L")
        >>> round(smoothness(noise), 2), round(smoothness(even), 2), smoothness(noise.resize((128, 100)))
        (0.99, 0.25, None)
    """
    if min(picture.size) < SIDE:
        return None
    grey = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)
    one, two = (_steps(grey, apart) for apart in (1, 2))
    return one / two if two else None


def _steps(grey, apart: int) -> float:
    down, across = grey[apart:] - grey[:-apart], grey[:, apart:] - grey[:, :-apart]
    # einsum and not vdot, which would start the threads of BLAS for each photograph
    return float(sum(np.einsum("ij,ij", one, one) / one.size for one in (down, across)))
