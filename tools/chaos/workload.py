"""Workloads that are small enough to be killed dozens of times: drawn photographs, and commands that train on them."""

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
    """Write small noisy JPEGs, with one colour for each class; return `root`."""
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
        name: its name in tables.
        words: words of the command, with DATA and OUT in place of the data folder and the output folder.
        resume: words that are added after a kill.
        runs: run folders that it makes, relative to the output folder.
        files: other files that it writes, which must be equal however often it was interrupted.
    """

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...]
    runs: tuple[str, ...]
    files: tuple[str, ...] = ()

    def command(self, data, out, *, resume: bool = False) -> list[str]:
        filled = [{"DATA": str(data), "OUT": str(out)}.get(word, word) for word in self.words]
        filled = [f"{out}{word.removeprefix('OUT')}" if word.startswith("OUT/") else word for word in filled]
        return [*filled, *(self.resume if resume else ())]


def train(*settings, seeds: int = 1) -> Workload:
    """Return `kfg train` with the tiny trunk and a time budget that is never reached, so that time has no influence."""
    words = ["kfg", "train", "DATA", "--out", "OUT", "--weights", "none", "--time-budget", "10h"]
    for setting in (*TRAIN, *settings):
        words += ["--set", setting]
    if seeds > 1:
        words += ["--seeds", str(seeds)]
    runs = tuple(f"folder/transfer/seed-{seed}" for seed in range(seeds))
    return Workload("kfg train", tuple(words), ("--resume",), runs)


def repair() -> Workload:
    """Return `kfg repair` for the run that `train` makes, with a time budget that is never reached."""
    run = train().runs[0]
    words = ("kfg", "repair", f"OUT/{run}", "--data", "DATA", "--target", "1", "--time-budget", "10h")
    files = tuple(f"{run}/repair/{name}" for name in ("suspects.csv", "repair.json"))
    return Workload("kfg repair", words, ("--resume",), (run, "folder/repaired/seed-0"), files)


def recipe(*, rows: str = "convnet1", seeds: str = "0") -> Workload:
    """Return the recipe imagenet20 with its smallest settings."""
    words = ("-m", "kfg.recipes.imagenet20", "--data", "DATA", "--out", "OUT", "--rows", rows, "--seeds", seeds)
    runs = tuple(f"imagenet20/{row}/seed-{seed}" for seed in seeds.split(",") for row in rows.split(","))
    return Workload("recipe", (*words, *CONVNET), ("--resume",), runs)


def search(*, trials: int = 3) -> Workload:
    """Return a search over imagenet20's net that ends with training the winner; the same command resumes it."""
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
