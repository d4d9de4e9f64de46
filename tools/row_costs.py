"""Say what each row of a study's recipe costs on a GPU, and let the rows that have no result yet run once.

    python tools/row_costs.py retail258 DIR [--rows vgg16,vgg19]      # adds lines to recipes/retail258/costs.jsonl
    python tools/row_costs.py retail258 --table

A row that has no result runs from photographs to its report: on a few photographs of DIR, at the row's own image size
and batch, for one epoch, with random weights in the place of ImageNet's. That shows that it runs, not what it reaches.

The hours are computed. A training costs as many multiplications as its net needs for an image, times the images of an
epoch, times the epochs, times three where gradients go through the trunk (forward, and back to inputs and to weights).
How many of them a GPU does in a second depends on the kind of net; it is taken from the minutes that two studies have
printed for a Tesla T4.
"""

import argparse
import dataclasses
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from remedies import add, at_most, processor

from kfg.data import folder
from kfg.engine import provenance
from kfg.models import attention_nets, backbones, baselines, catalogue, convnets
from kfg.runs import results_file

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"
COPIES = 8  # fruit3 shows eight copies of each image in an epoch


@dataclasses.dataclass(frozen=True)
class Study:
    """What a study trains on, and how the net of a row is built.

    Args:
        images: number of photographs that are divided into parts.
        build: function (config, number of classes) -> Keras model.
        test: whether the test part is one of these images.
    """

    classes: int
    images: int
    build: object
    test: bool = True

    def training_images(self, config, *, validated: bool = True) -> int:
        """Return how many images an epoch has, copies included; the studies themselves put none aside to validate."""
        share = 1 - validated * config.val_fraction - (config.test_fraction if self.test else 0)
        copies = COPIES if getattr(config, "eightfold", "none") != "none" else 1
        return round(self.images * share) * copies


def fruit3_net(config, classes):
    if config.net in ("cnn", "mlp"):
        build = baselines.fruit3_cnn if config.net == "cnn" else baselines.fruit3_mlp
        return build(num_classes=classes, image_size=config.image_size)
    return backbones.classifier(config.net, num_classes=classes, image_size=config.image_size, weights="none")


def trunk_net(config, classes):
    if config.net == "cnn5":
        return baselines.retail258_cnn(num_classes=classes, image_size=config.image_size)
    classes = getattr(config, "head_classes", 0) or classes
    return backbones.classifier(config.net, num_classes=classes, image_size=config.image_size, weights="none")


def attention_net(config, classes):
    return attention_nets.build(dataclasses.replace(config, weights="none"), classes)


def conv_net(config, classes):
    return convnets.convnet(num_classes=classes, image_size=config.image_size, width=config.width, kernel=config.kernel)


STUDIES = {
    "imagenet20": Study(20, 13_520, conv_net),  # its 2,704 test images are a fifth
    "fruit3": Study(3, 4_141, fruit3_net),
    "retail258": Study(258, 12_607, trunk_net),
    "cub200": Study(200, 5_994, trunk_net, test=False),
    "competition100": Study(100, 6_667, attention_net, test=False),  # FGVC-Aircraft's, on which the study began
}
# kind of net -> (recipe, row, seconds on a T4), or minutes that fruit3's row itself reports
RATED = {
    "convnet": ("imagenet20", "convnet1", 32 * 45),
    "lenet": ("fruit3", "cnn", None),
    "vgg": ("fruit3", "vgg16", None),
    "resnet": ("fruit3", "resnet50", None),
    "efficientnet": ("fruit3", "efficientnet-b2", None),
}


def kind(config) -> str:
    """Return which of the rated nets a row's net is most like."""
    name = getattr(config, "backbone", None) or getattr(config, "net", "convnet")
    if name in ("cnn", "cnn5", "mlp"):
        return "lenet"
    return next((one for one in ("convnet", "vgg", "efficientnet") if name.startswith(one)), "resnet")


def passes(config) -> int:
    """Return how often a training step multiplies as much as a forward pass: once if only a head learns."""
    return 1 if getattr(config, "freeze", "none") == "head" else 3


def macs(recipe: str, config) -> int:
    """Return the multiply-accumulates of an image's forward pass through a row's net, with the study's classes."""
    study = STUDIES[recipe]
    return catalogue.macs(catalogue.shapes_only(lambda: study.build(config, study.classes)))


