"""Plant causes of weakness in a folder of photographs, and check whether kfg.repairing names each of them first.

    python tools/planted.py DIR [--classes A,B] [--per-class N] [--cache DIR] [--seed 0] [--out FILE]

The causes are planted one at a time, in class A (by default the third class of the folder), and in class B if two are
needed: 10% wrong labels in both, A blurred, A all grey, A cut to 8 photographs, 70% of A near-duplicates of the rest,
A divided at random into two classes. Pictures are changed after decoding; near-duplicates are features with some noise.
The photographs are the training and validation part of the default split, as in `kfg repair`. A row for each folder and
seed is added to the results file.
"""

import argparse
import dataclasses
import json
import pathlib

import numpy as np
from PIL import Image, ImageFilter
from remedies import at_most, divided, processor

from kfg.data import fingerprints, folder
from kfg.data.index import Index
from kfg.data.stores import Images
from kfg.engine import photographs, provenance
from kfg.recipes.folder_settings import Config
from kfg.repairing import causes, looks
from kfg.repairing.crossed import crossed
from kfg.repairing.diagnosis import VIEWS
from kfg.repairing.looking import Eyes
from kfg.repairing.manner import Manner
from kfg.repairing.trunks import Trunk
from kfg.training.losses import CrossEntropy

RESULTS = pathlib.Path(__file__).parent.parent / "recipes" / "repair" / "planted.jsonl"
BLUR = 3  # pixels, standard deviation of the blur
KEPT = 8  # photographs that are left of a class that is cut
DIFFERENT = 0.3  # share of photographs that are not near-duplicates
WRONG = 0.1  # share of wrong labels
CLEAN = "nothing"  # name of the case in which nothing is planted


@dataclasses.dataclass(frozen=True)
class Set:
    """Photographs with all data in which causes of weakness are searched."""

    index: Index
    features: np.ndarray
    prints: list
    looks: looks.Looks

    def take(self, at):
        seen = looks.Looks(*(getattr(self.looks, field.name)[at] for field in dataclasses.fields(self.looks)))
        return Set(self.index.take(at), self.features[at], [self.prints[i] for i in at], seen)

    def labelled(self, labels):
        return dataclasses.replace(self, index=dataclasses.replace(self.index, labels=labels))


class Bench:
    """The training and validation photographs of a folder, read once."""

    def __init__(self, root, cache_dir, per_class):
        index, config = divided(root, Config()), Config()
        index = at_most(index.take(np.flatnonzero(np.array(index.parts) != "test")), per_class)
        eyes = Eyes(index, Trunk(config.backbone, config.image_size), VIEWS, cache_dir)
        self.store, self.trunk = eyes.images, eyes.first_trunk
        prints = fingerprints.read(index.root, index.paths)
        self.clean = Set(index, eyes.plain(), prints, looks.of_store(self.store))

    def changed(self, at, change, **print_changes) -> Set:
        """Return the set with the pictures at some positions changed.

        Args:
            at: positions of the pictures.
            change: function PIL image -> PIL image.
            print_changes: fields of their fingerprints to change.
        """
        pictures = [change(Image.fromarray(image)).convert("RGB") for image in self.store.gather(at)]
        pictures = np.stack([np.asarray(picture) for picture in pictures])
        of_trunk, prints = self.clean.features.copy(), list(self.clean.prints)
        answers = [self.trunk.predict_on_batch(pictures[start : start + 32]) for start in range(0, len(at), 32)]
        of_trunk[at] = np.concatenate(answers).reshape(len(at), -1)
        for i in at:
            prints[i] = dataclasses.replace(prints[i], **print_changes)
        before, of_changed = self.clean.looks, looks.of_store(Images(pictures))
        seen = looks.Looks(*(getattr(before, field.name).copy() for field in dataclasses.fields(before)))
        for field in dataclasses.fields(before):
            getattr(seen, field.name)[at] = getattr(of_changed, field.name)
        return Set(self.clean.index, of_trunk, prints, seen)


