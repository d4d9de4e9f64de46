"""Print a recipe's results as the Markdown tables of its README: rows of the study, then the arms.

Run       python tools/render_table.py imagenet20 [RESULTS]   (default: recipes/NAME/results.jsonl)
"""

import argparse
import pathlib
import statistics
import sys

from kfg import recipes
from kfg.runs import results_file
from kfg.runs.comparison import by_settings

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"
SETTINGS = ("width", "batch_size", "learning_rate")  # settings that are shown if the recipe's Config has them
HEADER = ("row", "paper top-1", "paper, further", "ours top-1", "n", "top-5", "macro recall", "loss", "data", "epochs")
SHARES = ("top1", "top5", "average")  # values whose names end with one of these are shown in percent


def spread(values) -> str:
    """Return mean ± sd in percent; for a single value only the mean."""
    text = f"{100 * statistics.fmean(values):.1f}"
    return text + (f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else "")


def further(reported) -> str:
    """Return, as text, the figures that a study reports for a row in addition to top-1."""
    told = []
    for name, value in reported.items():
        if name == "top1" or value is None:
            continue
        values = value if isinstance(value, tuple) else (value,)
        shown = (f"{100 * one:.1f}" if name.endswith(SHARES) else f"{one:,}" for one in values)
        told.append(f"{name.replace('_', ' ')} {' / '.join(shown)}")
    return ", ".join(told)


def line(name, row, results, settings) -> list[str]:
    paper = [f"{100 * row.reported['top1']:.1f}" if "top1" in row.reported else "-", further(row.reported)]
    if not results:
        return [name, *paper, "not measured yet", *[""] * (len(HEADER) + len(settings) - 3)]
    metrics = {key: [r["metrics"][key]["value"] for r in results] for key in ("top1", "top5", "macro_recall", "loss")}
    ours = spread(metrics["top1"])
    if len(results) == 1:
        top1 = results[0]["metrics"]["top1"]
        ours += f" [{100 * top1['low']:.1f}, {100 * top1['high']:.1f}]"
    config = results[0]["config"]
    epochs = sorted({r.get("epochs", config["epochs"]) for r in results})  # older rows do not give their epochs
    return [
        name,
        *paper,
        ours,
        str(len(results)),
        spread(metrics["top5"]),
        spread(metrics["macro_recall"]),
        f"{statistics.fmean(metrics['loss']):.3f}",
        results[0]["data"]["name"],
        f"{epochs[0]}" + (f" to {epochs[-1]}" if len(epochs) > 1 else ""),
        *(f"{config[key]:g}" for key in settings),
        f"{statistics.fmean(r['seconds'] for r in results) / 60:.1f}",
    ]


def table(recipe, results) -> str:
    """Return a Markdown table with a line for each row of the recipe and each group of equal settings."""
    settings = [key for key in SETTINGS if key in recipe.setting_names()]
    rows = []
    for name, row in recipe.rows.items():
        groups = by_settings([result for result in results if result["row"] == name])
        rows += [line(name, row, group, settings) for group in groups or [[]]]
    header = [*HEADER, *(key.replace("_", " ") for key in settings), "minutes"]
    cells = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("results", nargs="?", type=pathlib.Path)
    args = parser.parse_args(argv)
    recipe = recipes.named(args.recipe)
    print(table(recipe, results_file.read(args.results or RECIPES / args.recipe)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