def rates(costs) -> dict[str, float]:
    """Return kind of net -> multiply-accumulates a second on a T4.

    Args:
        costs: (recipe, row) -> multiply-accumulates of a forward pass, at least those of RATED.
    """
    found = {}
    for name, (recipe, row, seconds) in RATED.items():
        config, reported = rows_of(recipe)[row].config, rows_of(recipe)[row].reported
        images = STUDIES[recipe].training_images(config, validated=False)
        images *= reported.get("epochs") or config.epochs
        found[name] = costs[recipe, row] * passes(config) * images / (seconds or 60 * reported["minutes"])
    return found


def rows_of(recipe: str) -> dict:
    return importlib.import_module(f"kfg.recipes.{recipe}").ROWS


def few(root, into: pathlib.Path, *, classes: int, per_class: int) -> int:
    """Fill a folder with links to the first photographs of the first classes; return how many they are."""
    index = folder.scan(root)
    index = at_most(index.take((index.labels < classes).nonzero()[0]), per_class)
    for path, label in zip(index.full_paths(), index.labels, strict=True):
        place = into / index.classes[label] / pathlib.Path(path).name
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(pathlib.Path(path).resolve())
    return len(index)


def ran(recipe: str, row: str, photographs: pathlib.Path, scratch: pathlib.Path) -> float:
    """Let a row run from photographs to its report, for an epoch and without pretrained weights; return the seconds.

    Raises:
        SystemExit: the row did not run; the message is what it said last.
    """
    words = [sys.executable, "-m", f"kfg.recipes.{recipe}", "--data", photographs, "--out", scratch, "--rows", row]
    words += ["--epochs", "1"]
    if hasattr(rows_of(recipe)[row].config, "weights"):
        words += ["--weights", "none"]
    began = time.monotonic()
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    run = scratch / recipe / row / "seed-0"
    if done.returncode or not (run / "report.html").is_file():
        raise SystemExit(f"{recipe} {row} did not run: {(done.stderr or done.stdout).strip()[-500:]}")
    return time.monotonic() - began


def table(recipe: str, lines, all_lines) -> str:
    """Return the Markdown table of a recipe's rows; `all_lines` are those of all recipes, for the rates."""
    costs = {(line["recipe"], line["row"]): line["macs"] for line in all_lines}
    speed = rates(costs)
    measured = {result["row"] for result in results_file.read(RECIPES / recipe)}
    ran_once = {line["row"]: line["ran"] for line in lines if line["ran"]}
    header = ("row", "pixels", "10⁹ multiplications an image", "images of an epoch", "epochs, at most", "hours on a T4")
    out = [f"| {' | '.join(header)} | state |", "|---" * (len(header) + 1) + "|"]
    for name, row in rows_of(recipe).items():
        config, of_net = row.config, costs[recipe, name]
        images = STUDIES[recipe].training_images(config)
        hours = of_net * passes(config) * images * config.epochs / speed[kind(config)] / 3600
        state = "measured" if name in measured else "runs" if name in ran_once else "not tried"
        height, width = config.image_size
        cells = (name, f"{height} x {width}", f"{of_net / 1e9:.2f}", f"{images:,}")
        out.append(f"| {' | '.join(cells)} | {config.epochs} | {rounded(hours)} | {state} |")
    return "\n".join(out)


def rounded(value: float) -> str:
    """Return a number with two significant digits."""
    return f"{float(f'{value:.2g}'):,g}"


def read_lines(recipe: str) -> list[dict]:
    path = RECIPES / recipe / "costs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=STUDIES)
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("--rows", default="", help="names, separated by commas (default: all that have no line yet)")
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--per-class", type=int, default=12)
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    args = parser.parse_args()
    if args.table:
        every = [line for recipe in STUDIES for line in read_lines(recipe)]
        print(table(args.recipe, read_lines(args.recipe), every))
        return 0
    if args.data is None:
        parser.error("DIR is needed")
    known = {line["row"] for line in read_lines(args.recipe)}
    names = args.rows.split(",") if args.rows else [name for name in rows_of(args.recipe) if name not in known]
    measured = {result["row"] for result in results_file.read(RECIPES / args.recipe)}
    for name in names:
        config = rows_of(args.recipe)[name].config
        line = {"recipe": args.recipe, "row": name, "macs": macs(args.recipe, config), "ran": None}
        if name not in measured:
            with tempfile.TemporaryDirectory() as scratch:
                photographs = pathlib.Path(scratch, "photographs")
                photographs.mkdir()
                count = few(args.data, photographs, classes=args.classes, per_class=args.per_class)
                seconds = ran(args.recipe, name, photographs, pathlib.Path(scratch, "runs"))
            line["ran"] = {"data": args.data.resolve().name, "photographs": count, "seconds": round(seconds)}
        add(RECIPES / args.recipe / "costs.jsonl", line | {"processor": processor(), "commit": provenance.commit()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
