"""Trainings small enough to be killed by the dozen: drawn photographs and the commands that work on them."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (210, 50, 40)}
TRAIN = (
    "backbone=tiny", "image_size=(32, 32)", "head_epochs=3", "epochs=3", "views=1", "batch_size=16", "min_errors=0",
)  # fmt: skip
CONVNET = ("--smoke", "--set", "width=0.05", "--epochs", "4")


def write_photos(root, *, per_class: int = 12, size=(50, 40), classes=COLOURS) -> pathlib.Path:
    """Write small noisy JPEGs, one colour per class."""
    rng, root = np.random.default_rng(0), pathlib.Path(root)
    for name, colour in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            noise = rng.normal(0, 40, (*size, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.jpg")
    return root


@dataclasses.dataclass(frozen=True)
class Workload:
    """A command that trains.

    Args:
        name: what tables call it.
        words: of the command, for a data folder and an output folder.
        resume: words that are added after a kill.
        runs: run folders it makes, relative to the output folder.
    """

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...]
    runs: tuple[str, ...]

    def command(self, data, out, *, resume: bool = False) -> list[str]:
        filled = [{"DATA": str(data), "OUT": str(out)}.get(word, word) for word in self.words]
        return [*filled, *(self.resume if resume else ())]


def train(*settings, seeds: int = 1) -> Workload:
    """Return `kfg train` with the tiny trunk and a budget that is never reached, so that no clock decides."""
    words = ["kfg", "train", "DATA", "--out", "OUT", "--weights", "none", "--time-budget", "10h"]
    for setting in (*TRAIN, *settings):
        words += ["--set", setting]
    if seeds > 1:
        words += ["--seeds", str(seeds)]
    runs = tuple(f"folder/transfer/seed-{seed}" for seed in range(seeds))
    return Workload("kfg train", tuple(words), ("--resume",), runs)


def recipe(*, rows: str = "convnet1", seeds: str = "0") -> Workload:
    """Return the recipe imagenet20 at its smallest."""
    words = ("-m", "kfg.recipes.imagenet20", "--data", "DATA", "--out", "OUT", "--rows", rows, "--seeds", seeds)
    runs = tuple(f"imagenet20/{row}/seed-{seed}" for seed in seeds.split(",") for row in rows.split(","))
    return Workload("recipe", (*words, *CONVNET), ("--resume",), runs)


def search(*, trials: int = 3) -> Workload:
    """Return a search over imagenet20's net, and the training of its winner; the same command goes on with it."""
    words = [
        "-m",
        "kfg.search",
        "imagenet20",
        "--data",
        "DATA",
        "--out",
        "OUT",
        "--max-trials",
        str(trials),
        "--finish",
    ]
    for setting in ("width=0.05", "dense_width=1.0", "batch_size=32", "image_size=(40, 37)", "epochs=2"):
        words += ["--set", setting]
    return Workload("search", tuple(words), (), ("imagenet20/convnet-searched/seed-0",))
