"""Pictures of a search: its trials as lines through their settings, what mattered, and the best score over time."""

import math

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kfg.figures.drawing import BLUE, FAINT, INK, ORANGE, short, styled
from kfg.search.table import best, equals
from kfg.search.table import short as brief

COLUMN = 1.25  # inches for each axis
ABSENT = -0.12  # height at which a line crosses an axis if its trial lacks the setting


@styled
def parallel(found: list[dict], along: list, objective: str, direction: str) -> Figure:
    """Draw each trial as a line through its settings to its score: the best thick, failed ones grey and without end.

    Args:
        found: trials, from `table.rows`.
        along: axes, from `importance.axes`.
        objective, direction: name and direction of the search's objective.
    """
    scores = [row["score"] for row in found if row["status"] == "COMPLETED"]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    width = (high - low) or 1.0
    figure = Figure(figsize=(max(6.0, COLUMN * (len(along) + 1.6)), 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(-0.3, len(along) + 0.45)
    axes.set_ylim(-0.28, 1.12)
    colours = matplotlib.colormaps["viridis"]
    leaders = equals(found, direction)
    ended = [row for row in found if row["status"] != "RUNNING"]
    for row in sorted(ended, key=lambda row: row in leaders):
        places = [axis.at(row["values"].get(axis.name)) for axis in along]
        places = [ABSENT if math.isnan(place) else place for place in places]
        if row["status"] == "COMPLETED":
            share = (row["score"] - low) / width
            colour = ORANGE if row in leaders else colours(0.9 * (share if direction == "max" else 1 - share))
            thick = 2.6 if row in leaders else 1
            axes.plot(range(len(along) + 1), [*places, share], color=colour, lw=thick, alpha=0.85)
        else:
            axes.plot(range(len(along)), places, color=FAINT, lw=0.8, linestyle=(0, (2, 3)), alpha=0.7)
    for at, axis in enumerate(along):
        _scale(axes, at, short(axis.name, 18), _ticks(axis))
    _scale(axes, len(along), objective, [(0.0, f"{low:.3f}"), (0.5, f"{(low + high) / 2:.3f}"), (1.0, f"{high:.3f}")])
    return figure


def _ticks(axis):
    if axis.choices:
        return [(axis.at(choice), short(brief(choice), 14)) for choice in axis.choices]
    ends = [axis.low, math.sqrt(axis.low * axis.high) if axis.log else (axis.low + axis.high) / 2, axis.high]
    return [(place, brief(float(value))) for place, value in zip((0.0, 0.5, 1.0), ends, strict=True)]


def _scale(axes, at, name, ticks):
    axes.plot([at, at], [0, 1], color=INK, lw=1)
    axes.annotate(name, (at, 1.07), ha="center", va="bottom", fontsize=8.5, fontweight="bold", rotation=14)
    for place, text in ticks:
        axes.plot([at - 0.03, at + 0.03], [place, place], color=INK, lw=1)
        axes.annotate(
            text,
            (at + 0.05, place),
            va="center",
            fontsize=7.5,
            bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.6},
        )


@styled
def mattered(rows: list[tuple[str, float, float]]) -> Figure:
    """Draw permutation importances as bars, with their standard deviations.

    Args:
        rows: (name, mean, standard deviation), from `importance.importance`.
    """
    figure = Figure(figsize=(6.4, 0.9 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = [short(name) for name, _, _ in reversed(rows)]
    axes.barh(
        names, [mean for _, mean, _ in reversed(rows)], xerr=[sd for *_, sd in reversed(rows)], color=BLUE, ecolor=FAINT
    )
    axes.set_xlabel("decrease of the forest's R² when the setting is shuffled")
    axes.axvline(0, color=INK, lw=0.8)
    return figure


@styled
def progress(found: list[dict], objective: str, direction: str) -> Figure:
    """Draw the scores in the order in which trials were begun, and the best score so far."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    completed = [(at, row["score"]) for at, row in enumerate(found) if row["status"] == "COMPLETED"]
    axes.scatter(*zip(*completed, strict=True), s=14, color=BLUE, label="trial")
    so_far = [(at, best(found[: at + 1], direction)["score"]) for at, _ in completed]
    axes.step(*zip(*so_far, strict=True), where="post", color=ORANGE, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(objective)
    axes.legend(frameon=False)
    return figure
