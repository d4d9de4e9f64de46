"""Find the images that a model was most wrong about, and draw them as a sheet of thumbnails."""

import dataclasses
import logging
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from kfg.evaluation.predict import Predictions
from kfg.figures.drawing import BLUE, FAINT, INK, ORANGE, short, styled

logger = logging.getLogger(__name__)

SIDE = 220  # pixels, longest side of a thumbnail
COLUMNS = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Worst:
    """One image with its path, its true class, the model's prediction and a thumbnail.

    `at` is its position among the predictions, `confidence` the probability of `predicted`, and `true_probability` that
    of the true class. `thumbnail` is uint8 (H, W, 3), at most 220 pixels a side, or None if the image cannot be read.
    """

    at: int
    path: str
    true: str
    predicted: str
    confidence: float
    true_probability: float
    loss: float
    thumbnail: np.ndarray | None


def find(predictions: Predictions, decode: Callable[[str], np.ndarray], *, n: int = 24) -> list[Worst]:
    """Return the n images with the highest loss, highest first; images of equal loss stay in order.

    Args:
        predictions: predictions for N images.
        decode: function path (as in `predictions`) -> uint8 (H, W, 3). If it raises OSError or ValueError, this is
            logged and `thumbnail` is None.
        n: number of images.
    """
    losses, predicted = predictions.losses, predictions.predicted
    found = []
    for i in np.argsort(-losses, kind="stable")[:n]:
        true, guess = int(predictions.labels[i]), int(predicted[i])
        found.append(
            Worst(
                at=int(i),
                path=predictions.paths[i],
                true=predictions.classes[true],
                predicted=predictions.classes[guess],
                confidence=float(predictions.probabilities[i, guess]),
                true_probability=float(predictions.probabilities[i, true]),
                loss=float(losses[i]),
                thumbnail=_thumbnail(predictions.paths[i], decode),
            )
        )
    return found


def _thumbnail(path, decode):
    from PIL import Image

    try:
        image = Image.fromarray(np.asarray(decode(path), dtype=np.uint8))
    except (OSError, ValueError) as error:
        logger.warning("%s: no thumbnail can be made: %s", path, error)
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)


@styled
def sheet(worst: list[Worst]) -> Figure:
    """Draw thumbnails with the true class, the model's prediction and its probability; highest loss first."""
    columns = min(COLUMNS, max(len(worst), 1))
    rows = -(-max(len(worst), 1) // columns)
    figure = Figure(figsize=(2.1 * columns, 2.7 * rows))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.1, hspace=0.34)
    for axes in np.ravel(figure.subplots(rows, columns, squeeze=False)):
        axes.set_axis_off()
    for axes, one in zip(figure.axes, worst, strict=False):
        _cell(axes, one)
    return figure


def _cell(axes, one):
    canvas = np.full((SIDE, SIDE, 3), 242, np.uint8)  # a pale grey square, so that all cells have the same size
    if one.thumbnail is None:
        axes.text(SIDE / 2, SIDE / 2, "cannot be read", ha="center", va="center", color=FAINT)
    else:
        height, width, _ = one.thumbnail.shape
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        canvas[top : top + height, left : left + width] = one.thumbnail
    axes.imshow(canvas)
    right = one.true == one.predicted
    said = f"model: {short(one.predicted, 20)}"
    lines = [
        (f"true: {short(one.true, 21)}", INK, "bold"),
        (f"{said}, {one.confidence:.0%}", BLUE if right else ORANGE, "normal"),
        (f"p(true class) = {one.true_probability:.1%}", "#666666", "normal"),
    ]
    for row, (text, colour, weight) in enumerate(lines):
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top", "annotation_clip": False}
        axes.annotate(text, (0, 0), (0, -4 - 12.5 * row), color=colour, fontweight=weight, fontsize=8.5, **place)
