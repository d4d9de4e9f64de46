"""Plant causes of weakness in a folder of photographs, and see whether kfg.repairing names each of them first.

    python tools/planted.py DIR [--classes A,B] [--cache DIR] [--seed 0]

Planted, one at a time, in class A (the third of the folder unless told otherwise), and in class B where two are
needed: 10 % wrong labels in both, A blurred, A all grey, A cut to 8 photographs, 70 % of A near-duplicates of the rest,
A divided at random into two classes. Pictures are changed after decoding; near-duplicates are features with some noise.
"""

import argparse
import dataclasses
import pathlib

import numpy as np
from PIL import Image, ImageFilter

from kfg.data import audit, decoded, fingerprints, folder
from kfg.data.stores import Images
from kfg.engine.fitting import trunk_of
from kfg.recipes import folder as own_photographs
from kfg.recipes.folder_settings import Config
from kfg.repairing import causes, looks
from kfg.repairing.crossed import crossed
from kfg.training import features
from kfg.training.losses import CrossEntropy

SIZE = (224, 224)  # pixels
BLUR = 3  # pixels, the standard deviation
KEPT = 8  # photographs of a class that is cut
DIFFERENT = 0.3  # share of photographs that are not near-duplicates
WRONG = 0.1  # share of labels


@dataclasses.dataclass(frozen=True)
class Set:
    """Photographs with everything that causes are looked for in."""

    index: folder.Index
    features: np.ndarray
    prints: list
    looks: looks.Looks

    def take(self, at):
        seen = looks.Looks(*(getattr(self.looks, field.name)[at] for field in dataclasses.fields(self.looks)))
        return Set(self.index.take(at), self.features[at], [self.prints[i] for i in at], seen)

    def labelled(self, labels):
        return dataclasses.replace(self, index=dataclasses.replace(self.index, labels=labels))


class Bench:
    """A folder of photographs, read once."""

    def __init__(self, root, cache_dir):
        index = audit.duplicate_groups(folder.scan(root))
        self.store = decoded.load(index, image_size=SIZE, cache_dir=cache_dir)
        self.trunk = trunk_of(own_photographs.classifier(Config(image_size=SIZE), len(index.classes)))
        of_trunk = np.array(features.cached(self.trunk, self.store, cache_dir=cache_dir))
        prints = fingerprints.read(index.root, index.paths)
        self.clean = Set(index, of_trunk.reshape(len(index), -1), prints, looks.of_store(self.store))

    def changed(self, at, change, **print_changes) -> Set:
        """Return the set with some pictures changed."""
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
    """Yield the name of each planted cause, the set that has it, and {class: kind that must come first}."""
    clean = bench.clean
    labels, of_a = clean.index.labels, np.flatnonzero(clean.index.labels == a)
    yield "nothing", clean, {}
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
    found = crossed(one.index, one.features, loss=CrossEntropy())
    evidence = causes.Evidence(found, one.prints, one.looks)
    of_class = causes.of_all(evidence)
    return {label: found[0].kind for label, found in of_class.items() if found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--classes", default="", metavar="A,B", help="default: the third and sixth, or the first two")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    names = folder.scan(args.data).classes
    chosen = args.classes.split(",") if args.classes else [names[at] for at in ((2, 5) if len(names) > 5 else (0, 1))]
    if len(names) < 3 or len(chosen) != 2 or not set(chosen) <= set(names):
        parser.error(f"two classes of at least three are needed; there are {', '.join(names)}")
    a, b = map(names.index, chosen)
    bench = Bench(args.data, args.cache)
    print(f"{args.data}: {len(bench.clean.index):,} photographs; causes are planted in {names[a]} and {names[b]}")
    missed = 0
    for title, one, wanted in planted(bench, a, b, np.random.default_rng(args.seed)):
        found = diagnosed(one)
        right = {label: found.get(label) == kind for label, kind in wanted.items()}
        others = {names[label]: kind for label, kind in found.items() if label not in wanted}
        missed += not all(right.values())
        words = {True: "", False: " (missed)"}
        told = ", ".join(f"{names[label]}: {found.get(label)}{words[ok]}" for label, ok in right.items())
        print(f"{title:<18} {told or '-':<60} other classes: {others or 'none'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
