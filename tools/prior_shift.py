"""Measure how much of the effect of extra images for weak classes is only a shift of the classes' shares.

    python tools/prior_shift.py runs/imagenet20

Extra images make the weak classes more frequent in training, so the net predicts them more often, even if it learns
nothing from the images. Two corrections of the predictions of the arms' runs separate these effects, without training:

- `none, biased`: a constant is added to the weak classes' logits in the control without extra images. It is just large
  enough for the recall of the weak classes to equal that of the arm `targeted`. If the net learned something by
  targeting, the other classes should lose less in `targeted` than here.
- `targeted, corrected`: in the targeted arm, the probability of each class is divided by the factor by which the class
  became more frequent.

Arms are also compared with two controls: `uniform`, and `none, tuned bias`, in which the constant is the one that gives
each run its best macro recall on its validation images. If the arm `arm-augmented` was run, it is compared as well.
"""

import argparse
import pathlib
import sys

import numpy as np

from kfg import reaugment
from kfg.data.splitcsv import split_rows
from kfg.errors import InputError
from kfg.evaluation import paired, posthoc, predict
from kfg.files import read_json
from kfg.runs import arms, run_files

ROWS = {"none": "arm-none", "uniform": "arm-uniform", "targeted": "arm-targeted"}
AUGMENTED = "augmented"  # an arm of its own: all training images are augmented on the fly
BIASES = np.arange(0, 8.01, 0.1)  # constants that are tried for the weak classes' logits
CORRECTED, BIASED, TUNED = "targeted, corrected", "none, biased", "none, tuned bias"


def shifted(answers, classes, by: float):
    """Return predictions with a constant added to the logits of some classes."""
    log_prior = np.zeros(len(answers.classes))
    log_prior[list(classes)] = -by
    return posthoc.adjusted(answers, log_prior, tau=1)


def commoner(run) -> np.ndarray:
    """Return float (C,), the log of the factor by which extra images raised the number of each class's images."""
    config = read_json(run / run_files.CONFIG, dict)["config"]
    classes = read_json(run / run_files.CLASSES, list)
    rows, _ = split_rows(run / run_files.SPLIT)
    own = np.array([sum(row["part"] == "train" and row["class"] == name for row in rows) for name in classes])
    weak = [one["id"] for one in reaugment.read_weak(run)["weak"]]
    extra = np.zeros(len(classes))
    extra[weak] = sum(one["count"] for one in config["rounds"]) / len(weak)
    return np.log((own + extra) / own)


def recall_of(answers, weak) -> float:
    """Return the share of the weak classes' images that are predicted rightly, over all runs."""
    kept = [np.isin(one.labels, own) for one, own in zip(answers, weak, strict=True)]
    right = [(one.predicted == one.labels)[mask] for one, mask in zip(answers, kept, strict=True)]
    return float(np.concatenate(right).mean())


def matched(none, weak, wanted: float):
    """Return the smallest of BIASES with which the weak classes reach the wanted recall, and the predictions."""
    for by in BIASES:
        answers = [shifted(one, own, by) for one, own in zip(none, weak, strict=True)]
        if recall_of(answers, weak) >= wanted:
            return float(by), answers
    raise InputError(f"no bias up to {BIASES[-1]:.0f} recalls {wanted:.1%} of the weak classes' images")


def tuned(run, weak) -> float:
    """Return the smallest of BIASES that, on the weak classes, gives a run its best macro recall in validation."""
    answers = predict.read_csv(run / run_files.VAL_PREDICTIONS)

    def macro_recall(by):
        right = shifted(answers, weak, by).predicted == answers.labels
        return np.mean([right[answers.labels == label].mean() for label in np.unique(answers.labels)])

    return float(max(BIASES, key=macro_recall))


def compared(folder) -> tuple[float, dict]:
    """Return the bias that matches the targeted arm, and the `paired_recall` of the arms and both corrections.

    Args:
        folder: folder of a recipe's runs; `arm-none`, `arm-uniform` and `arm-targeted` have the same seeds and folds.
    Raises:
        InputError: there is no run that is finished in all three arms.
    """
    folder = pathlib.Path(folder)
    runs = sorted(path.parent.name for path in (folder / ROWS["targeted"]).glob("*/report.json"))
    runs = [run for run in runs if all((folder / row / run / run_files.REPORT).is_file() for row in ROWS.values())]
    if not runs:
        raise InputError(f"{folder}: no run of {', '.join(ROWS.values())} with the same seed and fold is finished")
    with_all = all((folder / f"arm-{AUGMENTED}" / run / run_files.REPORT).is_file() for run in runs)
    rows = {**ROWS, AUGMENTED: f"arm-{AUGMENTED}"} if with_all else ROWS
    answers = {
        arm: [predict.read_csv(folder / row / run / run_files.PREDICTIONS) for run in runs] for arm, row in rows.items()
    }
    aimed = [folder / ROWS["targeted"] / run for run in runs]
    weak = [[one["id"] for one in reaugment.read_weak(run)["weak"]] for run in aimed]
    by, biased = matched(answers["none"], weak, recall_of(answers["targeted"], weak))
    corrected = [
        posthoc.adjusted(one, commoner(run), tau=1) for one, run in zip(answers["targeted"], aimed, strict=True)
    ]
    folds = read_json(aimed[0] / run_files.CONFIG, dict)["folds"]
    best = [
        shifted(one, own, tuned(folder / ROWS["none"] / run, own))
        for one, own, run in zip(answers["none"], weak, runs, strict=True)
    ]
    controls = {"none": answers.pop("none"), "uniform": answers.pop("uniform"), TUNED: best}
    everything = {**controls, **answers, BIASED: biased, CORRECTED: corrected}
    return by, paired.paired_recall(everything, weak, control="none", folds=folds, alike=arms.alike(aimed[0]))


def table(comparison) -> list[str]:
    """Return the lines of a Markdown table: recall in percent, and targeted against the biased control in points."""
    groups = comparison["groups"]
    names = list(groups["all"]["arms"])
    lines = ["| answers | weak classes | others | all |", "|---|---|---|---|"]
    for name in names:
        cells = [
            f"{100 * groups[group]['arms'][name]['recall']['value']:.1f}" for group in ("targeted", "other", "all")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    arms_run = [name for name in ("targeted", AUGMENTED) if name in names]
    lines += [_difference(groups, name, control) for name in arms_run for control in ("uniform", TUNED)]
    lines += [_difference(groups, BIASED, "targeted"), _difference(groups, CORRECTED, "uniform")]
    return lines


def _difference(groups, name, other) -> str:
    cells = []
    for group in ("targeted", "other", "all"):
        found = groups[group]["arms"][name]["against"][other]
        over = found["over_runs"]
        spread = "" if over["low"] is None else f" [{100 * over['low']:+.1f}, {100 * over['high']:+.1f}]"
        cells.append(f"{100 * found['difference']['value']:+.1f}{spread}")
    return f"| {name} - {other} | {' | '.join(cells)} |"


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="a recipe's folder in the folder of runs")
    args = parser.parse_args(argv)
    try:
        by, comparison = compared(args.folder)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{comparison['runs']} runs; the bias that matches targeted: {by:+.1f} on the weak classes' logits")
    print(*table(comparison), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
