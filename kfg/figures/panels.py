"""Draw small pictures side by side, each with a title and with boxes on it."""

import dataclasses

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kfg.figures.drawing import INK, short, styled

COLUMNS = 2  # items side by side, each with its panels
WIDE, HIGH = 1.6, 1.8  # inches of a panel, the title included
TITLE = 24  # most characters of a title


@dataclasses.dataclass(frozen=True)
class Outline:
    """A box on a panel, and a word inside its upper left corner.

    Args:
        box: y0, x0, y1, x1 in pixels of the panel's image; both ends belong to the box.
        colour: a matplotlib colour.
        word: the text in the corner.
        width: line width in points; 0: no line.
    """

    box: tuple[float, float, float, float]
    colour: str
    word: str = ""
    width: float = 1.2


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """One picture, uint8 (H, W, 3), with the title above it and the boxes on it."""

    image: np.ndarray
    title: str = ""
    outlines: tuple[Outline, ...] = ()


@styled
def grid(items: list[list[Panel]], *, columns: int = COLUMNS) -> Figure:
    """Draw items, each of which is a row of panels side by side.

    Args:
        items: N >= 1 lists of panels, all of the same length.
        columns: int >= 1, largest number of items side by side.
    """
    wide = len(items[0])
    columns = min(columns, len(items))
    rows = -(-len(items) // columns)
    figure = Figure(figsize=(WIDE * wide * columns, HIGH * rows))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.25 / (HIGH * rows), wspace=0.04, hspace=0.14)
    axes = figure.subplots(rows, wide * columns, squeeze=False)
    for one in axes.ravel():
        one.set_axis_off()
    for number, panels in enumerate(items):
        row, first = number // columns, number % columns * wide
        for place, panel in enumerate(panels, start=first):
            _draw(axes[row, place], panel)
    return figure


def _draw(axes, panel):
    axes.imshow(panel.image)
    axes.set_anchor("NW")  # keeps titles in line if pictures have different shapes
    axes.set_title(short(panel.title, TITLE), fontsize=7.5, fontweight="normal", color=INK, pad=2, loc="left")
    for outline in panel.outlines:
        y0, x0, y1, x1 = outline.box
        edge = [patheffects.withStroke(linewidth=outline.width + 0.8, foreground="white")]  # visible on any photograph
        corner = (x0 - 0.5, y0 - 0.5)  # for imshow, whole numbers are the middle of a pixel
        if outline.width:
            frame = Rectangle(corner, x1 - x0 + 1, y1 - y0 + 1, fill=False, edgecolor=outline.colour)
            axes.add_patch(frame)
            frame.set(linewidth=outline.width, path_effects=edge)
        if outline.word:
            axes.annotate(
                outline.word,
                corner,
                (2.5, -2.5),
                textcoords="offset points",
                va="top",
                fontsize=6.5,
                color=outline.colour,
                path_effects=[patheffects.withStroke(linewidth=1.8, foreground="white")],
            )
