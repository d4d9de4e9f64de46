"""Measure what the second opinion of finished runs brings, on their test photographs.

    python tools/second_opinion.py RUN [RUN ...] [--out FILE] [--speed DIR]

A RUN is a finished run of `kfg train --set second_opinion=TRUNK`, whose answers are the average of two networks: the
trained one, and a head on a pretrained trunk that stays as it is. The test photographs are shown to each network alone
and to both; the answers of both are also averaged over a photograph and its mirror image. A row for each run is added
to the results file; `--table FILE` prints the table of a results file.

With --speed, runs with and without a second opinion answer photographs of DIR in turns, and only their images/s are
printed.
"""

import argparse
import dataclasses
import itertools
import json
import pathlib
import time

import keras
import numpy as np
from remedies import processor

import kfg
from kfg.data import image_files
from kfg.data.decode import decode
from kfg.data.resizing import resize
from kfg.engine import provenance
from kfg.evaluation import versus
from kfg.evaluation.predict import Predictions
from kfg.exporting import classifiers as loaded
from kfg.files import read_json
from kfg.models.calibrated import without_temperature
from kfg.models.mirrored import plain
from kfg.models.opinions import apart
from kfg.runs import origins, run_files
from kfg.runs.choices import WEIGHT, heard, tuning

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/folder/second_opinion.jsonl"
NETS = ("trained", "second", "both")
MIRRORED = "mirrored"  # both, averaged over a photograph and its mirror image
FIGURES = ("top1", "macro_recall")
BATCH = 32  # photographs
PHOTOGRAPHS, TURNS = 400, 5  # for measuring the speed


def shown(run: kfg.Run, paths):
    """Yield photographs of a run as its networks see them, uint8 (B, H, W, 3), BATCH at a time."""
    root = origins.photographs_folder(run.path)
    for start in range(0, len(paths), BATCH):
        yield np.stack([resize(decode(root / one), run.model.input_shape[1:3]) for one in paths[start : start + BATCH]])


def answers_of(run: kfg.Run) -> dict[str, Predictions]:
    """Return the test answers of a run's trained net, its second opinion, both, and both with mirror images."""
    both = plain(without_temperature(run.model))
    trained, second = apart(both)
    asked = keras.Model(both.input, [trained.output, second.output, both.output])
    told = []
    for pictures in shown(run, run.predictions.paths):
        answers = asked.predict_on_batch(pictures)
        mirrored = both.predict_on_batch(np.ascontiguousarray(pictures[:, :, ::-1]))
        told.append([*answers, (answers[-1] + mirrored) / 2])
    joined = [np.concatenate(one) for one in zip(*told, strict=True)]
    return {
        name: dataclasses.replace(run.predictions, probabilities=one)
        for name, one in zip((*NETS, MIRRORED), joined, strict=True)
    }


def training_of(run: pathlib.Path) -> dict:
    """Return the content of the config.json with which a run's net was trained, perhaps in an earlier run."""
    settings = read_json(run / run_files.CONFIG, dict)
    earlier = settings["config"].get("net_of")
    return training_of(pathlib.Path(earlier)) if earlier else settings


def epochs_of(run: pathlib.Path) -> int:
    """Return for how many epochs a run's net was fine-tuned."""
    return tuning(training_of(run)["choices"])["epochs"]


def weight_of(settings) -> float:
    """Return how much the second opinion counts in a run, given the content of its config.json."""
    return settings["choices"][WEIGHT]["share"]


def row_of(path) -> dict:
    """Return the row of a run: how many of its test photographs each net names right, and what averaging gains."""
    run = kfg.open(path)
    answers, settings = answers_of(run), read_json(run.path / run_files.CONFIG, dict)
    compared = versus.compare(answers["trained"], answers["both"])
    alone = versus.compare(answers["trained"], answers["second"])
    mirrored = versus.compare(answers["both"], answers[MIRRORED])
    return {
        "data": settings["data"]["name"], "seed": training_of(run.path)["seed"], "images": len(run.predictions),
        "second": run.config["second_opinion"], "epochs": epochs_of(run.path), "weight": weight_of(settings),
        "parameters": run.model.count_params(), "processor": processor(), "commit": provenance.commit(),
        "p": compared["p"],
        **{
            name: {
                "trained": compared[name]["first"]["value"], "second": alone[name]["second"]["value"],
                "both": compared[name]["second"]["value"], "gained": compared[name]["difference"],
                MIRRORED: mirrored[name]["second"]["value"], "gained by mirror images": mirrored[name]["difference"],
            }
            for name in FIGURES
        },
    }  # fmt: skip


def table(results) -> str:
    """Return the table of a results file as text."""
    lines = [
        "| data | seed | epochs | test images | trained net | second opinion | its weight | both | gained "
        "| macro recall, gained | both, with mirror images | gained by mirror images |",
        "|---" * 12 + "|",
    ]
    for row in results:
        *alone, both = (f"{100 * row['top1'][name]:.1f}" for name in NETS)
        shares = " | ".join([*alone, f"{row['weight']:.2f}", both])
        gained = " | ".join(difference(row[name]["gained"]) for name in ("top1", "macro_recall"))
        top1 = row["top1"]  # rows of earlier versions have no answers on mirror images
        mirrored = f"{100 * top1[MIRRORED]:.1f}" if MIRRORED in top1 else ""
        by_that = difference(top1.get("gained by mirror images"))
        lines.append(
            f"| {row['data']} | {row['seed']} | {row['epochs']} | {row['images']:,} | {shares} | {gained} "
            f"| {mirrored} | {by_that} |"
        )
    return "\n".join(lines)


def difference(one) -> str:
    """Return a difference in points with its interval; "" for None."""
    return f"{100 * one['value']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]" if one else ""


def speeds(runs, folder) -> str:
    """Let runs answer the same photographs in turns, from files to answers; return the images/s of each as text."""
    photos = [str(path) for path in itertools.islice(image_files.files([folder]), PHOTOGRAPHS)]
    told = []
    classifiers = [loaded.load(run) for run in runs]
    for run, one in zip(runs, classifiers, strict=True):
        loaded.hasten(one, run, photos * TURNS)
        list(one.predict(photos[:BATCH]))
    rates = np.array([[_rate(one, photos) for one in classifiers] for _ in range(TURNS)])
    for run, own in zip(runs, rates.T, strict=True):
        second = "with" if heard(read_json(run / run_files.CONFIG, dict)) else "without"
        told.append(f"{second} a second opinion: {np.median(own):.0f} images/s ({own.min():.0f} to {own.max():.0f})")
    return "\n".join([*told, f"medians of {TURNS} turns of {len(photos)} photographs, on {processor()}"])


def _rate(classifier, photos) -> float:
    began = time.perf_counter()
    list(classifier.predict(photos))
    return len(photos) / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, nargs="*", metavar="RUN")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--speed", type=pathlib.Path, metavar="DIR", help="only time the runs on photographs of DIR")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="print the table of a results file")
    args = parser.parse_args()
    if args.table:
        print(table([json.loads(line) for line in args.table.read_text().splitlines()]))
        return 0
    if args.speed:
        print(speeds(args.runs, args.speed))
        return 0
    for run in args.runs:
        row = row_of(run)
        with open(args.out, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(table([row]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