def planted(bench: Bench, a: int, b: int, rng):
    """Yield, for each planted cause, its name, the set that has it, and {class: kind of cause that must come first}."""
    clean = bench.clean
    labels, of_a = clean.index.labels, np.flatnonzero(clean.index.labels == a)
    yield CLEAN, clean, {}
    wrong = labels.copy()
    for label in (a, b):
        donors = rng.permutation(np.flatnonzero((labels != a) & (labels != b) & (wrong == labels)))
        wrong[donors[: round(WRONG * (labels == label).sum())]] = label
    yield "wrong labels", clean.labelled(wrong), {a: "labels", b: "labels"}
    yield "blurred", bench.changed(of_a, lambda image: image.filter(ImageFilter.GaussianBlur(BLUR))), {a: "quality"}
    yield "grey", bench.changed(of_a, lambda image: image.convert("L"), grey=True), {a: "shortcut"}
    yield "few", clean.take(np.sort(np.concatenate([np.flatnonzero(labels != a), of_a[:KEPT]]))), {a: "few"}
    count = max(3, round(DIFFERENT * len(of_a)))
    groups, of_trunk = clean.index.groups.copy(), clean.features.copy()
    for number, at in enumerate(of_a[count:]):
        source = of_a[number % count]
        groups[at] = groups[source]
        of_trunk[at] = of_trunk[source] + rng.normal(0, 0.02, of_trunk.shape[1])
    index = dataclasses.replace(clean.index, groups=groups)
    yield "near-duplicates", dataclasses.replace(clean, index=index, features=of_trunk), {a: "alike"}
    divided = labels.copy()
    divided[rng.permutation(of_a)[: len(of_a) // 2]] = b
    at = np.flatnonzero(labels != b)
    yield "one class as two", clean.labelled(divided).take(at), {a: "one-class", b: "one-class"}


def diagnosed(one: Set) -> dict[int, str]:
    """Return the first cause of each class that has one."""
    found = crossed(one.index, one.features, Manner(CrossEntropy()))
    evidence = causes.Evidence(found, one.prints, one.looks)  # without curves: their cause never comes first
    of_class = causes.of_all(evidence)
    return {label: found[0].kind for label, found in of_class.items() if found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--classes", default="", metavar="A,B", help="default: the third and sixth, or the first two")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--per-class", type=int, default=0, metavar="N", help="at most, for a large folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    names = folder.scan(args.data).classes
    chosen = args.classes.split(",") if args.classes else [names[at] for at in ((2, 5) if len(names) > 5 else (0, 1))]
    if len(names) < 3 or len(chosen) != 2 or not set(chosen) <= set(names):
        parser.error(f"two classes of at least three are needed; there are {', '.join(names)}")
    a, b = map(names.index, chosen)
    photographs.be_deterministic()
    bench = Bench(args.data, args.cache, args.per_class)
    print(f"{args.data}: {len(bench.clean.index):,} photographs; causes are planted in {names[a]} and {names[b]}")
    cases = {}
    for title, one, wanted in planted(bench, a, b, np.random.default_rng(args.seed)):
        found = diagnosed(one)
        right = {label: found.get(label) == kind for label, kind in wanted.items()}
        others = {names[label]: kind for label, kind in found.items() if label not in wanted}
        cases[title] = {
            "first": {names[label]: found.get(label) for label in wanted},
            "wanted": {names[label]: kind for label, kind in wanted.items()},
            "others": others,
        }
        words = {True: "", False: " (missed)"}
        told = ", ".join(f"{names[label]}: {found.get(label)}{words[ok]}" for label, ok in right.items())
        print(f"{title:<18} {told or '-':<60} other classes: {others or 'none'}", flush=True)
    named = sum(case["first"] == case["wanted"] for title, case in cases.items() if title != CLEAN)
    row = {
        "data": args.data.resolve().name, "photographs": len(bench.clean.index), "classes": len(names),
        "planted in": [names[a], names[b]], "seed": args.seed, "named first": named, "of": len(cases) - 1,
        "cases": cases, "processor": processor(), "commit": provenance.commit(),
    }  # fmt: skip
    with open(args.out, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(f"{named} of {len(cases) - 1} planted causes are named first")
    return 0 if named == len(cases) - 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
