"""Say what each row of a study's recipe costs on a GPU, and let the rows that have no result yet run once.

    python tools/row_costs.py retail258                               # prints the Markdown table of its README
    python tools/row_costs.py retail258 --run DIR [--rows vgg16,vgg19]   # adds lines to recipes/retail258/ran.jsonl

With --run, rows that have no result run from photographs to their report: on a few photographs of DIR, at the row's own
image size, for one epoch, with random weights in the place of ImageNet's. That shows that a row runs, not what it
reaches. Rows that have a line in ran.jsonl are passed over.

The hours are computed. A training costs as many multiplications as its net needs for an image, times the images of an
epoch, times the epochs; and three times as many where all layers learn (forward, and back to inputs and to weights).
How many of them a GPU does in a second depends on the kind of net; it is taken from the times that two studies give for
the GPU of Google Colab, for fruit3 a Tesla T4.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

from remedies import add, at_most

from kfg import reaugment, recipes
from kfg.augment.eightfold import COPIES
from kfg.data import folder
from kfg.engine import provenance
from kfg.errors import InputError
from kfg.models import attention_nets, backbones, baselines, catalogue, convnets
from kfg.runs import results_file, run_files

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"
ALL_SIZES = 4_195  # photographs of fruit3 if those of other sizes count, too
SAID = 500  # characters of an error that are kept


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
        """Return how many images an epoch has, with copies and extra images.

        Args:
            validated: whether images are put aside to validate; the studies themselves put none aside.
        """
        aside = config.test_fraction if self.test else 0
        if validated and not getattr(config, "val_is_test", False):
            aside += config.val_fraction
        images = ALL_SIZES if getattr(config, "all_sizes", False) else self.images
        copies = COPIES if getattr(config, "eightfold", "none") != "none" else 1
        extra = sum(one.count for one in getattr(config, "rounds", ()) if reaugment.ARMS[config.arm].extra)
        return round(images * (1 - aside)) * copies + extra


BASELINES = {"cnn": baselines.fruit3_cnn, "mlp": baselines.fruit3_mlp, "cnn5": baselines.retail258_cnn}


def named_net(config, classes):
    size = {"num_classes": getattr(config, "head_classes", 0) or classes, "image_size": config.image_size}
    if config.net in BASELINES:
        return BASELINES[config.net](**size)
    return backbones.classifier(config.net, weights="none", **size)


def attention_net(config, classes):
    return attention_nets.build(dataclasses.replace(config, weights="none"), classes)


def conv_net(config, classes):
    return convnets.convnet(num_classes=classes, image_size=config.image_size, width=config.width, kernel=config.kernel)


STUDIES = {
    "imagenet20": Study(20, 13_543, conv_net),
    "fruit3": Study(3, 4_141, named_net),
    "retail258": Study(258, 12_607, named_net),
    "cub200": Study(200, 5_994, named_net, test=False),
    "competition100": Study(100, 6_667, attention_net, test=False),  # FGVC-Aircraft's, on which the study began
}
# kind of net -> (recipe, row, seconds that the study gives). imagenet20's notebook shows 45 s for an epoch of ConvNet 1
# on a GPU of Google Colab; None: the minutes on a T4 that fruit3's report prints, which are with the row.
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
    if name in BASELINES:
        return "lenet"
    return next((one for one in ("convnet", "vgg", "efficientnet") if name.startswith(one)), "resnet")


def macs(recipe: str, config) -> float:
    """Return the multiplications of a forward pass in training, for one image and with the study's classes."""
    study = STUDIES[recipe]
    model = catalogue.shapes_only(lambda: study.build(config, study.classes))
    count = catalogue.macs(model)  # of MMAL-Net: of the image and the object, from which it answers
    if getattr(config, "net", "") == "mmal":  # it learns from parts, too, which have half the side
        count *= (2 + model.training_graph().get_layer("part_boxes").parts / 4) / 2
    return count


def passes(config, epochs: int) -> int:
    """Return how often each image of an epoch goes through the net, a backward pass counted like a forward one.

    Where nothing before the head changes and the pictures are the same in each epoch, features are computed once.
    Where the last block learns, gradients go back through the whole trunk to the batch normalisations; but kernels
    have some in that block alone.
    """
    frozen = getattr(config, "freeze", "none")
    if frozen == "head":
        alike = getattr(config, "batch_norm", "frozen") == "frozen" and getattr(config, "policy", None) is None
        alike &= getattr(config, "mixing", "none") == "none" and getattr(config, "eightfold", "none") == "none"
        return 1 if alike else epochs
    return epochs * (2 if frozen.startswith("last-block") else 3)


def rates() -> dict[str, float]:
    """Return kind of net -> multiplications a second on the studies' GPUs."""
    found = {}
    for name, (recipe, row, seconds) in RATED.items():
        config, reported = rows_of(recipe)[row].config, rows_of(recipe)[row].reported
        times = passes(config, reported.get("epochs") or config.epochs)
        done = macs(recipe, config) * times * STUDIES[recipe].training_images(config, validated=False)
        found[name] = done / (seconds or 60 * reported["minutes"])
    return found


