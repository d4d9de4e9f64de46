"""The confusion matrix as a grid on the page, with a row for each true class and a cell for each class named.

Cells without images are omitted: 258 classes have 66,564 cells, and a page with all of them would be slow. The grid is
complete without a script; the script adds sorting, searching, moving by keys, and photographs for each cell.
"""

import math

import numpy as np

from kfg.evaluation import class_order
from kfg.names import printable
from kfg.reporting import assets, markup
from kfg.reporting.markup import Safe, tag

SIDES = ((12, 44), (40, 28), (120, 17))  # largest number of classes -> pixels of a cell
SMALLEST = 11
NUMBERS = 13  # pixels of a cell; in smaller cells no number is written
HINT = (
    "Each row is a true class and each column a predicted class; the numbers count photographs. Blue cells on the "
    "diagonal are right, orange cells are wrong; a stronger colour means a larger share of the row."
)
CONTROLS = "matrix.html"


def draw(confusion, classes) -> Safe:
    """Return the grid, and below it the groups of look-alikes.

    Args:
        confusion: int (C, C), numbers of images; row = true class, column = predicted.
        classes: C names.
    """
    confusion = np.asarray(confusion)
    order, groups = class_order.by_likeness(confusion)
    ranks = {"mistakes": _ranks(class_order.by_mistakes(confusion)), "likeness": _ranks(order)}
    names = [printable(name) for name in classes]
    rows = [_head(names), *(_row(confusion, c, names, ranks) for c in range(len(names)))]
    side = next((side for most, side in SIDES if len(names) <= most), SMALLEST)
    grid = tag(
        "div",
        *rows,
        class_="matrix tiny" if side < NUMBERS else "matrix",
        style=f"--side:{side}px;--n:{len(names)}",
        role="grid",
        aria_label="Confusion matrix",
        aria_rowcount=len(rows),
        aria_colcount=len(rows),
    )
    framed = [Safe(assets.text(CONTROLS)), tag("div", grid, class_="frame"), _groups(groups, names)]
    return markup.joined([markup.paragraph(HINT, note=True), *framed])


def _ranks(order) -> list[int]:
    """Return the rank of each class in an order."""
    return np.argsort(order).tolist()


def _head(names) -> Safe:
    corner = tag("span", "true class ↓ predicted →", role="columnheader", class_="corner", aria_colindex=1)
    cells = [
        tag("span", name, role="columnheader", aria_colindex=c + 2, style=f"--c:{c}", data_p=c)
        for c, name in enumerate(names)
    ]
    return tag("div", corner, *cells, role="row", class_="head", aria_rowindex=1)


def _row(confusion, c, names, ranks) -> Safe:
    total = max(int(confusion[c].sum()), 1)
    cells = [tag("span", names[c], role="rowheader", aria_colindex=1)]
    for p in np.flatnonzero(confusion[c]).tolist():
        count, kind = int(confusion[c, p]), "ok" if p == c else None
        style = f"--c:{p};--s:{math.sqrt(count / total):.2f}"  # the root makes one mistake in thirty visible
        cells.append(tag("span", count, role="gridcell", aria_colindex=p + 2, class_=kind, style=style, data_p=p))
    places = {f"data_{name}": rank[c] for name, rank in ranks.items()}
    return tag("div", *cells, role="row", aria_rowindex=c + 2, data_t=c, **places)


def _groups(groups, names) -> Safe:
    """Return the groups of classes that are taken for each other, by name."""
    if not groups:
        return Safe("")
    lines = [tag("li", markup.joined((markup.shows(names[c], f"class:{c}") for c in group), ", ")) for group in groups]
    told = f"Look-alikes: {len(groups)} group{'s' * (len(groups) != 1)} of classes that the model confuses"
    return tag("details", tag("summary", told), tag("ul", *lines))
