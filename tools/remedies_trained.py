"""Apply the two best remedies and their controls to fully trained nets, and compare them on the test photographs.

    python tools/remedies_trained.py RUN [RUN ...] --cache DIR [--target T] [--out FILE]

The RUNs are finished runs of `kfg train --second-opinion` on the same photographs, one for each seed. As in
`kfg repair`, weak classes and the amounts by which their answers are raised are found with heads on features of the
training and validation photographs. The remedies change only the answers of a trained net, so nothing is trained here.
A row for each arm is added to the results file; `--table FILE` prints the table of a results file.
"""

import argparse
import dataclasses
import json
import math
import pathlib

import keras
import numpy as np
from remedies import diagnosed, processor
from second_opinion import difference, epochs_of, shown, training_of

import kfg
from kfg.data import splitcsv
from kfg.engine import photographs, provenance
from kfg.evaluation import calibration
from kfg.evaluation.paired import paired_recall
from kfg.files import read_json
from kfg.models.calibrated import without_temperature
from kfg.models.mirrored import plain
from kfg.models.opinions import apart
from kfg.names import counted
from kfg.recipes.folder_settings import Config
from kfg.repairing import trial
from kfg.repairing.case import Seen
from kfg.repairing.manner import shifted
from kfg.repairing.remedies.controls import bias_settings, spent_settings
from kfg.repairing.remedies.seeing import second_opinion, second_opinion_flipped
from kfg.runs import arms as of_runs
from kfg.runs import origins, run_files

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/repair/remedies_trained.jsonl"
CONTROL = "bias"
GROUPS = {"weak": "targeted", "others": "other", "all": "all"}  # name in the table -> in kfg.evaluation.paired


def raised(settings: dict, classes) -> np.ndarray:
    """Return the setting class_bias of a remedy as float (C,)."""
    given = dict(settings["class_bias"])
    return np.array([given.get(name, 0.0) for name in classes])


def biases(found) -> dict[str, np.ndarray]:
    """Return, for each arm, by how much it raises each class, float (C,); found without the test photographs."""
    eyes = found.eyes
    seen = Seen(
        eyes.plain(), mirrored=eyes.mirrored(), second=eyes.second(math.inf),
        second_mirrored=eyes.second_mirrored(math.inf),
    )  # fmt: skip
    case, index = trial.cases_of(found, seen, seeds=1)[0], found.crossed.index
    made = {
        "bias": bias_settings(case.untreated, case, index),
        "second opinion, raised": spent_settings(second_opinion(case), case, index),
        "second opinion, flip-averaged, raised": spent_settings(second_opinion_flipped(case), case, index),
    }
    none = np.zeros(len(index.classes))
    return {"none": none, "second opinion": none, **{arm: raised(one, index.classes) for arm, one in made.items()}}


def asked(run: kfg.Run, part: str) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Show the photographs of a part to a run's nets.

    Returns:
        Net -> probabilities (N, C): "alone" (the trained net), "both" (with the second opinion) and "flipped" (both, on
        the mirror images); and the rows of split.csv of these photographs.
    """
    both = plain(without_temperature(run.model))
    model = keras.Model(both.input, [apart(both)[0].output, both.output])
    listed = [row for row in splitcsv.split_rows(run.path / run_files.SPLIT)[0] if row["part"] == part]
    told = [
        [*model.predict_on_batch(pictures), both.predict_on_batch(pictures[:, :, ::-1])]
        for pictures in shown(run, [row["path"] for row in listed])
    ]
    return dict(zip(("alone", "both", "flipped"), map(np.concatenate, zip(*told, strict=True)), strict=True)), listed


def answers_of(run: kfg.Run, added: dict) -> dict:
    """Return arm -> Predictions of a run on its test photographs.

    Classes are raised by log-odds of calibrated answers, much as kfg.recipes.folder does: a net's own log-odds are
    these, multiplied by the temperature of its answers on the validation photographs. (The recipe weights these by how
    difficult they are.)
    """
    of_val, listed = asked(run, "val")
    classes = {name: label for label, name in enumerate(run.classes)}
    labels = np.array([classes[row["class"]] for row in listed])
    of_test, listed = asked(run, "test")
    order = {row["path"]: at for at, row in enumerate(listed)}
    at = [order[path] for path in run.predictions.paths]
    made = {}
    for arm, bias in added.items():
        net = "both" if "second opinion" in arm else "alone"
        answers = of_test[net] if "flip" not in arm else (of_test["both"] + of_test["flipped"]) / 2
        raised = shifted(answers, calibration.temperature(of_val[net], labels) * bias)
        made[arm] = dataclasses.replace(run.predictions, probabilities=raised[at])
    return made


def rows(paths, args) -> list[dict]:
    """Return a row of the results file for each arm."""
    runs = [kfg.open(path) for path in paths]
    settings = [read_json(run.path / run_files.CONFIG, dict) for run in runs]
    root = origins.photographs_folder(runs[0].path)
    found = diagnosed(root, args.cache, 0, args.target, Config())
    classes = found.crossed.index.classes
    for run in runs:
        if set(run.predictions.paths) & set(found.crossed.index.paths):
            raise SystemExit(f"{run.path}: its test photographs are not those of the default split")
    added, answers = biases(found), {}
    for run in runs:
        for arm, one in answers_of(run, added).items():
            answers.setdefault(arm, []).append(one)
    answers = {CONTROL: answers.pop(CONTROL), **answers}
    weak = [list(found.weak)] * len(runs)
    compared = paired_recall(answers, weak, control=CONTROL, alike=of_runs.alike(runs[0].path))
    made = {
        "data": settings[0]["data"]["name"], "target": args.target,
        "seeds": [training_of(run.path)["seed"] for run in runs],
        "epochs": [epochs_of(run.path) for run in runs], "images": compared["images"],
        "weak classes": [classes[label] for label in found.weak], "second": runs[0].config["second_opinion"],
        "processor": processor(), "commit": provenance.commit(),
    }  # fmt: skip
    return [
        {**made, "arm": arm, "raised": {classes[at]: added[arm][at] for at in np.flatnonzero(added[arm])},
         **{group: compared["groups"][name]["arms"][arm] for group, name in GROUPS.items()}}
        for arm in answers
    ]  # fmt: skip


def table(results) -> str:
    """Return the table of a results file as text, with a part for each data set."""
    lines = []
    for data, weak in dict.fromkeys((row["data"], tuple(row["weak classes"])) for row in results):
        own = [row for row in results if (row["data"], tuple(row["weak classes"])) == (data, weak)]
        lines += [
            "",
            f"**{data}**: {own[0]['images']:,} test images, {len(weak)} weak classes, "
            f"{counted(len(own[0]['seeds']), 'seed')}",
            "",
            "| remedy | weak | others | all | weak, against bias | others, against bias | all, against bias |",
            "|---" * 7 + "|",
        ]
        for row in own:
            recalls = " | ".join(f"{100 * row[group]['recall']['value']:.1f}" for group in GROUPS)
            gained = " | ".join(difference(row[group]["difference"]) for group in GROUPS)
            lines.append(f"| {row['arm']} | {recalls} | {gained} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, nargs="*", metavar="RUN")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--target", type=float, help="recall below which a class is weak (default: that of all)")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="print the table of a results file")
    args = parser.parse_args()
    if args.table:
        print(table([json.loads(line) for line in args.table.read_text().splitlines()]))
        return 0
    photographs.be_deterministic()
    made = rows(args.runs, args)
    with open(args.out, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in made)
    print(table(made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
