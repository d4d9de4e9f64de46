"""Measure how often a head on a pretrained trunk is right, over the number of photographs that it was trained on.

    python tools/learning_curve.py DIR --cache DIR [--per-class N] [--out recipes/repair/learning_curves.jsonl]

Each training and validation photograph of the default split is predicted by a head that was not trained on it, in five
folds, as in `kfg needs`. Heads are trained on 20, 40, 60, 80 and 100% of the photographs of the other folds. A row for
each folder is added to the results file. `--table FILE` prints the table of a results file and does nothing else.
"""

import json
import pathlib

from remedies import command_line, diagnosed, processor, read

from kfg.engine import provenance
from kfg.recipes.folder_settings import Config
from kfg.repairing.diagnosis import curves
from kfg.repairing.needs import SHARES
from kfg.training import out_of_fold

RESULTS = pathlib.Path(__file__).parent.parent / "recipes" / "repair" / "learning_curves.jsonl"


def row(found, *, name: str) -> dict:
    """Return the row of the results file for one folder, with the mean recall of its classes for each share."""
    made, learned = curves(found), 1 - 1 / out_of_fold.FOLDS
    there = made.images > 0
    return {
        "data": name,
        "classes": int(there.sum()),
        "photographs": int(made.images.sum()),
        "learned_per_class": [round(float(share * learned * made.images[there].mean()), 1) for share in SHARES],
        "macro_recall": [round(float(one[there].mean()), 4) for one in made.recall],
        "exponent": [round(one, 3) for one in made.exponent],
        "trunk": found.eyes.trunk.backbone,
        "processor": processor(),
        "commit": provenance.commit(),
    }


def table(results) -> str:
    """Return a Markdown table: mean recall in percent, and in brackets the number of training photographs per class."""
    lines = [
        f"| data | classes | {' | '.join(f'{share:.0%}' for share in SHARES)} |",
        "|---|---|" + "---|" * len(SHARES),
    ]
    for one in results:
        pairs = zip(one["macro_recall"], one["learned_per_class"], strict=True)
        cells = " | ".join(f"{100 * recall:.1f} ({count:.0f})" for recall, count in pairs)
        lines.append(f"| {one['data']} | {one['classes']} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    args = read(command_line(__doc__, RESULTS), table)
    if args is None:
        return 0
    made = row(diagnosed(args.data, args.cache, args.per_class, None, Config()), name=args.data.resolve().name)
    with open(args.out, "a", encoding="utf-8") as file:
        file.write(json.dumps(made) + "\n")
    print(table([made]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
