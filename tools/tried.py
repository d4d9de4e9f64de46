"""Measure changes to the fine-tuning of `kfg train` on photographs, each beside the recipe itself.

    python tools/tried.py DIR --cache DIR [--tries recipe,sam,...] [--seeds 0,1,2] [--epochs 4] [--out FILE]

A head is trained as in the recipe, then the network is fine-tuned with one thing changed (TRIES): the image size, the
aspect ratio, the strength of the augmentation, mixed images, which stages learn, the trunk, how the optimiser steps
(SAM), or the labels (distilled). Seconds are those of fine-tuning alone: what takes longer has to be worth it. Each try
and seed adds a row to the results file, with the answers on single photographs and averaged with those on their mirror
images. `--table FILE` prints the table of a results file. With `--epochs 0` nothing is fine-tuned: the heads alone are
compared, which is what `kfg train` keeps on small folders.

All figures are of test photographs, so whoever chooses a recipe by them has chosen with these photographs in view.
"""

import collections
import concurrent.futures
import dataclasses
import math
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps
from remedies import add, command_line, divided, processor, read

from kfg.augment import draws, mixing
from kfg.augment.policies import Policy
from kfg.data import stores
from kfg.data.decode import decode
from kfg.data.index import Index, fingerprint
from kfg.data.part import Part
from kfg.data.resizing import resize
from kfg.engine import fitting, planning, provenance
from kfg.models import halves
from kfg.recipes.folder_parts import classifier, fine_tuning_optimizer, head_optimizer, views_of
from kfg.recipes.folder_settings import AUGMENTED, Config
from kfg.repairing import crossed
from kfg.repairing.manner import Manner, shifted
from kfg.repairing.trunks import Trunk
from kfg.training import features, fit, imbalance
from kfg.training.schedules import Cosine

RESULTS = pathlib.Path(__file__).parent.parent / "recipes/folder/tried.jsonl"
TEACHER = 0.5  # share of the teacher's answers in the labels of "distilled"
RANDAUGMENT = 0x72616E64  # purpose number for the derived seed of RandAugment
RHO = 0.05  # SAM: length of the step to the sharper weights


def augmented(strength: float):
    """Return the recipe's augmentation with all ranges `strength` times as wide."""
    own = {name: strength * getattr(AUGMENTED, name) for name in ("rotation", "width_shift", "height_shift", "zoom")}
    low, high = (1 + strength * (bound - 1) for bound in AUGMENTED.brightness)
    return dataclasses.replace(AUGMENTED, brightness=(low, high), **own)


