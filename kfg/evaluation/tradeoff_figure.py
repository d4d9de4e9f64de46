"""Accuracy against parameters: what a study under a parameter budget has to show."""

import numpy as np
from matplotlib.figure import Figure

from kfg.evaluation.figures import BLUE, FAINT, INK, ORANGE, short, styled


@styled
def draw(points: list[dict], *, budget: int | None = None) -> Figure:
    """Test accuracy of each row over its parameters, all of them on the left, those trained on the right.

    Args:
        points: dicts of `name`; `total` and `trained`, parameters; `runs`; `top1`, mean over runs in [0, 1], with its
            bounds `low` and `high`, all None where nothing was measured; `reported`, the study's top-1 or None.
        budget: parameters allowed, drawn as a line.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(panels, ("total", "trained"), ("All parameters", "Trained parameters"), strict=True):
        _panel(axes, points, key)
        axes.set_title(title)
        axes.set_xlabel("parameters, millions")
        if budget and key == "total":
            axes.axvline(budget / 1e6, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
            axes.annotate("budget", (budget / 1e6, 0.02), xycoords=("data", "axes fraction"), color=FAINT, ha="right")
    panels[0].set_ylabel("test top-1")
    handles, labels = panels[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower left", ncols=2, frameon=False)
    return figure


def _panel(axes, points, key):
    highest = {}  # places taken, so that two names at one place do not lie on each other
    for point in sorted(points, key=lambda point: -(point["top1"] if point["top1"] is not None else point["reported"])):
        x = point[key] / 1e6
        if point["reported"] is not None:
            axes.plot(x, point["reported"], "D", color=ORANGE, fillstyle="none", markersize=6, label="the study's")
        if point["top1"] is not None:
            axes.plot(
                x,
                point["top1"],
                "o",
                color=BLUE,
                markersize=7,
                label="ours; line: 95 % over images for one run, standard deviation of several",
            )
            axes.plot([x, x], [point["low"], point["high"]], color=BLUE, linewidth=2, alpha=0.5)
        y = point["top1"] if point["top1"] is not None else point["reported"]
        place = (round(x, 1), round(y, 2))
        highest[place] = highest.get(place, -1) + 1
        axes.annotate(
            short(point["name"]),
            (x, y),
            (7, -3 - 9 * highest[place]),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    axes.grid(color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.22, y=0.12)


def points_of(results: list[dict], rows: dict, *, parameters) -> list[dict]:
    """Make the points of `draw` out of result rows and a recipe's rows.

    Args:
        results: rows of results.jsonl of one recipe, each with `parameters` {"total", "trained"}.
        rows: name -> object with `reported`; "parameters" and "trained" in it stand in for what was not run.
        parameters: names of `reported` that hold the study's counts, (total, trained).
    """
    points = []
    for name, row in rows.items():
        runs = [result for result in results if result["row"] == name]
        reported = row.reported.get("top1")
        counts = [runs[-1]["parameters"][key] for key in ("total", "trained")] if runs else None
        counts = counts or [row.reported.get(key) for key in parameters]
        if None in counts or (not runs and reported is None):
            continue
        low, high = _spread([run["metrics"]["top1"] for run in runs])
        points.append(
            {
                "name": name, "total": counts[0], "trained": counts[1], "runs": len(runs), "reported": reported,
                "top1": float(np.mean([run["metrics"]["top1"]["value"] for run in runs])) if runs else None,
                "low": low, "high": high,
            }
        )  # fmt: skip
    return points


def _spread(top1):
    """Return the bounds of one run over its images, of several runs one standard deviation either way."""
    if len(top1) < 2:
        return (top1[0]["low"], top1[0]["high"]) if top1 else (None, None)
    values = [one["value"] for one in top1]
    return float(np.mean(values) - np.std(values, ddof=1)), float(np.mean(values) + np.std(values, ddof=1))
