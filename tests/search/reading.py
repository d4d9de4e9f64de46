"""What a search left in its folder."""

import csv
import json


def trials(out):
    """Return trials.csv as a list of dicts."""
    with open(out / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def state(out):
    return json.loads((out / "oracle.json").read_text())
