"""Plant wrong labels in a folder, train nets on it with and without the suspects, and compare their test accuracy.

    python tools/suspects_trained.py DIR --cache DIR --runs DIR [--seeds 3] [--kind look-alike] [--image-size 160]

As in tools/suspects.py, 10% of the training and validation photographs get a wrong label, and heads on cached features
say which labels they contradict. `kfg train`, with one epoch of fine-tuning, then learns from the right labels, from
the planted ones, and from the planted ones without the suspects. The test photographs are the same for all, with the
right labels. A row for each seed is added to the results file. Finished runs are not repeated.
"""

import csv
import json
import pathlib

import numpy as np
from remedies import command_line, processor, read
from suspects import KINDS, LEARNED, labelled, looked_at, planted

import kfg
from kfg.engine import provenance
from kfg.repairing.crossed import crossed
from kfg.repairing.manner import Manner
from kfg.training.losses import CrossEntropy

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/repair/suspects_trained.jsonl"
ARMS = ("right", "planted", "left out")


def alone(index) -> np.ndarray:
    """Return bool (N,), which photographs have no near-duplicate: with another label, one would be an audit's error."""
    return np.bincount(index.groups)[index.groups] == 1


def write_labels(path, index, labels, kept) -> None:
    """Write a table of labels, for `kfg train --csv`; validation photographs are listed as training photographs."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "class", "part"])
        for at in np.flatnonzero(kept):
            part = "test" if index.parts[at] == "test" else "train"
            table.writerow([str(index.root.resolve() / index.paths[at]), index.classes[labels[at]], part])


def trained(root, runs, table, *, seed, image_size) -> dict:
    """Train on a table of labels; return the test top-1 and what was kept, the head or the fine-tuned network."""
    run = kfg.train(
        root, out=runs, csv=table, seed=seed, time_budget="2h", epochs=1, min_errors=0,
        image_size=(image_size, image_size), resume=True,
    )  # fmt: skip
    kept = json.loads((run.path / "config.json").read_text())["choices"]["end"]["kept"]
    return {"top1": run.metrics["top1"]["value"], "kept": kept}


def table(results) -> str:
    """Return the table of a results file as text: means over seeds, and each seed's share of accuracy won back."""
    lines = [
        "| data | planted | right labels | planted labels | left out | won back, by seed | over all |",
        "|---" * 7 + "|",
    ]
    for data, kind in dict.fromkeys((row["data"], row["kind"]) for row in results):
        own = [row for row in results if (row["data"], row["kind"]) == (data, kind)]
        top1 = {arm: np.array([row["arms"][arm]["top1"] for row in own]) for arm in ARMS}
        won, lost = top1["left out"] - top1["planted"], top1["right"] - top1["planted"]
        each = ", ".join(f"{one:.0%}" for one in won / lost)
        shown = " | ".join(f"{100 * top1[arm].mean():.1f}" for arm in ARMS)
        lines.append(f"| {data} | {kind} | {shown} | {each} | {won.sum() / lost.sum():.0%} |")
    return "\n".join(lines)


def arms_of(whole, rows, args, seed) -> tuple[dict, dict]:
    """Plant wrong labels and train each arm; return the arms' results, and counts of planted and suspected labels."""
    free, asked = np.array(whole.parts) != "test", np.flatnonzero(np.array(whole.parts) != "test")
    single = np.flatnonzero(free & alone(whole))
    means = np.stack([rows[whole.labels == label].mean(axis=0) for label in range(len(whole.classes))])
    labels, everything = whole.labels.copy(), np.ones(len(whole), bool)
    labels[single] = planted(whole.labels[single], means, share=LEARNED, kind=args.kind, seed=100 + seed)
    found = crossed(labelled(whole.take(asked), labels[asked]), rows[asked], Manner(CrossEntropy()), seed=seed)
    suspects, kept = asked[found.suspects()], everything.copy()
    kept[suspects] = False
    given = ((whole.labels, everything), (labels, everything), (labels, kept))
    arms = {}
    for arm, (told, chosen) in zip(ARMS, given, strict=True):
        home = args.runs / args.data.resolve().name / args.kind.replace(" ", "-") / arm.replace(" ", "-")
        home.mkdir(parents=True, exist_ok=True)
        listed = home / f"labels-{seed}.csv"
        write_labels(listed, whole, told, chosen)
        arms[arm] = trained(args.data, home / f"runs-{seed}", listed, seed=seed, image_size=args.image_size)
        print(f"seed {seed}, {args.kind}, {arm}: {arms[arm]}", flush=True)
    wrong = labels != whole.labels
    counts = {"planted": int(wrong.sum()), "suspects": len(suspects), "of them planted": int(wrong[suspects].sum())}
    return arms, counts


def main() -> int:
    parser = command_line(__doc__, RESULTS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kind", choices=KINDS, default=KINDS[1])
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/suspects"))
    args = read(parser, table)
    if args is None:
        return 0
    whole, rows = looked_at(args)
    made = {
        "data": args.data.resolve().name, "photographs": len(whole), "classes": len(whole.classes),
        "image_size": args.image_size, "processor": processor(), "commit": provenance.commit(), "kind": args.kind,
    }  # fmt: skip
    for seed in range(args.seeds):
        arms, counts = arms_of(whole, rows, args, seed)
        with open(args.out, "a", encoding="utf-8") as file:
            file.write(json.dumps({**made, "seed": seed, **counts, "arms": arms}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
