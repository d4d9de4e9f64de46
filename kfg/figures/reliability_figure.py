"""Draw a reliability diagram: how often predictions are right, over their probability."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from kfg.evaluation.calibration import Bin
from kfg.figures.drawing import BLUE, FAINT, ORANGE, styled

SIZE = (9.0, 4.4)  # inches
LARGEST = 160  # points squared, size of the mark of a bin that holds all images


@styled
def draw(before: Sequence[Bin], after: Sequence[Bin]) -> Figure:
    """Draw the share of right predictions over their probability, before and after calibration, a mark for each bin.

    On the diagonal the share and the probability agree.

    Args:
        before, after: results of `kfg.evaluation.calibration.reliability` for the same images.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, bins, title, colour in zip(panels, (before, after), ("Before", "After"), (ORANGE, BLUE), strict=True):
        axes.set_title(f"{title} calibration")
        axes.set_xlabel("probability of the most likely class")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_aspect("equal")
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
        images = sum(one.images for one in bins)
        said = [one.said for one in bins]
        axes.vlines(said, [one.low for one in bins], [one.high for one in bins], color=colour, alpha=0.45, linewidth=2)
        sizes = [12 + LARGEST * one.images / images for one in bins]
        axes.scatter(said, [one.right for one in bins], s=sizes, color=colour, zorder=3)
    panels[0].set_ylabel("share of right answers")
    return figure
