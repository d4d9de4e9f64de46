"""Draw the confusion matrix so that it is legible from 2 classes to several hundred."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.figure import Figure

from kfg.figures.drawing import INK, short, styled

PERCENT_LIMIT = 12  # up to this number of classes, a cell also shows its share of the row
COUNT_LIMIT = 40  # up to this number of classes, cells show counts; with more, only colour, and classes are clustered
SIDE_LIMIT = 30  # inches, longest side
FONT_LIMIT = 2.5  # points; class names that would be smaller are left out (confusion.csv has them)
ERROR_FLOOR = 0.01  # on the logarithmic colour scale, errors below this share of a row have the palest colour


@styled
def draw(confusion, classes) -> Figure:
    """Draw a confusion matrix: rows are true classes, colour is the share of the row, text the image count.

    The diagonal is blue. Mistakes are orange, on a scale that raises small shares, so that even a rare mistake stands
    out. From 41 classes on, cells have colour only, on a scale that raises small shares even more, because among
    hundreds of classes one image in ten is already a finding. Classes that are confused with each other are then placed
    side by side, and classes without an image that were never predicted are left out; the heading says so.

    Args:
        confusion: int array (C, C), row = true class.
        classes: C names.
    """
    confusion = np.asarray(confusion)
    kept = seen(confusion) if len(confusion) > COUNT_LIMIT else np.arange(len(confusion))
    left_out = len(confusion) - len(kept)
    many = len(kept) > COUNT_LIMIT
    order = kept[similar_together(confusion[np.ix_(kept, kept)])] if many else kept
    confusion = confusion[np.ix_(order, order)]
    names = [short(classes[i]) for i in order]
    support = confusion.sum(axis=1)
    share = confusion / np.maximum(support, 1)[:, None]
    cell, font = _sizes(len(names))
    side = cell * len(names)
    figure = Figure(figsize=(side, side))  # the axes fill the figure; labels lie outside, and `save` includes them
    axes = figure.add_axes((0, 0, 1, 1))
    images = _colours(axes, share, logarithmic=many)
    _labels(axes, names, support, cell, font)
    if not many:
        _numbers(axes, confusion, share, images, font)
    _heading(figure, axes, confusion, images, many, left_out)
    return figure


def seen(confusion) -> np.ndarray:
    """Return the numbers of the classes that have an image or were predicted, int (K,); all classes if there are none.

    Example:
        >>> seen(np.array([[2, 0, 0, 1], [0, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0]])).tolist()
        [0, 2, 3]
    """
    kept = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    return kept if len(kept) else np.arange(len(confusion))


def similar_together(confusion) -> np.ndarray:
    """Return int (C,), an order of the classes in which classes confused with each other are neighbours.

    The order is found by average-linkage clustering with the distance
    1 - (share of i called j + share of j called i) / 2.

    Example:
        >>> similar_together([[5, 0, 4], [0, 9, 0], [4, 0, 5]]).tolist() in ([0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1])
        True
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    confusion = np.asarray(confusion)
    if len(confusion) < 3:
        return np.arange(len(confusion))
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    distance = 1 - (share + share.T) / 2
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), method="average", optimal_ordering=True))


def _sizes(count) -> tuple[float, float]:
    """Return inches per cell and points of the tick labels."""
    if count <= PERCENT_LIMIT:
        return max(0.62, 3.2 / count), 10
    if count <= COUNT_LIMIT:
        return 0.36, 8.5
    # 13 pixels a class at 150 dpi: 258 classes make 3,300 pixels, with names 10 pixels high. The side is limited,
    # because a figure of thousands of classes must fit in memory.
    cell = min(0.085, SIDE_LIMIT / count)
    return cell, 5 * cell / 0.085


def _colours(axes, share, *, logarithmic):
    """Draw right answers and mistakes as two images with their own colours; return both."""
    diagonal = np.eye(len(share), dtype=bool)
    right = np.ma.masked_where(~diagonal | (share == 0), share)
    wrong = np.ma.masked_where(diagonal | (share == 0), share)
    scale = LogNorm(ERROR_FLOOR, 1, clip=True) if logarithmic else PowerNorm(0.6, 0, 1)
    return (
        axes.imshow(right, cmap=_from("Blues", 0.08), norm=Normalize(0, 1), interpolation="nearest"),
        axes.imshow(wrong, cmap=_from("Oranges", 0.1), norm=scale, interpolation="nearest"),
    )


