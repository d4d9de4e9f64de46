"""Measure a run's calibration, and which score distinguishes foreign photographs best from the run's own.

    python tools/confidence.py RUN DATA [--foreign DIR ...] [--but CLASS ...] [--cache DIR] [--out FILE]

RUN is a finished run of `kfg train` on DATA. Calibration, thresholds and sets are those that the run would get today,
from its predictions on the validation and test images and from heads that are trained out of fold on features of its
pretrained trunk. There is a row for each folder of foreign photographs and each score: the area under the ROC curve
against the run's test images, and the share found at the threshold that 5% of the run's validation images exceed.
`--but` names classes of the foreign folders that the run also has. `--table FILE` prints the tables of a results file.
"""

import argparse
import dataclasses
import json
import pathlib
import types

import numpy as np
from remedies import processor

from kfg.data import decoded, folder, splitcsv
from kfg.data.index import Index
from kfg.data.stores import MEMORY_BUDGET, Budget
from kfg.engine import confidence, photographs, provenance
from kfg.evaluation import calibration, held_out, posthoc, predict
from kfg.files import digest, read_json, whole
from kfg.models import calibrated, saved
from kfg.progress import Progress
from kfg.recipes import folder_parts
from kfg.recipes.folder_settings import Config
from kfg.runs import corrected_answers, origins, run_files
from kfg.training import features, imbalance

RESULTS = pathlib.Path(__file__).parent.parent / "recipes" / "confidence" / "results.jsonl"
FOREIGN = 400  # number of photographs drawn at random from a foreign folder
SHRINKAGE = 0.01  # shrinkage of the covariance towards a sphere of the same size


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """The outputs of a net for N photographs: features float (N, F), logits (N, C); and their labels and parts."""

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    parts: np.ndarray

    def take(self, at) -> "Asked":
        return Asked(*(getattr(self, field.name)[at] for field in dataclasses.fields(self)))

    def of(self, part) -> "Asked":
        return self.take(self.parts == part)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def nearest(training: Asked):
    """Return the score that the layer Strangeness computes, with the bank that a run would have."""
    bank = unit(training.features[calibrated.chosen_rows(training.labels)])
    return lambda asked: 1 - np.sort(unit(asked.features) @ bank.T, axis=1)[:, -5:].mean(axis=1)


