"""A study's reported figures beside the runs found in a results file, and what its report got wrong."""

import importlib
import json
import pathlib
import statistics

from kfg.errors import InputError

RECIPES = ("imagenet20", "fruit3", "cub200", "retail258", "competition100", "folder")
RESULTS = "results.jsonl"
NONE_YET = "not measured yet"
SHOWN = ("width", "epochs", "batch_size", "learning_rate")  # settings named beside a figure


def read_results(path) -> list[dict]:
    """Read a results.jsonl, or that of a folder of runs.

    Raises:
        InputError: a line that is not JSON.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    path = path / RESULTS if path.is_dir() else path
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise InputError(f"{path}:{number}: not JSON ({error})") from error
    return rows


def table(recipe_name: str, results=None) -> str:
    """Return paper and ours, a line per row of the study and data set, with errata below.

    Args:
        recipe_name: one of RECIPES.
        results: results.jsonl, or the folder of runs that holds it; one without results leaves "not measured yet", and
            so does None.
    """
    if recipe_name not in RECIPES:
        raise InputError(f"recipe: {recipe_name!r} is none of {', '.join(RECIPES)}")
    recipe = importlib.import_module(f"kfg.recipes.{recipe_name}")
    found = [] if results is None else read_results(results)
    ours = [row for row in found if row["recipe"] == recipe_name]
    width = max(22, *map(len, recipe.ROWS))
    lines = [f"{'row':<{width}} {'paper top-1':>11} {'paper loss':>10}   ours: top-1 mean ± sd (n), loss, data"]
    for name, row in recipe.ROWS.items():
        top1, loss = (row.reported.get(key) for key in ("top1", "loss"))
        paper = ["-" if top1 is None else f"{100 * top1:.2f}", "-" if loss is None else f"{loss:.3f}"]
        measured = [_cell(group) for group in by_settings([result for result in ours if result["row"] == name])]
        lines.append(f"{name:<{width}} {paper[0]:>11} {paper[1]:>10}   {measured[0] if measured else NONE_YET}")
        lines += [f"{'':<{width + 23}}   {more}" for more in measured[1:]]
    lines += ["", "Ours are on the data named: beside the study's figures, which are on its own."]
    lines += [recipe.CAVEAT]
    if recipe.ERRATA:
        lines += ["", "The report says / its code does:"]
        lines += [f"- {said} / {did}" for said, did in recipe.ERRATA]
    return "\n".join(lines)


def by_settings(results) -> list[list[dict]]:
    """Return the results in lists of equal data and settings, seeds and folds apart; only those may be averaged."""
    groups = {}
    for result in results:
        own = (
            result.get("folds", 1),
            result.get("trained_in"),
            result.get("weights_sha256"),
            result.get("init_from_sha256"),
            result.get("treatment"),
        )
        key = [result["data"], result["config"], *own]
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(result)
    return list(groups.values())


def spread(results) -> str:
    """Return mean and standard deviation of the test top-1 of results of equal settings, in percent."""
    top1 = [100 * result["metrics"]["top1"]["value"] for result in results]
    deviation = f" ± {statistics.stdev(top1):.2f}" if len(top1) > 1 else ""
    return f"{statistics.fmean(top1):.2f}{deviation} (n = {len(top1)})"


def _cell(results) -> str:
    loss = statistics.fmean(result["metrics"]["loss"]["value"] for result in results)
    config, data = results[0]["config"], results[0]["data"]["name"]
    settings = ", ".join(f"{key} {config[key]:g}" for key in SHOWN if key in config)
    return f"{spread(results)}, {loss:.3f}, {data}, {settings}"
