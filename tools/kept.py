"""Measure how often the validation photographs would keep the better of head and fine-tuned net, by which rule.

    python tools/kept.py RUN [RUN ...] --cache DIR [--out FILE]

A RUN is a finished run of `kfg train` that was fine-tuned. Its head alone and its fine-tuned net answer the test
photographs. Then samples of the size of a validation part are drawn from these, and each rule decides on each sample
which of the two to keep. "Better" is what has more right answers on all test photographs. A row for each run is added
to the results file; `--table FILE` prints the table of a results file. The test photographs decide nothing else.
"""

import argparse
import json
import pathlib

import keras
import numpy as np
from remedies import divided, pictures, processor

import kfg
from kfg.data.stores import Chosen
from kfg.engine import provenance
from kfg.evaluation.predict import Predictions
from kfg.files import read_json
from kfg.models import halves
from kfg.models.calibrated import without_temperature
from kfg.progress import Progress
from kfg.recipes.folder_settings import Config
from kfg.recipes.folder_stages import classifier
from kfg.runs import run_files
from kfg.runs.choices import tuning
from kfg.training import checkpoint, features

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/folder/kept.jsonl"
SIZES = (30, 68, 150)  # photographs of a validation part
DRAWS = 2_000
RULES = ("accuracy", "loss")


def head_alone(run: kfg.Run, config: Config) -> keras.Model:
    """Return the classifier of a run as it was after its head was trained."""
    model = classifier(config, len(run.classes))
    head = halves.rest(model)
    checkpoint.restore_weights(head, checkpoint.read(run.path / run_files.HEAD / checkpoint.LAST))
    return model


def answers_of(run: kfg.Run, cache) -> tuple[Predictions, Predictions]:
    """Return the answers of a run's head alone, and of its fine-tuned net, to its test photographs, uncalibrated."""
    config = Config(image_size=tuple(run.config["image_size"]), backbone=run.config["backbone"])
    root = pathlib.Path(read_json(run.path / run_files.ENVIRONMENT)["photographs"])
    index = divided(root, config)
    store = pictures(index, cache, config)
    at = np.array([index.paths.index(path) for path in run.predictions.paths])
    model = head_alone(run, config)
    rows = features.cached(halves.front(model), store, cache_dir=cache, progress=Progress("features"))[at]
    told = [halves.rest(model).predict(rows, verbose=0)]
    net, test = without_temperature(run.model), Chosen(store, at)
    batches = np.array_split(np.arange(len(test)), -(-len(test) // features.BATCH))
    told.append(np.concatenate([net.predict_on_batch(test.gather(batch)) for batch in batches]))
    own = run.predictions
    return tuple(Predictions(own.paths, own.labels, one, own.classes) for one in told)


def kept_better(head: Predictions, net: Predictions, size: int, *, seed: int = 0) -> dict[str, float]:
    """Return, by rule, the share of samples of `size` photographs on which the rule keeps the better of two nets.

    Where two nets are equal by "accuracy", the loss decides.
    """
    right = [one.predicted == one.labels for one in (head, net)]
    losses = [one.losses for one in (head, net)]
    better, rng = int(right[1].sum() > right[0].sum()), np.random.default_rng(seed)
    found = dict.fromkeys(RULES, 0)
    for _ in range(DRAWS):
        drawn = rng.choice(len(head), size, replace=False)
        counts, means = ([float(one[drawn].mean()) for one in both] for both in (right, losses))
        by_loss = int(means[1] < means[0])
        by_accuracy = by_loss if counts[0] == counts[1] else int(counts[1] > counts[0])
        for rule, chosen in zip(RULES, (by_accuracy, by_loss), strict=True):
            found[rule] += chosen == better
    return {rule: count / DRAWS for rule, count in found.items()}


def row_of(path, cache) -> dict:
    """Return the row of a run."""
    run = kfg.open(path)
    settings = read_json(run.path / run_files.CONFIG, dict)
    head, net = answers_of(run, cache)
    return {
        "data": settings["data"]["name"], "seed": settings["seed"], "freeze": run.config["freeze"],
        "epochs": tuning(settings["choices"])["epochs"], "images": len(net), "draws": DRAWS,
        "head": {"top1": float((head.predicted == head.labels).mean()), "loss": float(head.losses.mean())},
        "net": {"top1": float((net.predicted == net.labels).mean()), "loss": float(net.losses.mean())},
        "kept the better": {str(size): kept_better(head, net, size) for size in SIZES},
        "processor": processor(), "commit": provenance.commit(),
    }  # fmt: skip


def table(results) -> str:
    """Return the table of a results file as text: how often each rule keeps the better net, in percent."""
    asked = [f"{size} photographs, by {rule}" for size in SIZES for rule in RULES]
    lines = [f"| data | seed | head alone | fine-tuned | {' | '.join(asked)} |", "|---" * (4 + len(asked)) + "|"]
    for row in results:
        shares = [f"{100 * row['kept the better'][str(size)][rule]:.1f}" for size in SIZES for rule in RULES]
        top1 = [f"{100 * row[one]['top1']:.1f}" for one in ("head", "net")]
        lines.append(f"| {' | '.join([row['data'], str(row['seed']), *top1, *shares])} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, nargs="*", metavar="RUN")
    parser.add_argument("--cache", type=pathlib.Path, metavar="DIR", help="folder of decoded photographs and features")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="print the table of a results file")
    args = parser.parse_args()
    if args.table:
        print(table(map(json.loads, args.table.read_text().splitlines())))
        return 0
    if not args.runs or args.cache is None:
        parser.error("name a run and --cache, or --table")
    for path in args.runs:
        row = row_of(path, args.cache)
        print(json.dumps(row), flush=True)
        with open(args.out, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