def mahalanobis(training: Asked, *, relative=False):
    """Return a score: the squared Mahalanobis distance to the nearest class mean, with one covariance for all classes.

    With `relative`, the distance to the mean of all training images is subtracted.
    """
    classes, which = np.unique(training.labels, return_inverse=True)
    means = np.stack([training.features[which == one].mean(axis=0) for one in range(len(classes))])
    within = _whitening(training.features - means[which])
    total = _whitening(training.features - training.features.mean(axis=0))
    centres, middle = means @ within, training.features.mean(axis=0) @ total

    def score(asked):
        at = asked.features @ within
        found = (at**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * at @ centres.T
        found = found.min(axis=1)
        return found - ((asked.features @ total - middle) ** 2).sum(axis=1) if relative else found

    return score


def _whitening(deviations):
    values, vectors = np.linalg.eigh(deviations.T @ deviations / len(deviations))
    return vectors / np.sqrt(values + SHRINKAGE * values.mean())


def mixture(*makers):
    """Return a score that is the mean of several scores, each in units of its spread on the validation images."""

    def make(training, validation):
        scores = [make_one(training) for make_one in makers]
        spread = [(np.median(found), found.std()) for found in (score(validation) for score in scores)]
        return lambda asked: sum((f(asked) - m) / s for f, (m, s) in zip(scores, spread, strict=True)) / len(scores)

    return make


SCORES = {  # name -> function (training, validation) -> function Asked -> float (N,), higher for foreign ones
    "maximum probability": lambda *_: lambda asked: -posthoc.softmax(asked.logits).max(axis=1),
    "energy": lambda *_: lambda asked: -np.logaddexp.reduce(asked.logits, axis=1),
    "Mahalanobis": lambda training, _: mahalanobis(training),
    "relative Mahalanobis": lambda training, _: mahalanobis(training, relative=True),
    "five nearest": lambda training, _: nearest(training),
    "five nearest and Mahalanobis": mixture(nearest, mahalanobis),
    "five nearest and energy": mixture(
        nearest, lambda _: lambda asked: -np.logaddexp.reduce(asked.logits, axis=1)
    ),
}  # fmt: skip


def asked(model, root, rows, path) -> Asked:
    """Return a net's outputs for photographs; they are stored in the file `path` and computed only once.

    Args:
        model: the net.
        root: folder of the photographs.
        rows: (path in `root`, class, part) of each photograph.
        path: the .npz file.
    """
    names = np.array([row[0] for row in rows])
    if not path.is_file():
        classes = sorted({row[1] for row in rows})
        labels = np.array([classes.index(row[1]) for row in rows], np.int32)
        index = Index(
            root=pathlib.Path(root), classes=tuple(classes), paths=tuple(names), labels=labels,
            parts=("test",) * len(rows), groups=np.arange(len(rows)), sha256=("",) * len(rows),
        )  # fmt: skip
        images = decoded.load(index, image_size=model.input_shape[1:3], memory_budget=MEMORY_BUDGET)
        trunk, kernel, bias = corrected_answers.dense_head(calibrated.without_temperature(model))
        found = features.of(trunk, images)
        with whole(path, "wb") as file:
            np.savez(file, paths=names, features=found, logits=found @ kernel + bias)
    with np.load(path) as file:
        if file["paths"].tolist() != names.tolist():
            raise SystemExit(f"{path}: of other photographs; remove it")
        labels = np.unique([row[1] for row in rows], return_inverse=True)[1]
        return Asked(file["features"], file["logits"], labels, np.array([row[2] for row in rows]))


def own_rows(run, *, training: int, test: int) -> list[tuple[str, str, str]]:
    """Return (path, class, part) of a run's photographs, with at most `training` and `test` of these parts."""
    rows, _ = splitcsv.split_rows(run / run_files.SPLIT)
    left = {"train": training, "test": test}
    found = []
    for at in np.random.default_rng(0).permutation(len(rows)):
        path, name, part = (rows[at][column] for column in ("path", "class", "part"))
        left[part] = left.get(part, len(rows)) - 1
        if left[part] >= 0:
            found.append((path, name, part))
    return found


def foreign_rows(root, but) -> list[tuple[str, str, str]]:
    """Return (path, class, "foreign") of photographs drawn from a folder, without the classes in `but`."""
    index = folder.scan(root)
    drawn = np.random.default_rng(0).permutation(len(index))[:FOREIGN]
    rows = [(index.paths[at], index.classes[index.labels[at]], "foreign") for at in drawn]
    return [row for row in rows if row[1] not in but]


def area(own, foreign) -> float:
    """Return the area under the ROC curve: the share of pairs in which the foreign photograph has the higher score."""
    below = np.searchsorted(np.sort(own), foreign, side="left") + np.searchsorted(np.sort(own), foreign, side="right")
    return float(below.mean() / 2 / len(own))


def foreign_told(own: Asked, foreign: Asked) -> list[dict]:
    """Return a row for each score, which says how well it distinguishes foreign photographs from test photographs."""
    training, validation, test = own.of("train"), own.of("val"), own.of("test")
    found = []
    for name, make in SCORES.items():
        score = make(training, validation)
        threshold = held_out.highest(score(validation), confidence.FALSE_ALARMS)
        of_test, of_foreign = score(test), score(foreign)
        found.append({
            "score": name, "area": area(of_test, of_foreign), "found": float((of_foreign > threshold).mean()),
            "false_alarms": float((of_test > threshold).mean()), "photographs": len(of_foreign),
            "validation": len(validation.labels), "test": len(of_test),
        })  # fmt: skip
    return found


def calibration_told(run, root, cache) -> dict:
    """Return temperature, calibration errors, share unanswered and coverage of a run, from its stored predictions."""
    answers = {part: predict.read_csv(run / name) for part, name in corrected_answers.PREDICTIONS.items()}
    model = saved.load(run / run_files.MODEL)
    found = calibrated.temperature_of(model) or 1.0
    plain = {
        part: dataclasses.replace(one, probabilities=calibration.scaled(one.probabilities, 1 / found))
        for part, one in answers.items()
    }
    index = folder.read_split(run / run_files.SPLIT, root, classes=answers["val"].classes)
    crossed = out_of_fold_heads(run, index, tuple(model.input_shape[1:3]), cache)
    _, content = confidence.thresholds(plain, index, crossed, strangeness={"val": None, "test": None})
    return {name: value for name, value in content.items() if name not in ("held_out", "none_of_these")}


def out_of_fold_heads(run, index, image_size, cache) -> confidence.OutOfFold:
    """Train heads out of fold as a run does, with the pretrained trunk, the run's loss and its cached features."""
    config = read_json(run / run_files.CONFIG, dict)["config"]
    settings = Config(image_size=image_size, backbone=config["backbone"], weights=config["weights"])
    counts = index.take(index.where("train")).counts()
    treatment = imbalance.chosen(config["imbalance"], counts)["treatment"]
    images = decoded.load(
        index, image_size=image_size, cache_dir=cache, memory_budget=Budget(MEMORY_BUDGET),
        progress=Progress("photographs decoded"),
    )  # fmt: skip
    job = types.SimpleNamespace(
        model=folder_parts.classifier(settings, len(index.classes)),
        loss=imbalance.treated(treatment, counts, label_smoothing=config["label_smoothing"])[0],
        data=types.SimpleNamespace(cache_dir=cache),
    )
    return confidence.heads_out_of_fold(job, index, images, equal=treatment != "none")


def tables(rows) -> str:
    """Return the tables of a results file as text: calibration first, then foreign photographs."""
    lines = [
        "| run | temperature | ECE before | after | unsure, test | right of the rest | sets for 90% cover |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["kind"] == "calibration":
            unsure, sets = row["unsure"]["test"], row["sets"]["test"]
            cells = [_error(row["calibration"]["before"]), _error(row["calibration"]["after"])]
            cells += [_share(unsure["unanswered"]), _share(unsure["right"]), _share(sets["covered"])]
            lines.append(f"| {row['run']} | {row['temperature']:.2f} | {' | '.join(cells)} |")
    lines += ["", "| run | foreign | score | AUROC | found at 5% | false alarms, test |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row["kind"] == "foreign":
            figures = f"{row['area']:.3f} | {100 * row['found']:.1f}% | {100 * row['false_alarms']:.1f}%"
            lines.append(f"| {row['run']} | {row['foreign']}, {row['photographs']} | {row['score']} | {figures} |")
    return "\n".join(lines)


def _error(one) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _share(one) -> str:
    return f"{100 * one['value']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, nargs="?")
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("--foreign", type=pathlib.Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--but", nargs="+", default=[], metavar="CLASS")
    parser.add_argument("--training", type=int, default=4000, metavar="N", help="training photographs, at most")
    parser.add_argument("--test", type=int, default=1000, metavar="N", help="test photographs, at most")
    parser.add_argument("--cache", type=pathlib.Path, help="of features (default: the run's)")
    parser.add_argument("--name", help="of the run, in the table (default: its photographs')")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    if args.table:
        print(tables([json.loads(line) for line in args.table.read_text().splitlines()]))
        return 0
    if args.data is None:
        parser.error("RUN and DATA are needed")
    photographs.be_deterministic()
    cache = args.cache or origins.cache_beside(args.run.resolve())
    made = {"run": args.name or args.data.name, "processor": processor(), "commit": provenance.commit()}
    rows = [{"kind": "calibration", **made, **calibration_told(args.run, args.data, cache)}]
    if args.foreign:
        model = saved.load(args.run / run_files.MODEL)
        kept = f"asked-{digest(args.run / run_files.MODEL)[:12]}"  # another model's answers are other files
        own = asked(
            model,
            args.data,
            own_rows(args.run, training=args.training, test=args.test),
            cache / f"{kept}-{args.data.name}.npz",
        )
        for root in args.foreign:
            strangers = asked(model, root, foreign_rows(root, args.but), cache / f"{kept}-foreign-{root.name}.npz")
            told = foreign_told(own, strangers)
            rows += [{"kind": "foreign", **made, "foreign": root.name, "but": args.but, **one} for one in told]
    with open(args.out, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    print(tables(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
