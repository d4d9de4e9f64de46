"""retail258: 258 classes of 1 to 80 photographs at 128 px; deep nets from scratch, and what helps rare classes.

Run       python -m kfg.recipes.retail258 --data DIR --out DIR [--rows lite0,lite0-adjusted] [--seeds 0,1,2]
Data      DIR/<class>/*.jpg, any classes of unequal size; the study's were 12,607 images, 10,000 of them to train
Expected  the table in recipes/retail258/README.md; rows in recipes/retail258/results.jsonl
Source    S. Nagar, "Fine grained classification", and its repository
"""

if __name__ == "__main__":  # before the imports below, which take seconds
    from kfg import program

    program.begin()

import dataclasses
import io

from PIL import Image

from kfg.augment.crops import ResizedCrop
from kfg.augment.views import Changed
from kfg.data import stats
from kfg.data.part import Part
from kfg.engine import runner
from kfg.engine.fitting import train
from kfg.engine.options import within
from kfg.engine.recipe import Demonstration, Recipe, Row
from kfg.evaluation import posthoc, rare
from kfg.models import backbones, baselines, freezing
from kfg.training import optimizers
from kfg.training.coupled import CoupledSGD
from kfg.training.losses import CrossEntropy, class_balanced_weights, log_prior
from kfg.training.schedules import StepLR

PRINTED_STATS = ("the study", "0.4829, 0.4329, 0.3960", "", "0.2112, 0.1898, 0.1821")

