"""Draw accuracy against the number of parameters, the main figure of a study under a parameter budget."""

import numpy as np
from matplotlib.figure import Figure

from kfg.figures.drawing import BLUE, FAINT, INK, ORANGE, short, styled

SIZE = (13.0, 6.2)  # inches
PANEL = (5.6, 5.0)  # inches, approximate size of a panel's axes
LETTER, LINE = 4.6, 11.0  # points, width of a letter and height of a line in the labels
MARGIN = 0.25  # share of the x axis that is left free for names


@styled
def draw(points: list[dict], *, budget: int | None = None) -> Figure:
    """Draw the test accuracy of each row over its parameters: all parameters on the left, trained ones on the right.

    Args:
        points: results of `points_of`, at least one.
        budget: largest number of parameters allowed, drawn as a line; None: no line.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(panels, ("total", "trained"), ("All parameters", "Trained parameters"), strict=True):
        axes.set_title(title)
        axes.set_xlabel("parameters, millions")
        axes.set_xscale("log" if key == "trained" else "linear")
        axes.grid(color="#E6E6E6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        _limits(axes, points, key, budget if key == "total" else None)
        _panel(axes, points, key)
    if budget:
        panels[0].axvline(budget / 1e6, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
        panels[0].annotate("budget", (budget / 1e6, 0.02), xycoords=("data", "axes fraction"), color=FAINT, ha="right")
    panels[0].set_ylabel("test top-1")
    shown = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower left", ncols=2, frameon=False)
    return figure


def points_of(groups: list[list[dict]], rows: dict, *, parameters: tuple[str, str]) -> list[dict]:
    """Make the points for `draw` from result rows, and from the figures that a study reports.

    Args:
        groups: lists of rows of results.jsonl. Each list holds the runs of one row of the recipe with equal settings;
            every run has `parameters` {"total", "trained"}.
        rows: name -> row of the recipe, an object with the study's figures in `reported`.
        parameters: names in `reported` of the study's numbers of all and of trained parameters.
    Returns:
        A list of dicts with `name`; `total` and `trained`, numbers of parameters; `top1`, `low` and `high` in [0, 1];
        `data`, the name of the data set. For the study's own figures `low`, `high` and `data` are None.
    """
    points = []
    for name, row in rows.items():
        counts = [row.reported.get(key) for key in parameters]
        if "top1" in row.reported and None not in counts:
            top1 = row.reported["top1"]
            point = {"top1": top1, "low": None, "high": None, "data": None}
            points.append({"name": name, "total": counts[0], "trained": counts[1], **point})
    for runs in groups:
        low, high = _spread([run["metrics"]["top1"] for run in runs])
        top1 = float(np.mean([run["metrics"]["top1"]["value"] for run in runs]))
        point = {"top1": top1, "low": low, "high": high, "data": runs[0]["data"]["name"]}
        points.append({"name": runs[0]["row"], **runs[0]["parameters"], **point})
    return points


def _spread(top1):
    """Return the bounds of a whisker: for one run its interval over images, for several the mean -+ one sd of runs."""
    if len(top1) < 2:
        return top1[0]["low"], top1[0]["high"]
    values = [one["value"] for one in top1]
    return float(np.mean(values) - np.std(values, ddof=1)), float(np.mean(values) + np.std(values, ddof=1))


def _limits(axes, points, key, budget):
    x = np.array([point[key] / 1e6 for point in points] + ([budget / 1e6] if budget else []))
    if axes.get_xscale() == "log":
        room = (x.max() / x.min()) ** MARGIN * 1.5
        axes.set_xlim(x.min() / room, x.max() * room)
    else:
        axes.set_xlim(0, x.max() * (1 + MARGIN))
    y = [value for point in points for value in (point["top1"], point["low"], point["high"]) if value is not None]
    axes.set_ylim(max(0, min(y) - 0.06), min(1, max(y) + 0.04))


def _panel(axes, points, key):
    taken = []
    for point in sorted(points, key=lambda point: -point["top1"]):
        x, y, own = point[key] / 1e6, point["top1"], point["data"] is not None
        colour, style = (BLUE, "full") if own else (ORANGE, "none")
        label = f"ours, on {point['data']}: 95% over images for one run, sd of several" if own else "the study's"
        axes.plot(x, y, "o" if own else "D", color=colour, fillstyle=style, markersize=6, label=label)
        if own:
            axes.plot([x, x], [point["low"], point["high"]], color=colour, linewidth=2, alpha=0.5)
        _name(axes, short(point["name"]), x, y, colour, taken)


def _name(axes, name, x, y, colour, taken):
    """Write a name beside its point, lower if another name is in the way.

    `taken` are the boxes of the names written so far, in points.
    """
    scale = np.log if axes.get_xscale() == "log" else np.float64
    (left, right), (bottom, top) = map(scale, axes.get_xlim()), axes.get_ylim()
    width = LETTER * len(name)
    across = 72 * PANEL[0] * (scale(x) - left) / (right - left)
    up = 72 * PANEL[1] * (y - bottom) / (top - bottom)
    to_left = across > 0.6 * 72 * PANEL[0]
    start = across - 8 - width if to_left else across + 8
    height = up
    while any(abs(height - other) < LINE and start < end and begin < start + width for begin, end, other in taken):
        height -= LINE / 4
    taken.append((start, start + width, height))
    leader = {
        "arrowstyle": "-",
        "color": colour,
        "linewidth": 0.6,
        "shrinkA": 0,
        "shrinkB": 3,
        "relpos": (to_left, 0.5),
    }
    axes.annotate(
        name,
        (x, y),
        (-8 if to_left else 8, height - up),
        textcoords="offset points",
        fontsize=8,
        color=INK,
        ha="right" if to_left else "left",
        va="center",
        arrowprops=leader if height < up else None,
    )
