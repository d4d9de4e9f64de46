"""Compute size and cost of every model and write kfg/models/sizes.json, which `kfg models` shows.

Run       python tools/model_sizes.py [--check [NAME ...]]   (--check compares the table with the built nets)
"""

import argparse
import json
import sys

from kfg.files import write_text
from kfg.models import catalogue, sizes
from kfg.models.freezing import trainable_count

BETWEEN = (2, 3)  # numbers of classes from which the two coefficients of each figure are computed


def counted(name: str, num_classes: int) -> dict[str, int]:
    """Build a model without values for its weights, and return its input shape and its figures (`sizes.COUNTED`)."""
    model = catalogue.shapes_only(lambda: catalogue.build(name, num_classes=num_classes))
    counts = (model.count_params(), trainable_count(model), catalogue.macs(model))
    return {"input": list(model.input_shape[1:]), **dict(zip(sizes.COUNTED, counts, strict=True))}


def measured(name: str) -> dict:
    """Return the table's entry for a model: for each figure [a, b], which stand for a + b C with C classes."""
    less, more = (counted(name, classes) for classes in BETWEEN)
    entry = {"input": less["input"]}
    for figure in sizes.COUNTED:
        each = (more[figure] - less[figure]) // (BETWEEN[1] - BETWEEN[0])
        entry[figure] = [less[figure] - each * BETWEEN[0], each]
    return entry


def write() -> None:
    """Write the whole table, with a line for each model."""
    lines = []
    for name in catalogue.MODELS:
        print(name, flush=True)
        lines.append(f"{json.dumps(name)}: {json.dumps(measured(name))}")
    write_text(sizes.TABLE, "{\n" + ",\n".join(lines) + "\n}\n")


def wrong(names) -> list[str]:
    """Return the names of the models whose figures in the table differ from those of the built nets."""
    return [name for name in names if sizes.table().get(name) != measured(name)]


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", nargs="*", metavar="NAME", help="of all models, or some")
    args = parser.parse_args(argv)
    if args.check is None:
        write()
        return 0
    found = wrong(args.check or catalogue.MODELS)
    print(f"other figures than the built nets': {', '.join(found) or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
