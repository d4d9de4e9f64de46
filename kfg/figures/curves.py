"""Draw learning curves, and recall per class as bars."""

import csv
import pathlib

import numpy as np
from matplotlib.figure import Figure

from kfg.errors import InputError
from kfg.figures.drawing import BLUE, FAINT, INK, ORANGE, short, styled

BARS = 40  # most classes in the recall figure; the table has all of them
LABEL = 0.06  # height of a label of the learning rate, as a share of its axis


def read_history(path) -> dict[str, np.ndarray]:
    """Read history.csv as a dict column -> float64 (E,), one value per epoch; NaN for an empty cell.

    Raises:
        InputError: the file cannot be read, or a cell is not a number.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        return {
            name: np.array([float(row[name] or "nan") for row in rows], dtype=np.float64)
            for name in reader.fieldnames or ()
        }
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: {error}") from error


@styled
def learning_curves(history: dict[str, np.ndarray]) -> Figure:
    """Draw loss, accuracy and learning rate over the epochs; cuts of the rate and the best epoch are marked.

    Args:
        history: the result of `read_history`; missing columns are not drawn.
    """
    panels = [
        ("Loss", [("loss", "train", BLUE), ("val_loss", "validation", ORANGE)]),
        ("Accuracy", [("accuracy", "train", BLUE), ("val_accuracy", "validation", ORANGE)]),
        ("Learning rate", [("learning_rate", "", INK)]),
    ]
    panels = [(title, lines) for title, lines in panels if any(name in history for name, *_ in lines)]
    epochs = len(next(iter(history.values()), ()))
    if not panels or not epochs:
        raise InputError("history: no epoch of loss, accuracy or learning_rate to draw")
    x, cuts = _epochs(history), rate_cuts(history)
    figure = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
    for axes, (title, lines) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        for cut in cuts:
            axes.axvline(cut, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
        for name, label, colour in lines:
            if name in history:
                _curve(axes, x, history[name], label, colour, stepped=name == "learning_rate")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.02)
        _finish_panel(axes, title, x, history, len(cuts))
    return figure


def _epochs(history) -> np.ndarray:
    return history.get("epoch", np.arange(1, len(next(iter(history.values()))) + 1))


def rate_cuts(history: dict[str, np.ndarray]) -> np.ndarray:
    """Return the points between two epochs at which the learning rate was cut, that is, fell by more than 1%.

    These are the dotted lines of `learning_curves`. A rate that falls after more than half of the epochs follows a
    decay schedule, which has no cuts.

    Args:
        history: the result of `read_history`.
    Returns:
        float64 (K,), in epochs; K = 0 if there is no learning rate in `history`.
    """
    x, rate = _epochs(history), history.get("learning_rate")
    if rate is None or len(rate) < 2:
        return np.array([])
    at = np.flatnonzero(rate[1:] < rate[:-1] * 0.99)
    return (x[at] + x[at + 1]) / 2 if 2 * len(at) <= len(rate) else np.array([])


def _curve(axes, x, y, label, colour, *, stepped):
    marker = "o" if len(x) < 3 else None
    style = {"drawstyle": "steps-mid"} if stepped else {}
    axes.plot(x, y, color=colour, linewidth=1.8, marker=marker, label=label or None, **style)


def _finish_panel(axes, title, x, history, cuts):
    if title == "Learning rate":
        _rate_axis(axes, history["learning_rate"])
        axes.set_title(f"Learning rate, {cuts} cut{'' if cuts == 1 else 's'}" if cuts else title)
        return
    axes.legend(frameon=False, loc="best", handlelength=1.2)
    val = history.get("val_loss")
    if title == "Loss" and val is not None and np.isfinite(val).any():
        best = int(np.nanargmin(val))
        axes.plot(x[best], val[best], "o", color=ORANGE, markersize=7, markeredgecolor="white", zorder=5)
        axes.set_title(f"Loss, best validation {val[best]:.3f} in epoch {x[best]:.0f}")


def _rate_axis(axes, rate):
    """Set a log scale, with a tick at each value if there are few, so that single rates can be read off."""
    steps = np.unique(rate[rate > 0])
    if not len(steps):
        return
    axes.set_yscale("log")
    if len(steps) <= 8:
        axes.set_yticks(_legible(steps), minor=False)
        axes.set_yticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
    axes.yaxis.set_minor_formatter(lambda value, _: "")


def _legible(steps) -> list[float]:
    """Return the values, from the largest down, whose labels do not run into each other on a log scale."""
    kept, least = [steps[-1]], LABEL * np.log(steps[-1] / steps[0])
    for value in steps[-2::-1]:
        if np.log(kept[-1] / value) >= least:
            kept.append(value)
    return kept


@styled
def recall_bars(per_class: list[dict], *, macro: float | None = None) -> Figure:
    """Draw the recall of each class with its Wilson interval, worst first; at most the 40 worst classes.

    Args:
        per_class: the rows per class that `metrics.evaluate` returns.
        macro: macro recall, drawn as a line.
    """
    judged = sorted((row for row in per_class if row["support"]), key=lambda row: row["recall"]["value"])
    shown = judged[:BARS]
    figure = Figure(figsize=(7.2, 1.1 + 0.25 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(shown):
        recall = row["recall"]
        axes.barh(y, recall["value"], height=0.66, color=BLUE, alpha=0.5, linewidth=0)
        axes.plot([recall["low"], recall["high"]], [y, y], color=INK, linewidth=1.3, marker="|", markersize=5)
        axes.text(1.02, y, f"{row['correct']}/{row['support']}", va="center", fontsize=8.5, color="#555555")
    if macro is not None:
        axes.axvline(macro, color=ORANGE, linewidth=1.2, zorder=0)
        axes.text(macro, -0.75, f"macro recall {macro:.2f}", color=ORANGE, fontsize=9, ha="center", va="bottom")
    axes.set_yticks(range(len(shown)), [short(row["name"]) for row in shown], fontsize=9)
    axes.set(xlim=(-0.005, 1.005), ylim=(len(shown) - 0.4, -0.6))
    axes.set_xlabel("recall, with 95% Wilson interval")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    count = f", the {BARS} worst of {len(judged)}" if len(judged) > BARS else ""
    axes.set_title(f"Recall per class{count}", pad=20)
    return figure
