"""Average a finished run's answers with those of a head on a second pretrained trunk, and compare on the test images.

    python tools/second_opinion.py DATA --run RUN --cache DIR [--second efficientnet-lite2] [--out FILE]

RUN is a finished run of `kfg train` on DATA. The head learns from the run's training photographs, on features of the
second trunk, which stays as it is. The average is the geometric mean of both answers, with equal weights: no weight is
fitted to the test images. A row is added to the results file; `--table FILE` prints the table of a results file.
"""

import dataclasses
import json
import pathlib

import numpy as np
from remedies import command_line, divided, pictures, processor, read
from suspects import head_on

import kfg
from kfg.data import folder
from kfg.engine import provenance
from kfg.evaluation import versus
from kfg.evaluation.predict import Predictions
from kfg.progress import Progress
from kfg.recipes.folder_settings import Config
from kfg.repairing.looking import Trunk
from kfg.training import features

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/folder/second_opinion.jsonl"


def of_second_trunk(run: kfg.Run, args) -> Predictions:
    """Return the answers of a head on the second trunk on the run's test photographs, in the order of the run's."""
    config = Config()
    whole = divided(args.data, config)
    part_of = {row["path"]: row["part"] for row in folder.split_rows(run.path / "split.csv")[0]}
    trunk = Trunk(args.second, config.image_size).built()
    images = pictures(whole, args.cache, config)
    rows = features.cached(trunk, images, cache_dir=args.cache, progress=Progress("photographs looked at"))
    rows, at = np.array(rows).reshape(len(whole), -1), {path: number for number, path in enumerate(whole.paths)}
    learned = [number for path, number in at.items() if part_of.get(path) == "train"]
    head = head_on(rows[learned], whole.labels[learned], np.ones(len(learned)), len(whole.classes), 0)
    answers = head.ask(rows[[at[path] for path in run.predictions.paths]])[:, 0]
    return dataclasses.replace(run.predictions, probabilities=answers)


def averaged(one: Predictions, other: Predictions) -> Predictions:
    """Return the geometric mean of two answers on the same photographs."""
    made = np.sqrt(np.maximum(one.probabilities, 1e-9) * np.maximum(other.probabilities, 1e-9))
    return dataclasses.replace(one, probabilities=made / made.sum(axis=1, keepdims=True))


def table(results) -> str:
    lines = ["| data | test images | the run | head on the second trunk | average of both | gained by averaging |"]
    lines.append("|---" * 6 + "|")
    for row in results:
        gained = ", ".join(f"{100 * row['gained'][key]:+.1f}" for key in ("low", "high"))
        shares = " | ".join(f"{100 * row['top1'][name]:.1f}" for name in ("run", "head", "averaged"))
        lines.append(
            f"| {row['data']} | {row['images']:,} | {shares} | {100 * row['gained']['value']:+.1f} [{gained}] |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = command_line(__doc__, RESULTS)
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--second", default="efficientnet-lite2")
    args = read(parser, table)
    if args is None:
        return 0
    run = kfg.open(args.run)
    head = of_second_trunk(run, args)
    compared = versus.compare(run.predictions, averaged(run.predictions, head))
    row = {
        "data": args.data.resolve().name, "images": len(head), "second": args.second, "processor": processor(),
        "commit": provenance.commit(), "p": compared["p"], "gained": compared["top1"]["difference"],
        "top1": {
            "run": compared["top1"]["first"]["value"],
            "head": float((head.predicted == head.labels).mean()),
            "averaged": compared["top1"]["second"]["value"],
        },
    }  # fmt: skip
    with open(args.out, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(table([row]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
