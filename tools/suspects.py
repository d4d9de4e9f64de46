"""Plant wrong labels in a folder of photographs, and measure how well they are found and what leaving them out gains.

    python tools/suspects.py DIR --cache DIR [--seeds 3] [--per-class N] [--second TRUNK] [--out FILE]

The folder's own labels are taken to be right. 5% of the training and validation photographs get a wrong label, of any
class or of the most similar class. They are then ranked by the margin of kfg repair, by cleanlab's scores on the same
predictions (pip install cleanlab), and by the loss of a head trained on all photographs. Then wrong labels are given to
10%, and heads trained on right labels, on wrong labels, without suspects and with corrected suspects are tested on the
test part. With --second, all this is done on the features of two trunks side by side.
"""

import json
import pathlib

import numpy as np
from cleanlab.rank import get_label_quality_scores
from remedies import at_most, command_line, divided, pictures, processor, read
from sklearn.metrics import roc_auc_score

from kfg.augment import draws
from kfg.data.index import Index, make_index
from kfg.engine import provenance
from kfg.progress import Progress
from kfg.recipes.folder_settings import Config
from kfg.repairing.crossed import CONTRADICTED, crossed
from kfg.repairing.manner import Manner
from kfg.repairing.trunks import Trunk
from kfg.training import features, out_of_fold
from kfg.training.losses import CrossEntropy
from kfg.training.out_of_fold import Heads, Lesson

RANKED, LEARNED = 0.05, 0.1  # shares of wrong labels, for the rankings and for the trained heads
KINDS = ("any class", "look-alike")
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")  # cleanlab's names of its scores


def planted(labels, means, *, share, kind, seed) -> np.ndarray:
    """Return labels of which the share `share` is wrong; `means` are the mean features of the classes."""
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(len(labels))[: round(share * len(labels))]
    made = labels.copy()
    if kind == "look-alike":
        unit = means / np.linalg.norm(means, axis=1, keepdims=True)
        made[wrong] = (unit @ unit.T - 2 * np.eye(len(means))).argmax(axis=1)[labels[wrong]]
    else:
        made[wrong] = (labels[wrong] + rng.integers(1, len(means), len(wrong))) % len(means)
    return made


def looked_at(args, second=()) -> tuple[Index, np.ndarray]:
    """Return the photographs that the command line names, divided into parts, and their features, float32 (N, F).

    `second` has names of further trunks, whose features stand beside those of the first.
    """
    config = Config()
    whole = at_most(divided(args.data, config), args.per_class)
    images, rows = pictures(whole, args.cache, config), []
    for name in (config.backbone, *second):
        trunk, progress = Trunk(name, config.image_size).built(), Progress(f"photographs looked at by {name}")
        found = features.cached(trunk, images, cache_dir=args.cache, progress=progress)
        rows.append(np.array(found).reshape(len(whole), -1))
    return whole, np.concatenate(rows, axis=1)


def head_on(rows, labels, weights, classes, seed):
    """Return a head trained on those rows, float32 (N, F), whose weight is not 0."""
    shown = np.flatnonzero(weights)
    lesson = Lesson(
        rows=rows, labels=labels, weights=np.ones((len(rows), 1), np.float32),
        shown=lambda epoch: draws.shuffled(seed, epoch=epoch, positions=shown),
    )  # fmt: skip
    return Heads(rows.shape[1], 1, classes).learn(lesson, loss=CrossEntropy(), steps=out_of_fold.steps_for(len(rows)))


def ranked(index, rows, wrong, seed) -> dict:
    """Return precision at n and area under the ROC curve for each ranking of wrong labels."""
    found = crossed(index, rows, Manner(CrossEntropy()), seed=seed)
    scores = {"kfg": -found.suspicion}
    for method in METHODS:
        for name, answers in (("first", found.answers), ("cleaned", found.cleaned)):
            answers = answers.astype(np.float64) / answers.sum(axis=1, keepdims=True, dtype=np.float64)
            options = {"adjust_pred_probs": False}
            scores[f"cleanlab {method}, {name} answers"] = get_label_quality_scores(
                index.labels, answers, method=method, **options
            )
    ones = np.ones(len(index))
    seen = head_on(rows, index.labels, ones, len(index.classes), seed).ask(rows)[:, 0]
    scores["loss in training"] = seen[np.arange(len(index)), index.labels]
    count = int(wrong.sum())
    return {
        name: {
            "precision": float(wrong[np.argsort(score, kind="stable")[:count]].mean()),
            "area": float(roc_auc_score(wrong, -score)),
        }
        for name, score in scores.items()
    }


