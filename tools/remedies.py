"""Try every remedy of kfg repair on a folder of photographs, and write a row for each into a results file.

    python tools/remedies.py DIR --cache DIR [--seeds 3] [--per-class N] [--out recipes/repair/remedies.jsonl]

As in `kfg repair`, weak classes are found and remedies tried on the training and validation photographs of the default
split, with heads on features of a pretrained trunk; the test part is not used. Results in the cache are not computed
again. `--table FILE` prints the table of a results file and does nothing else.
"""

import argparse
import json
import pathlib
import time

import numpy as np
from _measure import processor

from kfg.data import audit, decoded, folder, splits
from kfg.data.index import Index
from kfg.data.stores import MEMORY_BUDGET, Budget
from kfg.engine import photographs, provenance
from kfg.progress import Progress
from kfg.recipes.folder_settings import Config
from kfg.repairing import causes, looking, proof, screening, trial, weakness
from kfg.repairing.crossed import crossed
from kfg.repairing.diagnosis import VIEWS
from kfg.repairing.findings import Diagnosis
from kfg.repairing.looking import Eyes
from kfg.repairing.manner import Manner
from kfg.repairing.remedies import REMEDIES
from kfg.repairing.trunks import Trunk, second_trunk
from kfg.training import imbalance

RESULTS = pathlib.Path(__file__).parent.parent / "recipes" / "repair" / "remedies.jsonl"


def divided(root, config) -> Index:
    """Return the photographs of a folder, divided into the default parts."""
    index = audit.duplicate_groups(folder.scan(root), progress=Progress("photographs read"))
    return splits.split(index, val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)


def at_most(index, per_class: int) -> Index:
    """Return the first `per_class` photographs of each class, or all if `per_class` is 0."""
    if not per_class:
        return index
    own = [np.flatnonzero(index.labels == label)[:per_class] for label in range(len(index.classes))]
    return index.take(np.sort(np.concatenate(own)))


def pictures(index, cache, config):
    """Return a store of the decoded photographs of an index."""
    return decoded.load(
        index, image_size=config.image_size, cache_dir=cache, memory_budget=Budget(MEMORY_BUDGET),
        progress=Progress("photographs decoded"),
    )  # fmt: skip


def diagnosed(root, cache, per_class, target, config) -> Diagnosis:
    """Return the Diagnosis of the classes of a folder, without causes of their weakness."""
    index = at_most(divided(root, config), per_class)  # cut before test photographs go, as tools/suspects.py needs them
    index = index.take(np.flatnonzero(np.array(index.parts) != "test"))
    eyes = Eyes(index, Trunk(config.backbone, config.image_size, config.weights), VIEWS, cache)
    treatment = imbalance.chosen(imbalance.AUTO, index.counts())["treatment"]
    manner = Manner.of(treatment, index.counts())
    found = crossed(index, eyes.plain(), manner)
    evidence = causes.Evidence(found, None, None)
    return Diagnosis(evidence, weakness.recalls(found, target=target), {}, [], target, eyes, manner)


def rows(found: Diagnosis, verdicts, seconds, *, name, seeds) -> list[dict]:
    """Return a row of the results file for each remedy."""
    index = found.crossed.index
    made = {
        "data": name,
        "photographs": len(index),
        "classes": len(index.classes),
        "weak": [index.classes[label] for label in found.weak],
        "seeds": seeds,
        "folds": screening.FOLDS,
        "trunk": found.eyes.trunk.backbone,
        "second": second_trunk(found.eyes.trunk),
        "seconds": round(seconds),
        "processor": processor(),
        "commit": provenance.commit(),
    }
    return [
        {**made, "remedy": one.name, "recall": one.recall, "against": one.against, "over_images": one.over_images,
         "p": one.p, "proven": one.kept}
        for one in verdicts
    ]  # fmt: skip


def table(results) -> str:
    """Return the table of a results file as text, with a part for each data set and target."""
    lines = []
    cases = [(row["data"], row["photographs"], tuple(row["weak"])) for row in results]
    for case in dict.fromkeys(cases):
        own = [row for row, one in zip(results, cases, strict=True) if one == case]
        data, first = case[0], own[0]
        lines += [
            "",
            f"**{data}**: {first['photographs']:,} photographs, {first['classes']} classes, {len(first['weak'])} weak; "
            f"{first['seeds']} x {first['folds']} folds, {first['seconds']} s",
            "",
            "| remedy | weak | others | all | weak, against bias | others, against bias | all, against bias | p | |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in own:
            against = row["against"][proof.CONTROL]
            recall = " | ".join(f"{100 * row['recall'][group]:.1f}" for group in proof.GROUPS)
            gained = " | ".join(_difference(against[group]) for group in proof.GROUPS)
            p = f"{min(row['p'].values()):.3f}" if row["p"] else ""
            lines.append(f"| {row['remedy']} | {recall} | {gained} | {p} | {'proven' if row['proven'] else ''} |")
    return "\n".join(lines)


def _difference(one) -> str:
    bounds = "" if one["low"] is None else f" [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"
    return f"{100 * one['mean']:+.1f}{bounds}"


def command_line(doc: str, results: pathlib.Path) -> argparse.ArgumentParser:
    """Return a parser with the options that all tools on a folder's cached features have; `read` parses them."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--per-class", type=int, default=0, metavar="N", help="at most, for a large folder")
    parser.add_argument("--out", type=pathlib.Path, default=results)
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="print the table of a results file")
    return parser


def read(parser, table) -> argparse.Namespace | None:
    """Return the parsed arguments; or, with --table, print the table of the results file and return None.

    `table` is a function rows of the file -> text.
    """
    args = parser.parse_args()
    if args.table:
        print(table([json.loads(line) for line in args.table.read_text().splitlines()]))
        return None
    if args.data is None:
        parser.error("DIR is needed")
    photographs.be_deterministic()
    return args


def add(path: pathlib.Path, row: dict) -> None:
    """Print a row and append it to a results file."""
    print(json.dumps(row), flush=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def main() -> int:
    parser = command_line(__doc__, RESULTS)
    parser.add_argument("--seeds", type=int, default=screening.SEEDS)
    parser.add_argument(
        "--target", type=float, help="recall below which a class is weak (default: that of all photographs)"
    )
    args = read(parser, table)
    if args is None:
        return 0
    found = diagnosed(args.data, args.cache, args.per_class, args.target, Config())
    print(f"weak: {', '.join(found.crossed.index.classes[label] for label in found.weak) or 'none'}")
    if not found.weak:
        return 0
    seen = looking.look(found.eyes, takers=causes.takers(found.crossed, found.weak), left=lambda: float("inf"))
    cases, started = trial.cases_of(found, seen, seeds=args.seeds), time.monotonic()
    remedies, _ = screening.fitting(REMEDIES, cases[0])
    predicted = screening.screen(cases, remedies, folder=args.cache / "answers", progress=Progress("remedies tried"))
    seconds = time.monotonic() - started
    verdicts = trial.judged(cases, found.crossed.index.groups, predicted)
    made = rows(found, verdicts, seconds, name=args.data.resolve().name, seeds=args.seeds)
    with open(args.out, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in made)
    print(table(made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
