"""Copy the rows of a results.jsonl into recipes/NAME/results.jsonl, each run once.

Run       python tools/collect_results.py RUNS [RUNS ...]   (folders given to a recipe as --out)
"""

import argparse
import json
import pathlib
import sys

from kfg.errors import InputError
from kfg.files import write_text
from kfg.ledger import choices, read_results

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"


def identity(row) -> str:
    """Return what makes two rows the same run: everything but when, where and how it came out.

    What a run chose by the clock belongs to it: another number of epochs is another run.
    """
    keys = ("recipe", "row", "seed", "fold", "folds", "data", "config", "precision")
    of_files = ("weights_sha256", "init_from_sha256")  # in rows of runs that began from a file
    return json.dumps([*(row[key] for key in keys), *(row.get(key) for key in of_files), choices(row)], sort_keys=True)


def collect(rows, folder=RECIPES) -> dict[str, int]:
    """Add `rows` to the recipes' files, a later run replacing an earlier one of the same identity.

    Returns:
        recipe -> rows in its file afterwards.
    """
    counts = {}
    for recipe in sorted({row["recipe"] for row in rows}):
        path = folder / recipe / "results.jsonl"
        kept = {
            identity(row): row
            for row in [*(read_results(path) if path.exists() else []), *(r for r in rows if r["recipe"] == recipe)]
        }
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept.values()))
        counts[recipe] = len(kept)
    return counts


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    args = parser.parse_args(argv)
    try:
        rows = [row for folder in args.runs for row in read_results(folder)]
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