def _affine(image, *matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


# Kinds of change of RandAugment; x in [-1, 1] is direction and strength, drawn anew for each change.
CHANGES = (
    lambda image, x: image,
    lambda image, x: ImageOps.autocontrast(image),
    lambda image, x: ImageOps.equalize(image),
    lambda image, x: ImageOps.solarize(image, round(256 - 255 * abs(x))),
    lambda image, x: ImageOps.posterize(image, round(8 - 4 * abs(x))),
    lambda image, x: image.rotate(30 * x, Image.Resampling.BILINEAR),
    lambda image, x: _affine(image, 1, 0.3 * x, -0.15 * x * image.height, 0, 1, 0),
    lambda image, x: _affine(image, 1, 0, 0, 0.3 * x, 1, -0.15 * x * image.width),
    lambda image, x: _affine(image, 1, 0, 0.45 * x * image.width, 0, 1, 0),
    lambda image, x: _affine(image, 1, 0, 0, 0, 1, 0.45 * x * image.height),
    *(
        lambda image, x, kind=kind: kind(image).enhance(1 + 0.9 * x)
        for kind in (ImageEnhance.Color, ImageEnhance.Contrast, ImageEnhance.Brightness, ImageEnhance.Sharpness)
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandAugmented:
    """A policy: the recipe's mirroring, and then two of CHANGES.

    Args:
        strength: the largest share of each change's range.
    Source: Cubuk et al. 2020, arXiv:1909.13719.
    """

    strength: float

    def apply(self, images, labels, *, seed, epoch, positions):
        mirrored = Policy(horizontal_flip=True).apply(images, labels, seed=seed, epoch=epoch, positions=positions)
        drawn = draws.uniforms(draws.derived_seed(seed, RANDAUGMENT), epoch=epoch, positions=positions, count=4)
        return np.stack([self._changed(image, one.reshape(2, 2)) for image, one in zip(mirrored, drawn, strict=True)])

    def _changed(self, pixels, drawn) -> np.ndarray:
        image = Image.fromarray(pixels)
        for kind, x in drawn:
            image = CHANGES[int(kind * len(CHANGES))](image, self.strength * (2 * x - 1))
        return np.asarray(image)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Try:
    """One change to the recipe.

    Args:
        settings: changed settings of kfg.recipes.folder_settings.Config.
        aspect: how photographs are made square: "squashed", "cropped" or "padded" with their border pixels.
        sam: whether each step is taken by the gradient a step further up (Foret et al. 2021, arXiv:2010.01412).
        distilled: whether half of each label is the answer of heads on two trunks that have not seen the photograph.
        stored: whether the last stage alone learns, on stored outputs of the stage before it, with the head's views.
        of_head: whether the change makes another head, so that heads alone can be compared.
        averaged: share of the steps over which the weights are averaged; 0: as the settings say, whatever the steps.
    """

    settings: dict = dataclasses.field(default_factory=dict)
    aspect: str = "squashed"
    sam: bool = False
    distilled: bool = False
    stored: bool = False
    averaged: float = 0.0
    of_head: bool = False


TRIES = {
    "recipe": Try(of_head=True),
    "all stages": Try(settings={"freeze": "none"}),
    "eight views": Try(settings={"views": 8}, of_head=True),
    "last stage": Try(settings={"freeze": "stages:1"}),
    "last stage on stored outputs": Try(stored=True),
    "last three stages": Try(settings={"freeze": "stages:3"}),
    "288 pixels": Try(settings={"image_size": (288, 288)}, of_head=True),
    "320 pixels": Try(settings={"image_size": (320, 320)}, of_head=True),
    "cropped": Try(aspect="cropped", of_head=True),
    "padded": Try(aspect="padded", of_head=True),
    "half the augmentation": Try(settings={"policy": augmented(0.5)}, of_head=True),
    "twice the augmentation": Try(settings={"policy": augmented(2)}, of_head=True),
    "RandAugment": Try(settings={"policy": RandAugmented(strength=0.3)}, of_head=True),
    "RandAugment twice as strong": Try(settings={"policy": RandAugmented(strength=0.6)}, of_head=True),
    "weights averaged over a tenth of the steps": Try(averaged=0.1),
    "weights averaged over a twentieth of the steps": Try(averaged=0.05),
    "mixup": Try(settings={"mixing": "mixup"}),
    "cutmix": Try(settings={"mixing": "cutmix"}),
    "sam": Try(sam=True),
    "distilled": Try(distilled=True),
    "Lite1 at 256 pixels": Try(settings={"backbone": "efficientnet-lite1"}, of_head=True),
    "Lite2 at 260 pixels": Try(settings={"backbone": "efficientnet-lite2", "image_size": (260, 260)}, of_head=True),
    "two trunks": Try(settings={"second_backbone": "efficientnet-lite2", "freeze": "none"}, of_head=True),
}


def square(image, size: int, aspect: str) -> np.ndarray:
    """Return an image as a square, uint8 (size, size, 3).

    Args:
        image: uint8 (H, W, 3).
        aspect: as for Try.
    """
    image = np.asarray(image)
    height, width = image.shape[:2]
    if aspect == "cropped":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = np.ascontiguousarray(image[top : top + side, left : left + side])
    if aspect == "padded":
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        image = np.pad(image, ((top, side - height - top), (left, side - width - left), (0, 0)), mode="edge")
    return resize(image, (size, size))


def pictures(index: Index, size: int, aspect: str) -> stores.Images:
    """Return a store of all photographs of an index, in memory."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda path: square(decode(path), size, aspect), index.full_paths()))
    return stores.Images(np.stack(images), key=f"{fingerprint(index)} {size} {aspect}")


@keras.saving.register_keras_serializable(package="kfg_tools")
class Sharpness(keras.Model):
    """A model whose training steps are those of SAM: by the gradient at the worst weights nearby."""

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        first, _, loss = self._gradients(x, y, weight)
        next(metric for metric in self.metrics if metric.name == "loss").update_state(loss)
        scale = RHO / (tf.linalg.global_norm(first) + 1e-12)
        moves = [scale * gradient for gradient in first]
        for variable, move in zip(self.trainable_variables, moves, strict=True):
            variable.assign_add(move)
        gradients, answers, _ = self._gradients(x, y, weight)
        for variable, move in zip(self.trainable_variables, moves, strict=True):
            variable.assign_sub(move)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.compute_metrics(x, y, answers, weight)

    def _gradients(self, x, y, weight):
        with tf.GradientTape() as tape:
            answers = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=answers, sample_weight=weight, training=True)
        return tape.gradient(loss, self.trainable_variables), answers, loss


@dataclasses.dataclass(frozen=True)
class Taught:
    """In the place of kfg.augment.mixing: part of each label is a teacher's answer; images stay as they are.

    Args:
        answers: float (N, C), the teacher's answers to the training images.
    """

    answers: np.ndarray

    def apply(self, images, labels, *, num_classes, seed, epoch, positions):
        own = np.eye(num_classes, dtype=np.float32)[np.asarray(labels)]
        return images, ((1 - TEACHER) * own + TEACHER * self.answers[np.asarray(positions)]).astype(np.float32)


def teacher(index, cache) -> np.ndarray:
    """Return answers to the training photographs by heads on two trunks that have not seen them, float32 (N, C)."""
    config, training = Config(), index.take(index.where("train"))
    rows = []
    for trunk, size in ((config.backbone, config.image_size[0]), ("efficientnet-lite2", 260)):
        net = Trunk(trunk, (size, size)).built()
        rows.append(np.array(features.cached(net, pictures(training, size, "squashed"), cache_dir=cache)))
    treatment = imbalance.chosen(config.imbalance, training.counts())["treatment"]
    manner = Manner.of(treatment, training.counts())
    answers = crossed.crossed(training, np.concatenate(rows, axis=1), manner).answers
    if manner.loss.log_prior is None:
        return answers
    return shifted(answers, np.array(manner.loss.log_prior))  # the loss compares labels with answers times the prior


@dataclasses.dataclass
class Job:
    """What kfg.engine.fitting asks of a job, without a run folder that lasts."""

    seed: int
    workdir: pathlib.Path
    model: keras.Model
    optimizer: object
    loss: object
    data: object
    fitted: object = None
    resume: bool = False
    logs: object = None
    devices: tuple = ()

    def training_begins(self) -> None:
        pass


Data = collections.namedtuple("Data", "cache_dir")


def fewer(index, per_class: int) -> Index:
    """Return the first `per_class` photographs of each class in each part, or all if `per_class` is 0."""
    places = collections.defaultdict(list)
    for position, own in enumerate(zip(index.labels.tolist(), index.parts, strict=True)):
        places[own].append(position)
    return index.take(np.sort(np.concatenate([found[: per_class or None] for found in places.values()])))


def tried(index, cache, one: Try, *, seed: int, epochs: int) -> dict:
    """Train once with a change.

    Returns:
        {"photographs": of them the net learns, "seconds": of fine-tuning, 0 without epochs, "head": top-1 of the head
        alone, and what `accuracies` returns of the net}; shares are in percent of the test photographs.
    """
    config = dataclasses.replace(Config(), **one.settings)
    keras.utils.set_random_seed(seed)
    images = pictures(index, config.image_size[0], one.aspect)
    parts = {name: Part.of(index, images, name) for name in ("train", "val", "test")}
    test = parts["test"]
    if one.averaged:
        steps = epochs * math.ceil(len(parts["train"]) / config.batch_size)
        config = dataclasses.replace(config, ema=max(0.5, 1 - 1 / (one.averaged * steps)))
    counts = index.take(index.where("train")).counts()
    loss, sampling = imbalance.treated(imbalance.chosen(config.imbalance, counts)["treatment"], counts)
    model = classifier(config, len(index.classes))
    fit.compile_classifier(model, optimizer=fine_tuning_optimizer(config)(), loss=loss)
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(seed, pathlib.Path(scratch), model, fine_tuning_optimizer(config), loss, Data(cache))
        fitting.train_head(
            job, parts["train"], parts["val"], optimizer=head_optimizer(config), loss=loss, views=views_of(config),
            workdir=job.workdir / "head", batch_size=config.head_batch_size, epochs=config.head_epochs,
            sampling=sampling, schedule=Cosine(),
        )  # fmt: skip
        reached, seconds = accuracies(answered_by(model, test, cache), test.labels), 0
        head = reached["top1"]
        if epochs:
            mixed = Taught(teacher(index, cache)) if one.distilled else mixing.named(config.mixing)
            began = time.monotonic()
            tune(job, parts["train"], parts["val"], one, config, mixed, epochs=epochs, sampling=sampling)
            seconds = round(time.monotonic() - began)
            reached = accuracies(answered_by(model, test), test.labels)
    return {"photographs": len(parts["train"]), "seconds": seconds, "head": head} | reached


def tune(job, training, validation, one: Try, config, mixed, *, epochs, sampling) -> None:
    """Fine-tune the net of a job, whose head is trained, as the recipe does but for one change."""
    learning = {
        "batch_size": config.batch_size,
        "epochs": epochs,
        "sampling": sampling,
        "schedule": Cosine(warmup_epochs=0.5, final_fraction=0.02),
    }
    if one.stored:
        after = planning.last_stage_but_one(config.backbone)
        own = {"optimizer": job.optimizer, "loss": job.loss, "views": views_of(config), "after": after}
        job.data = Data(job.workdir)  # so that the seconds of each seed hold the computing of the outputs
        fitting.train_head(job, training, validation, **own, **learning)
        return
    learner = halves.learning(job.model)
    if one.sam:
        learner = Sharpness(learner.input, learner.output)
    fit.compile_classifier(learner, optimizer=job.optimizer(), loss=job.loss)
    fitting.fit_on(job, training, validation, model=learner, policy=config.policy, mixing=mixed, **learning)


def answered_by(model, test: Part, cache=None) -> list[np.ndarray]:
    """Return the answers of a net to the test photographs and to their mirror images, float32 (N, C) each.

    Args:
        cache: folder of cached features; with it, only the net's head may have been trained.
    """
    mirrored = stores.Images(test.images[:, :, ::-1], key=f"{test.store.key} mirrored")
    if cache is None:
        return [model.predict(images, batch_size=64, verbose=0) for images in (test.images, mirrored.array)]
    trunk, head = halves.front(model), halves.rest(model)
    own = features.cached(trunk, test.store.store, cache_dir=cache)[test.store.positions]
    return [head.predict(rows, verbose=0) for rows in (own, features.cached(trunk, mirrored, cache_dir=cache))]


def accuracies(told, labels) -> dict:
    """Return top-1 and macro recall, and top-1 with averaged mirror images, in percent.

    Args:
        told: result of `answered_by`.
        labels: int (N,).
    """
    right, mirrored = told[0].argmax(axis=1) == labels, sum(told).argmax(axis=1) == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    shares = {"top1": right.mean(), "macro recall": np.mean(recalls), "mirrored": mirrored.mean()}
    return {name: round(100 * float(value), 2) for name, value in shares.items()}


def table(results) -> str:
    """Return the table of a results file as text: mean, standard deviation and number of runs of each try."""
    lines = [
        "| data | trained on | epochs | try | head alone | top-1 | macro recall | mirror-averaged | seconds | runs |",
        "|---" * 10 + "|",
    ]
    groups = collections.defaultdict(list)
    for row in results:
        groups[row["data"], row["photographs"], row["epochs"], row["try"]].append(row)
    for key, rows in sorted(
        groups.items(), key=lambda item: (*item[0][:3], -statistics.fmean(one["top1"] for one in item[1]))
    ):
        figures = [spread([row[name] for row in rows]) for name in ("head", "top1", "macro recall", "mirrored")]
        seconds = f"{statistics.fmean(row['seconds'] for row in rows):.0f}"
        lines.append(f"| {' | '.join([*map(str, key), *figures, seconds, str(len(rows))])} |")
    return "\n".join(lines)


def spread(values) -> str:
    """Return mean and standard deviation as text."""
    return f"{statistics.fmean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def main() -> int:
    parser = command_line(__doc__, RESULTS)
    parser.add_argument(
        "--tries", help="names, separated by commas (default: all, without epochs those that make another head)"
    )
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--epochs", type=int, default=4)
    args = read(parser, table)
    if args is None:
        return 0
    names = args.tries.split(",") if args.tries else [name for name in TRIES if args.epochs or TRIES[name].of_head]
    if not set(names) <= TRIES.keys():
        parser.error(f"name tries among {', '.join(TRIES)}")
    if not args.epochs and (tuned := [name for name in names if not TRIES[name].of_head]):
        parser.error(f"--epochs 0 compares heads alone, for which these are no changes: {', '.join(tuned)}")
    index = fewer(divided(args.data, Config()), args.per_class)
    for seed in map(int, args.seeds.split(",")):
        for name in names:
            found = tried(index, args.cache, TRIES[name], seed=seed, epochs=args.epochs)
            made = {"data": args.data.name, "try": name, "seed": seed, "epochs": args.epochs, **found}
            add(args.out, made | {"processor": processor(), "commit": provenance.commit()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