def won_back(index, rows, right, test, seed) -> dict:
    """Return the test top-1 of heads trained on right labels, planted ones, without suspects, and with mended ones."""
    found = crossed(index, rows, Manner(CrossEntropy()), seed=seed)
    kept = found.label_probability >= CONTRADICTED
    mended = np.where(kept, index.labels, found.likelier)
    ones, (test_rows, test_labels) = np.ones(len(index)), test
    arms = {
        "right": (right, ones), "planted": (index.labels, ones), "left out": (index.labels, kept),
        "mended": (mended, ones),
    }  # fmt: skip
    answered = {
        name: head_on(rows, labels, weights, len(index.classes), seed).ask(test_rows)[:, 0].argmax(axis=1)
        for name, (labels, weights) in arms.items()
    }
    return {name: float((answers == test_labels).mean()) for name, answers in answered.items()}


def table(results) -> str:
    """Return the tables of a results file as text: means over seeds of the rankings, and of the gains in top-1."""
    lines = [
        "| data | planted | kfg | cleanlab, first answers | cleanlab, second answers | loss in training | area, kfg |",
        "|---|---|---|---|---|---|---|",
    ]
    won = [
        "| data | planted | right labels | planted labels | left out | mended | won back by leaving out |",
        "|---|---|---|---|---|---|---|",
    ]
    for data, kind, second in dict.fromkeys((row["data"], row["kind"], row.get("second", "")) for row in results):
        own = [row for row in results if (row["data"], row["kind"], row.get("second", "")) == (data, kind, second)]
        data = f"{data}, two trunks" if second else data
        precision = {name: np.mean([row["ranked"][name]["precision"] for row in own]) for name in own[0]["ranked"]}
        best = [max((name for name in precision if name.endswith(f"{one} answers")), key=precision.get)
                for one in ("first", "cleaned")]  # fmt: skip
        area = np.mean([row["ranked"]["kfg"]["area"] for row in own])
        shown = " | ".join(f"{precision[name]:.3f}" for name in ("kfg", *best, "loss in training"))
        lines.append(f"| {data} | {kind} | {shown} | {area:.4f} |")
        top1 = {name: np.mean([row["top1"][name] for row in own]) for name in own[0]["top1"]}
        share = (top1["left out"] - top1["planted"]) / (top1["right"] - top1["planted"])
        won.append(
            f"| {data} | {kind} | " + " | ".join(f"{100 * value:.1f}" for value in top1.values()) + f" | {share:.0%} |"
        )
    return "\n".join([*lines, "", *won])


def main() -> int:
    parser = command_line(__doc__, pathlib.Path(__file__).parent.parent / "recipes/repair/suspects.jsonl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--second", action="append", default=[], metavar="TRUNK", help="such as efficientnet-lite2")
    args = read(parser, table)
    if args is None:
        return 0
    whole, of_trunk = looked_at(args, args.second)
    tested = np.array(whole.parts) == "test"
    index, rows = whole.take(np.flatnonzero(~tested)), of_trunk[~tested]
    means = np.stack([rows[index.labels == label].mean(axis=0) for label in range(len(index.classes))])
    made = {
        "data": args.data.resolve().name, "photographs": len(index), "classes": len(index.classes),
        "tested": int(tested.sum()), "second": " ".join(args.second), "processor": processor(),
        "commit": provenance.commit(),
    }  # fmt: skip
    for seed in range(args.seeds):
        for kind in KINDS:
            labels = planted(index.labels, means, share=RANKED, kind=kind, seed=seed)
            ranks = ranked(labelled(index, labels), rows, labels != index.labels, seed)
            labels = planted(index.labels, means, share=LEARNED, kind=kind, seed=100 + seed)
            top1 = won_back(labelled(index, labels), rows, index.labels, (of_trunk[tested], whole.labels[tested]), seed)
            row = {**made, "seed": seed, "kind": kind, "ranked": ranks, "top1": top1}
            with open(args.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            best = max(
                (name for name in ranks if name.startswith("cleanlab")), key=lambda name: ranks[name]["precision"]
            )
            print(
                f"seed {seed}, {kind}: precision at n kfg {ranks['kfg']['precision']:.3f}, {best} "
                f"{ranks[best]['precision']:.3f}, loss {ranks['loss in training']['precision']:.3f}; area "
                f"{ranks['kfg']['area']:.4f}, {ranks[best]['area']:.4f}; top-1 "
                + ", ".join(f"{name} {value:.4f}" for name, value in top1.items()),
                flush=True,
            )
    return 0


def labelled(index, labels):
    return make_index(
        index.root, index.paths, labels, index.classes, parts=index.parts, groups=index.groups, sha256=index.sha256
    )


if __name__ == "__main__":
    raise SystemExit(main())
