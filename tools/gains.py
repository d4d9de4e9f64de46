"""Print how much one row of a recipe gains over another, run by run and with its t interval, from recorded results.

Run       python tools/gains.py imagenet20 arm-targeted arm-uniform [--metric macro_recall] [--data NAME] [RESULTS]

Runs of the same seed and fold are compared with each other; with folds the interval is corrected for the training
images that runs share (kfg.evaluation.paired). The figures in recipes/*/README.md were computed by this tool.
"""

import argparse
import pathlib
import sys

from kfg.errors import InputError
from kfg.evaluation.paired import paired, still_needed
from kfg.runs import results_file
from kfg.runs.comparison import by_settings

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"


def gains(results, row: str, other: str, *, metric: str, data: str | None = None) -> dict:
    """Return the gains of `row` over `other` in points, by (seed, fold), with the result of `paired` for them.

    Runs of `row` and `other` are compared if seed, fold and data are the same. If there are runs with several settings,
    the pair of settings with most runs in common is used, and of several such pairs the one that differs least.

    Args:
        results: rows of a results.jsonl.
        row, other: names of the two rows of the recipe.
        metric: a key of the results' metrics.
        data: name of the data set; None: any.
    Returns:
        {"gains": {(seed, fold): float}, "folds": int, and the keys of `paired`}.
    Raises:
        InputError: there are no two runs to compare.
    """
    kept = [result for result in results if data is None or result["data"]["name"] == data]
    ours, theirs = (by_settings([result for result in kept if result["row"] == name]) for name in (row, other))
    pairs = [
        (_by_run(a, metric), _by_run(b, metric), a[0].get("folds", 1), -_differing(a[0], b[0]))
        for a in ours for b in theirs if _alike(a[0], b[0])
    ]  # fmt: skip
    mine, others, folds, _ = max(
        pairs, key=lambda pair: (len(pair[0].keys() & pair[1].keys()), pair[3]), default=({}, {}, 1, 0)
    )
    runs = [run for run in mine if run in others]
    if not runs:
        raise InputError(f"{row} and {other}: no run of both with the same data, seed and fold")
    found = {run: 100 * (mine[run] - others[run]) for run in runs}
    return {"gains": found, "folds": folds, **paired(found.values(), folds=folds)}


def _alike(one, other) -> bool:
    return one["data"] == other["data"] and one.get("folds", 1) == other.get("folds", 1)


def _differing(one, other) -> int:
    """Return the number of settings in which two results differ, of those that either has."""
    first, second = (
        {**result.get("config", {}), "precision": result.get("precision"), "": result.get("commit")}
        for result in (one, other)
    )
    return sum(first.get(name) != second.get(name) for name in {**first, **second})


def _by_run(group, metric) -> dict:
    return {(result["seed"], result.get("fold")): result["metrics"][metric]["value"] for result in group}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("recipe", "row", "other"):
        parser.add_argument(name)
    parser.add_argument("results", nargs="?", type=pathlib.Path)
    parser.add_argument("--metric", default="top1")
    parser.add_argument("--data", help="of several data sets, the one meant")
    args = parser.parse_args(argv)
    try:
        results = results_file.read(args.results or RECIPES / args.recipe)
        found = gains(results, args.row, args.other, metric=args.metric, data=args.data)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for (seed, fold), gain in found["gains"].items():
        print(f"seed {seed}{'' if fold is None else f', fold {fold + 1}'}: {gain:+.2f}")
    interval = "no interval" if found["low"] is None else f"[{found['low']:+.1f}, {found['high']:+.1f}]"
    spread = "" if found["sd"] is None else f" ± {found['sd']:.1f}"
    print(f"{args.metric}, {args.row} against {args.other}: {found['mean']:+.1f}{spread} points, {interval}")
    if needed := still_needed(found, folds=found["folds"]):
        print(f"{needed[0].upper()}{needed[1:]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