def rows_of(recipe: str) -> dict:
    return recipes.named(recipe).rows


def measured(recipe: str) -> set[str]:
    """Return the rows that have a result, at whatever settings."""
    return {result["row"] for result in results_file.read(RECIPES / recipe)}


def ran_once(recipe: str) -> set[str]:
    """Return the rows that have run from photographs to a report without pretrained weights."""
    path = RECIPES / recipe / "ran.jsonl"
    return {json.loads(line)["row"] for line in path.read_text().splitlines()} if path.is_file() else set()


def table(recipe: str) -> str:
    """Return the Markdown table of a recipe's rows."""
    speed, known = rates(), {}
    header = ("row", "pixels", "10⁹ multiplications an image", "images of an epoch", "epochs, at most", "hours")
    out = [f"| {' | '.join(header)} | state |", "|---" * (len(header) + 1) + "|"]
    results, ran = measured(recipe), ran_once(recipe)
    for name, row in rows_of(recipe).items():
        config, images = row.config, STUDIES[recipe].training_images(row.config)
        net = (getattr(config, "net", ""), getattr(config, "backbone", ""), config.image_size)
        if net not in known:
            known[net] = macs(recipe, config)
        hours = known[net] * passes(config, config.epochs) * images / speed[kind(config)] / 3600
        state = "measured" if name in results else "runs" if name in ran else "not tried"
        height, width = config.image_size
        cells = (name, f"{height} x {width}", f"{known[net] / 1e9:.2f}", f"{images:,}", config.epochs, rounded(hours))
        out.append(f"| {' | '.join(map(str, cells))} | {state} |")
    return "\n".join(out)


def rounded(value: float) -> str:
    """Return a number with two significant digits."""
    return f"{float(f'{value:.2g}'):,g}"


def few(root, into: pathlib.Path, *, classes: int, per_class: int) -> int:
    """Fill a folder with links to the first photographs of the first classes; return how many they are."""
    index = folder.scan(root)
    index = at_most(index.take((index.labels < classes).nonzero()[0]), per_class)
    for number, (path, label) in enumerate(zip(index.full_paths(), index.labels, strict=True)):
        place = into / index.classes[label] / f"{number}-{pathlib.Path(path).name}"
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(pathlib.Path(path).resolve())
    return len(index)


def run(recipe: str, row: str, photographs: pathlib.Path, scratch: pathlib.Path) -> None:
    """Let a row run from photographs to its report, for an epoch and without pretrained weights.

    Raises:
        InputError: it did not; the message is what it said last.
    """
    config = rows_of(recipe)[row].config
    words = [sys.executable, "-m", f"kfg.recipes.{recipe}", "--data", photographs, "--out", scratch, "--rows", row]
    words += ["--epochs", "1"]
    words += ["--weights", "none"] if hasattr(config, "weights") else []
    words += ["--set", "min_support=1"] if hasattr(config, "min_support") else []
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode or not (run_files.run_folder(scratch, recipe, row, 0) / run_files.PAGE).is_file():
        raise InputError(f"{recipe} {row} did not run: {(done.stderr or done.stdout).strip()[-SAID:]}")


def run_all(recipe: str, names, data, *, classes: int, per_class: int) -> list[str]:
    """Let rows run once each, and write a line for each that did; return what the others said."""
    problems = []
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            photographs = pathlib.Path(scratch, "photographs")
            photographs.mkdir()
            count = few(data, photographs, classes=classes, per_class=per_class)
            try:
                run(recipe, name, photographs, pathlib.Path(scratch, "runs"))
            except InputError as error:
                problems.append(str(error))
                continue
        line = {"recipe": recipe, "row": name, "data": data.resolve().name, "photographs": count, "epochs": 1}
        add(RECIPES / recipe / "ran.jsonl", line | {"commit": provenance.commit()})
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=STUDIES)
    parser.add_argument("--run", type=pathlib.Path, metavar="DIR", help="photographs on which rows run once")
    parser.add_argument("--rows", default="", help="names, separated by commas (default: all without a result)")
    parser.add_argument("--classes", type=int, default=8, help="of DIR, the first (default: %(default)s)")
    parser.add_argument("--per-class", type=int, default=12, metavar="N", help="photographs (default: %(default)s)")
    args = parser.parse_args()
    if args.run is None:
        print(table(args.recipe))
        return 0
    known = rows_of(args.recipe)
    wanted = args.rows.split(",") if args.rows else [name for name in known if name not in measured(args.recipe)]
    if unknown := set(wanted) - set(known):
        parser.error(f"--rows: {', '.join(sorted(unknown))}: none of {', '.join(known)}")
    wanted = [name for name in wanted if name not in ran_once(args.recipe)]
    problems = run_all(args.recipe, wanted, args.run, classes=args.classes, per_class=args.per_class)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
