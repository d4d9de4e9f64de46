"""Copy the rows of a results.jsonl into recipes/NAME/results.jsonl, each run once.

Run       python tools/collect_results.py RUNS [RUNS ...]   (folders given to a recipe as --out)
"""

import argparse
import json
import pathlib
import sys

from kfg.errors import InputError
from kfg.files import write_text
from kfg.locks import exclusive
from kfg.runs import results_file

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"


def collect(rows, folder=RECIPES) -> dict[str, int]:
    """Add `rows` to the recipes' files; a row replaces an earlier row of the same run.

    Returns:
        A dict recipe -> number of rows in its file afterwards.
    """
    counts = {}
    for recipe in sorted({row["recipe"] for row in rows}):
        path = folder / recipe / "results.jsonl"
        ours = [row for row in rows if row["recipe"] == recipe]
        with exclusive(path.with_name(f".{path.name}.lock")):  # another collection would lose its rows
            earlier = results_file.read(path) if path.exists() else []
            kept = {results_file.run_of(row): row for row in [*earlier, *ours]}
            write_text(path, "".join(json.dumps(row) + "\n" for row in kept.values()))
        counts[recipe] = len(kept)
    return counts


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    args = parser.parse_args(argv)
    try:
        rows = [row for folder in args.runs for row in results_file.read(folder)]
        if not rows:
            raise InputError(f"{args.runs[0]}: no results.jsonl with rows")
        for recipe, count in collect(rows).items():
            print(f"recipes/{recipe}/results.jsonl: {count} rows")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