def _from(name, start):
    """Return a palette without its palest colours, which look like an empty cell, and without its darkest ones."""
    return matplotlib.colors.ListedColormap(matplotlib.colormaps[name](np.linspace(start, 0.9, 256)))


def _labels(axes, names, support, cell, font):
    count = len(names)
    _names(axes, names, support, cell, font)
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class and number of its images")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.6)
    edges = np.arange(1, count) - 0.5
    faint = {"colors": "#E4E4E4", "linewidths": 0.6 if count <= COUNT_LIMIT else 0.25, "zorder": 0.5}
    axes.hlines(edges, -0.5, count - 0.5, **faint)  # one collection of lines: minor ticks would take seconds to draw
    axes.vlines(edges, -0.5, count - 0.5, **faint)


def _names(axes, names, support, cell, font):
    if font < FONT_LIMIT:
        axes.set(xticks=(), yticks=())
        return
    axes.set_xticks(range(len(names)), names, fontsize=font)
    # one renderer for all labels, because each renderer takes as much memory as the picture
    renderer = FigureCanvasAgg(axes.figure).get_renderer()
    widths = [label.get_window_extent(renderer).width / axes.figure.dpi for label in axes.get_xticklabels()]
    if max(widths) > 0.95 * cell:
        axes.tick_params(axis="x", rotation=90)
    axes.set_yticks(range(len(names)), [f"{name}  {n}" for name, n in zip(names, support, strict=True)], fontsize=font)


def _numbers(axes, confusion, share, images, font):
    percent = len(confusion) <= PERCENT_LIMIT
    for (row, column), number in np.ndenumerate(confusion):
        if not number:
            continue
        red, green, blue, _ = images[row != column].to_rgba(share[row, column])
        colour = INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
        style = {"ha": "center", "va": "center", "color": colour}
        axes.text(column, row - 0.1 * percent, str(number), fontsize=font + 1.5 * percent, **style)
        if percent:
            axes.text(column, row + 0.22, _percent(share[row, column]), fontsize=font - 2, **style)


def _percent(share) -> str:
    return "< 1%" if share < 0.005 else f"{100 * share:.0f}%"


def _heading(figure, axes, confusion, images, many, left_out):
    right, total = int(np.trace(confusion)), int(confusion.sum())
    key = "blue: right, orange: wrong; darker means a larger share of the true class"
    if many:
        key += "; classes that are confused stand side by side"
    if left_out:
        key += f"; {left_out} classes without an image that were never predicted are left out"
    title = f"{right:,} of {total:,} images right ({100 * right / max(total, 1):.1f}%)"
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    larger = 1 + many * figure.get_size_inches()[0] / 17  # a large matrix is first seen scaled down
    axes.annotate(title, (0, 1), (0, 10 + 14 * larger), fontsize=12 * larger, fontweight="bold", **place)
    axes.annotate(key, (0, 1), (0, 9), fontsize=9 * larger, color="#555555", **place)
    if many:
        _scales(figure, images)


def _scales(figure, images):
    """Draw two slim colour scales to the right of the matrix, at its top."""
    width, height = figure.get_size_inches()
    ticks = ([0, 0.5, 1], [ERROR_FLOOR, 0.1, 1])
    for image, label, place, at in zip(images, ("right", "wrong"), (0.3, 1.1), ticks, strict=True):
        axes = figure.add_axes((1 + place / width, 1 - 1.8 / height, 0.12 / width, 1.5 / height))
        bar = figure.colorbar(image, cax=axes, ticks=at, format=_tick)
        axes.set_title(label, fontsize=9, fontweight="normal", loc="left", pad=4)
        axes.tick_params(labelsize=8, length=2)
        bar.ax.minorticks_off()
        bar.outline.set_visible(False)


def _tick(value, _position) -> str:
    return f"{100 * value:.0f}%"
