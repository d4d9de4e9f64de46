"""Measure how often the validation photographs would keep the better of head and fine-tuned net, by which rule.

    python tools/kept.py RUN [RUN ...] --cache DIR [--out FILE]

A RUN is a finished run of `kfg train` that was fine-tuned. Its head alone and its fine-tuned net answer the test
photographs. Then samples of the size of a validation part are drawn from these, and each rule decides on each sample
which of the two to keep. "Better" is what has more right answers on all test photographs. One may also keep both: the
row has the average of their probabilities, too. A row for each run is added to the results file; `--table FILE` prints
the table of a results file. The test photographs decide nothing else.
"""

import argparse
import json
import pathlib

import keras
import numpy as np
from remedies import add, pictures, processor

import kfg
from kfg.data import folder
from kfg.engine import provenance
from kfg.engine.judged import AIMS
from kfg.engine.options import replaced, tuples
from kfg.errors import InputError
from kfg.evaluation import calibration, posthoc
from kfg.evaluation.predict import Predictions
from kfg.files import read_json
from kfg.models import halves
from kfg.progress import Progress
from kfg.recipes.folder_parts import classifier, fine_tuning_optimizer
from kfg.recipes.folder_settings import Config
from kfg.runs import origins, run_files
from kfg.runs.choices import tuning
from kfg.training import checkpoint, features, fit, imbalance

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/folder/kept.jsonl"
SIZES = (30, 68, 150)  # photographs of a validation part
DRAWS = 1_000
RULES = ("accuracy", "loss", "calibrated loss")


def head_alone(run: kfg.Run, config: Config) -> keras.Model:
    """Return the classifier of a run as it was after its head was trained."""
    model = classifier(config, len(run.classes))
    checkpoint.restore_weights(halves.rest(model), checkpoint.read(run.path / run_files.HEAD / checkpoint.LAST))
    return model


def fine_tuned(run: kfg.Run, config: Config) -> keras.Model:
    """Return the classifier of a run as it was after fine-tuning, whichever of the two the run kept."""
    model = classifier(config, len(run.classes))
    after = tuning(read_json(run.path / run_files.CONFIG, dict)["choices"]).get("after")
    learner = halves.rest(model, after) if after else halves.learning(model)
    fit.compile_classifier(learner, optimizer=fine_tuning_optimizer(config)())
    checkpoint.restore(learner, checkpoint.read(run.path / checkpoint.LAST))
    learner.optimizer.finalize_variable_values(learner.trainable_variables)  # the average over the steps
    return model


def answers_of(run: kfg.Run, cache) -> tuple[Predictions, Predictions]:
    """Return the answers of a run's head alone, and of its fine-tuned net, to its test photographs, uncalibrated."""
    if not (run.path / checkpoint.LAST).is_file() or len(run.predictions) < max(SIZES):
        raise InputError(f"{run.path}: was not fine-tuned here, or has fewer than {max(SIZES)} test photographs")
    config = replaced(Config(), tuples(run.config))
    root = origins.photographs_folder(run.path)
    index = folder.read_split(run.path / run_files.SPLIT, root, classes=run.classes)
    store = pictures(index, cache, config)
    at = np.array([index.paths.index(path) for path in run.predictions.paths])
    head, net = head_alone(run, config), fine_tuned(run, config)
    rows = features.cached(halves.front(head), store, cache_dir=cache, progress=Progress("features"))[at]
    batches = [at[start : start + features.BATCH] for start in range(0, len(at), features.BATCH)]
    told = [
        halves.rest(head).predict(rows, verbose=0),
        np.concatenate([net.predict_on_batch(store.gather(batch)) for batch in batches]),
    ]
    own = run.predictions
    return tuple(Predictions(own.paths, own.labels, one, own.classes) for one in told)


def calibrated_loss(probabilities, labels, *, aim: str) -> float:
    """Return the loss of answers with the temperature that makes these labels most likely.

    A run is calibrated at its end, so it might seem that how sure a stage is should not decide whether it is kept.

    Args:
        probabilities: float (N, C).
        labels: int (N,).
        aim: a key of kfg.engine.judged.AIMS.
    """
    scaled = calibration.scaled(probabilities, calibration.temperature(probabilities, labels))
    true = np.maximum(scaled[np.arange(len(labels)), labels], posthoc.SMALLEST)
    return AIMS[aim](-np.log(true), labels)


def kept_better(head: Predictions, net: Predictions, size: int, *, aim: str = "top-1", seed: int = 0) -> dict:
    """Return, by rule, the share of samples of `size` photographs on which the rule keeps the better of two nets.

    Where two nets are equal by "accuracy", the loss decides. For "calibrated loss", each net gets the temperature that
    makes the labels of the sample most likely.

    Args:
        aim: a key of kfg.engine.judged.AIMS, how the values of single photographs are averaged.
    """
    average, labels, both = AIMS[aim], head.labels, (head, net)
    right = [one.predicted == labels for one in both]
    better = int(average(right[1], labels) > average(right[0], labels))
    found, rng = dict.fromkeys(RULES, 0), np.random.default_rng(seed)
    for _ in range(DRAWS):
        at = rng.choice(len(head), size, replace=False)
        accuracy = [average(one[at], labels[at]) for one in right]
        loss = [average(one.losses[at], labels[at]) for one in both]
        calibrated = [calibrated_loss(one.probabilities[at], labels[at], aim=aim) for one in both]
        by_loss = int(loss[1] < loss[0])
        chosen = (
            by_loss if accuracy[0] == accuracy[1] else int(accuracy[1] > accuracy[0]),
            by_loss,
            int(calibrated[1] < calibrated[0]),
        )
        for rule, one in zip(RULES, chosen, strict=True):
            found[rule] += one == better
    return {rule: count / DRAWS for rule, count in found.items()}


def row_of(path, cache) -> dict:
    """Return the row of a run."""
    run = kfg.open(path)
    settings = read_json(run.path / run_files.CONFIG, dict)
    head, net = answers_of(run, cache)
    average = Predictions(net.paths, net.labels, (head.probabilities + net.probabilities) / 2, net.classes)
    aim = imbalance.aim(settings["choices"]["classes"]["treatment"])
    return {
        "data": settings["data"]["name"], "seed": settings["seed"], "freeze": run.config["freeze"], "aim": aim,
        "epochs": tuning(settings["choices"])["epochs"], "images": len(net), "draws": DRAWS,
        **{
            name: {
                "score": AIMS[aim](one.predicted == one.labels, one.labels),
                "loss": AIMS[aim](one.losses, one.labels),
                "calibrated loss": calibrated_loss(one.probabilities, one.labels, aim=aim),
            }
            for name, one in (("head", head), ("net", net), ("average", average))
        },
        "kept the better": {str(size): kept_better(head, net, size, aim=aim) for size in SIZES},
        "processor": processor(), "commit": provenance.commit(),
    }  # fmt: skip


def table(results) -> str:
    """Return the table of a results file as text: how often each rule keeps the better net, in percent."""
    asked = [f"{size} photographs, by {rule}" for size in SIZES for rule in RULES]
    lines = [
        f"| data | seed | head alone | fine-tuned | average | {' | '.join(asked)} |",
        "|---" * (5 + len(asked)) + "|",
    ]
    for row in results:
        shares = [f"{100 * row['kept the better'][str(size)][rule]:.1f}" for size in SIZES for rule in RULES]
        scores = [f"{100 * row[one]['score']:.1f}" if one in row else "" for one in ("head", "net", "average")]
        lines.append(f"| {' | '.join([row['data'], str(row['seed']), *scores, *shares])} |")
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
        add(args.out, row_of(path, args.cache))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