LIMITS = (
    ("head_classes", 0, 100_000), ("batch_size", 1, 65536), ("epochs", 1, 100_000), ("learning_rate", 1e-9, 1e3),
    ("momentum", 0, 0.9999), ("weight_decay", 0, 1e3), ("rate_step", 1, 100_000), ("rate_factor", 1e-6, 1),
    ("adam_epsilon", 1e-12, 1),
    ("beta", 0, 0.999999), ("tau", 1e-3, 100), ("rare_limit", 1, 100_000), ("test_fraction", 0.01, 0.9),
    ("val_fraction", 0.01, 0.9), ("split_seed", 0, 2**31),
)  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda config: CoupledSGD(
        learning_rate=config.learning_rate, momentum=config.momentum, decay=config.weight_decay
    ),
    "adam": lambda config: optimizers.Adam(learning_rate=config.learning_rate, epsilon=config.adam_epsilon),
}
LOSSES = {  # name -> function (config, number of training images of each class) -> loss; None: plain cross-entropy
    "plain": lambda config, counts: None,
    "weighted": lambda config, counts: CrossEntropy(class_weights=class_balanced_weights(counts, beta=config.beta)),
    "adjusted": lambda config, counts: CrossEntropy(log_prior=log_prior(counts), tau=config.tau),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    net: str = "resnet50"  # cnn5 or a trunk of kfg.models.backbones
    image_size: tuple[int, int] = (128, 128)  # pixels
    crop_from: tuple[int, int] = (160, 160)  # pixels of the images from which training crops are cut
    policy: ResizedCrop | None = ResizedCrop(horizontal_flip=True, vertical_flip=True)  # noqa: RUF009 - frozen
    random_test: bool = False  # whether to test on random crops too, as the study does
    head_classes: int = 0  # number of outputs; 0: one for each class. The study left torch's 1000
    weights: str = "none"  # none: from scratch; or imagenet or a file
    freeze: str = "none"  # a policy of kfg.models.freezing
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9  # of sgd
    weight_decay: float = 1e-4  # of sgd; coupled, as in torch
    adam_epsilon: float = 1e-7  # of adam; torch's, and the study's, is 1e-8
    rate_step: int = 30  # epochs
    rate_factor: float = 0.1  # factor on the learning rate every rate_step epochs
    loss: str = "plain"
    beta: float = 0.999  # of the weighted loss
    tau: float = 1.0  # of the adjusted loss
    sampling: str | None = None  # None, balanced or square-root
    batch_size: int = 64  # images
    epochs: int = 100  # all are trained; the last weights are kept, as in the study
    rare_limit: int = 20  # images, all parts together; a class with fewer is rare
    test_fraction: float = 0.207  # of all images: 2,607 of 12,607
    val_fraction: float = 0.1  # of all images; the study has none
    split_seed: int = 0

    def __post_init__(self):
        within(self, LIMITS)
        for name, known in (("optimizer", OPTIMIZERS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")


SCRATCH = Config()
LITE = Config(
    net="efficientnet-lite0",
    weights="imagenet",
    freeze="head",
    image_size=(224, 224),
    policy=None,
    optimizer="adam",
    learning_rate=1e-3,
    rate_step=20,
    epochs=40,
)


def scratch(**changes):
    return dataclasses.replace(SCRATCH, **changes)


def lite(**changes):
    return dataclasses.replace(LITE, **changes)


NO_FIGURE = "the report names it in its conclusion and gives no figure; "
NO_CODE = NO_FIGURE + "its repository has no code for it"
OTHER_VGG = (
    NO_FIGURE + "its code can train torch's, which has two dense layers of 4,096 with dropout; ours has average "
    "pooling in their place; without batch norm a learning rate of 0.1 is too high"
)
OURS = "our row: a head on frozen features of EfficientNet-Lite0, "
ROWS = {
    "cnn5": Row(
        scratch(net="cnn5", policy=None, learning_rate=1e-3, weight_decay=0.0),
        {"top1": 0.70},
        note="the report's baseline; learning rate and momentum are those of the tutorial from which the network comes",
    ),
    "resnet50": Row(
        SCRATCH,
        {
            "top1": 0.91, "top5": 0.95, "average": 0.92, "train_top1": 0.95, "train_top5": 0.99, "train_average": 0.95,
            "loss": 0.3322, "logged_top1": (0.9022, 0.8934, 0.9110, 0.8964), "logged_top5": (0.979, 0.986),
        },
    ),
    "resnet50-1000way": Row(scratch(head_classes=1000), note="as in the study's code: 1000 outputs for 258 classes"),
    "resnet50-random-test": Row(
        scratch(random_test=True), note="as in the study: the test images are also random crops, some upside down"
    ),
    "resnet50-256": Row(
        scratch(image_size=(256, 256), crop_from=(288, 288)), {"loss": 0.6592},
        note="known only from the legend of the report's plots, lmz_size_256_e_100",
    ),
    "resnet50-adam": Row(
        scratch(optimizer="adam", learning_rate=1e-3, adam_epsilon=1e-8), {"top1": 0.714, "best_top1": 0.728},
        note="from the study's logs; its learning rate is not known",
    ),
    "inception-v3": Row(
        scratch(net="inception-v3"), {"top1": 0.8853, "top5": 0.9804, "loss": 0.5148, "best_top1": 0.8922},
        note="top-1 and top-5 are from the study's logs, the loss from the report's plot",
    ),
    "inception-resnet-v2": Row(scratch(net="inception-resnet-v2"), note=NO_CODE),
    "vgg16": Row(scratch(net="vgg16", learning_rate=0.01), note=OTHER_VGG),
    "vgg19": Row(scratch(net="vgg19", learning_rate=0.01), note=OTHER_VGG),
    "lite0": Row(LITE, note=OURS + "plain cross-entropy"),
    "lite0-weighted": Row(lite(loss="weighted"), note=OURS + "class-balanced weights"),
    "lite0-balanced": Row(lite(sampling="balanced"), note=OURS + "every class shown equally often"),
    "lite0-square-root": Row(lite(sampling="square-root"), note=OURS + "classes shown by the root of their size"),
    "lite0-adjusted": Row(lite(loss="adjusted"), note=OURS + "logit-adjusted loss"),
}  # fmt: skip


def run(config, job):
    """Train, test and export once; return the content of report.json."""
    index = job.data.index
    if config.head_classes > len(index.classes):
        spare = tuple(f"(unused {i})" for i in range(len(index.classes), config.head_classes))
        index = dataclasses.replace(index, classes=index.classes + spare)
    index = job.split(index, val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)
    images = job.data.images(config.image_size)
    policy = config.policy and dataclasses.replace(config.policy, image_size=config.image_size)
    larger = job.data.images(config.crop_from) if policy else images
    training = index.where("train")
    measured = stats.measure(images, training)
    counts = index.take(training).counts()
    job.compile(
        lambda: build(config, len(index.classes), measured),
        optimizer=lambda: OPTIMIZERS[config.optimizer](config),
        loss=LOSSES[config.loss](config, counts),
        batch_size=config.batch_size,
    )
    train(
        job,
        Part.of(index, larger, "train"),
        Part.of(index, images, "val"),
        batch_size=config.batch_size,
        epochs=config.epochs,
        policy=policy,
        sampling=config.sampling,
        schedule=StepLR(step=config.rate_step, gamma=config.rate_factor),
    )
    changed = Changed(larger, policy, seed=job.seed) if policy else images
    return job.finish(
        index,
        changed if config.random_test else images,
        batch_size=config.batch_size,
        sections=data_sections(measured, stats.measure(changed, training) if policy else None),
        examine=lambda val, test: examine(config, index, val, test),
    )


def build(config, num_classes, measured):
    """Return the baseline, with the data set's own mean and deviation, or a trunk with one dense layer."""
    size = {"num_classes": num_classes, "image_size": config.image_size}
    if config.net == "cnn5":
        return baselines.retail258_cnn(**size, mean=tuple(measured.mean / 255), std=tuple(measured.std / 255))
    model = backbones.classifier(config.net, **size, weights=config.weights)
    freezing.apply(model, config.freeze)
    return model


def data_sections(measured, of_crops):
    """Return sections for the report on the training images: mean, deviation and mean image."""
    rows = [("training images", "mean R, G, B in [0, 1]", "standard deviation", "mean of the images' own")]
    for name, found in (("as they are", measured), ("as random crops", of_crops)):
        if found is not None:
            shown = (found.mean, found.std, found.mean_of_image_stds)
            rows.append((name, *(", ".join(f"{value / 255:.4f}" for value in values) for values in shown)))
    picture = io.BytesIO()
    Image.fromarray(measured.mean_image.round().astype("uint8")).save(picture, "PNG")
    return [("Mean and deviation", [*rows, PRINTED_STATS]), ("Mean image", picture.getvalue())]


def examine(config, index, val, test):
    """Return the figures and report sections on rare classes, and on what the study calls average accuracy."""
    judged = rare.judge(test, index.counts(), limit=config.rare_limit)
    figures = {
        f"{name}_accuracy": {key: judged[name][key] for key in ("value", "low", "high")} for name in ("rare", "other")
    }
    average = rare.average_of_batches(test, batch_size=config.batch_size)
    figures["average_of_batches"] = {"value": average, "low": None, "high": None}
    text = (
        f"The study prints an average and does not say what it averages. The mean over batches of {config.batch_size}, "
        f"as scripts print it, is {100 * average:.1f}%; the mean over the classes is the macro recall above."
    )
    sections = [("Rare classes, on the test set only", rare.rare_rows(judged)), ("Average accuracy", text)]
    if config.loss == "plain" and config.sampling is None:  # the other losses and samplings are adjusted already
        gain, rows = adjusted_afterwards(index.take(index.where("train")).counts(), val, test)
        figures["posthoc_gain"] = gain
        sections.append(("Logit adjustment after training", rows))
    return figures, sections


def adjusted_afterwards(counts, val, test):
    """Return the gain in macro recall from post-hoc logit adjustment, and a table of figures before and after."""
    prior = log_prior(counts)
    tau = posthoc.choose({tau: posthoc.adjusted(val, prior, tau=tau) for tau in posthoc.GRID})
    after = posthoc.adjusted(test, prior, tau=tau)
    gain = posthoc.gain(test, after)
    rows = [(f"test images; tau {tau}, chosen on validation images", "before", "after")]
    before, changed = posthoc.figures(test, counts), posthoc.figures(after, counts)
    for name, value in before.items():
        if value is not None:
            rows.append((name.replace("_", " "), f"{100 * value:.1f}%", f"{100 * changed[name]:.1f}%"))
    bounds = f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}"
    return gain, [*rows, ("gain in macro recall, points, 95% paired", f"{100 * gain['value']:+.1f}", bounds)]


RECIPE = Recipe(
    name="retail258",
    description=__doc__,
    rows=ROWS,
    default_rows=("lite0", "lite0-adjusted"),
    run=run,
    quick={"epochs": 20, "rate_step": 8},
    smoke={"image_size": (75, 75), "crop_from": (80, 80), "weights": "none", "epochs": 1, "batch_size": 32},
    demo=Demonstration(
        does="trains a head on a pretrained EfficientNet-Lite0 with the plain loss and with the loss adjusted to "
        "classes of unequal size",
        rows=("lite0", "lite0-adjusted"),
        settings={"image_size": (96, 96), "crop_from": (96, 96)},
        epochs=20,
    ),
    caveat=(
        "The study's test images are random crops and its figures are from single runs; its top-5 is from the last "
        "batch."
    ),
    errata=(
        ("test top-5 95%", "97.9 to 98.6% in its logs; 95 is only the last batch, 45 of 47 images"),
        ("mean and std of the data set", "the mean of per-image standard deviations, of random crops"),
        (
            "VGG16, VGG19, InceptionResNet V2, dropout",
            "there are figures and logs of ResNet-50 and Inception v3 only; the code can train VGG, but no "
            "InceptionResNet",
        ),
        ("258 classes", "1000 outputs, of which 742 are never used"),
        ("accuracy of classes of fewer than 20 images", "measured on training and test images, only full batches"),
        ("area under the ROC curve", "there is no code for it"),
        (
            "test accuracy",
            "measured on one random crop of each test image, perhaps upside down and different each time",
        ),
    ),
)


if __name__ == "__main__":
    raise SystemExit(runner.main(RECIPE))
