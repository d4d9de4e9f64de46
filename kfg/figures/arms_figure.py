"""Draw the arms (treatments) of an experiment side by side: the recall of each arm, and their paired differences."""

import math

from matplotlib.figure import Figure

from kfg.figures.drawing import BLUE, FAINT, INK, ORANGE, styled

ARM_COLOURS = (FAINT, BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00")


@styled
def draw(comparison: dict) -> Figure:
    """Draw the recall of each arm and its paired difference to the control, for targeted, other and all classes.

    Args:
        comparison: the result of `paired.paired_recall`.
    """
    groups = [name for name, group in comparison["groups"].items() if group["answers"]]
    first = comparison["groups"][groups[0]]["arms"]
    names, height = list(first), len(first) + sum(len(arm["against"]) for arm in first.values())
    figure = Figure(figsize=(10.5, 1.5 + 0.34 * len(groups) * (height + 0.6)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ticks, labels = [], []
    for g, group in enumerate(groups):
        top = g * (height + 0.6)
        ticks.append(top + (len(names) - 1) / 2)
        labels.append(f"{group} classes\n{comparison['groups'][group]['images']} images")
        _arm_rows(left, right, comparison["groups"][group]["arms"], top, labelled=g == 0)
    left.set_yticks(ticks, labels)
    left.set_ylim(top + height - 0.4, -0.8)
    left.set_title("Recall of each arm")
    left.set_xlabel("recall")
    right.axvline(0, color=INK, linewidth=0.9, zorder=0)
    right.set_title(f"Difference to “{comparison['control']}”, paired")
    right.set_xlabel("difference in recall, points\n(thick bar: interval over images, thin: over runs)")
    right.xaxis.set_major_formatter(lambda value, _: _signed(value, 0))
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color="#E6E6E6", linewidth=0.8)
        axes.set_axisbelow(True)
    if not any(comparison.get("beaten", {"": 1}).values()):  # said in the figure, too, because it may be seen alone
        figure.suptitle(
            "No network is better than naming one class for every image, so the differences mean nothing", x=0.5
        )
    figure.legend(loc="outside lower left", ncols=len(names), frameon=False)
    return figure


def _arm_rows(left, right, arms, top, *, labelled):
    """Draw a row per arm, then in the right panel a row with a hollow mark for each pair of treated arms."""
    row = top + len(arms)
    for a, (name, arm) in enumerate(arms.items()):
        colour = ARM_COLOURS[a % len(ARM_COLOURS)]
        _whisker(left, arm["recall"], top + a, colour, name if labelled else None)
        if arm["difference"]:
            _whisker(right, arm["difference"], top + a, colour, None, signed=True)
            _thin(right, arm["over_runs"], top + a + 0.24, colour)
        for other, compared in arm["against"].items():
            _whisker(right, compared["difference"], row, colour, None, signed=True, hollow=True, suffix=f" to {other}")
            _thin(right, compared["over_runs"], row + 0.24, colour)
            row += 1


def _whisker(axes, interval, y, colour, label, *, signed=False, hollow=False, suffix=""):
    axes.plot(
        [interval["low"], interval["high"]], [y, y], color=colour, linewidth=3, alpha=0.55, solid_capstyle="round"
    )
    fill = "white" if hollow else colour
    axes.plot(interval["value"], y, "o", color=colour, markerfacecolor=fill, markersize=7, label=label)
    text = _signed(interval["value"], 1) if signed else f"{interval['value']:.3f}"
    place = {"textcoords": "offset points", "ha": "center", "fontsize": 8.5}
    axes.annotate(text + suffix, (interval["value"], y), (0, 6), **place)


def _signed(value, digits) -> str:
    """Return a share as signed percentage points, 0.105 -> "+10.5", with a proper minus sign."""
    points = round(100 * value, digits)
    return f"{points:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if points else "0"


def _thin(axes, interval, y, colour):
    if interval["low"] is not None and math.isfinite(interval["low"]):
        axes.plot([interval["low"], interval["high"]], [y, y], color=colour, linewidth=1, marker="|", markersize=5)
