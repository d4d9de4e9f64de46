"""competition100: 100 look-alike classes with FBSD and MMAL-Net, a plain trunk beside them, and the contest's answer.

Run       python -m kfg.recipes.competition100 --data DIR --out DIR [--rows fbsd,mmal] [--init-from RUN]
Data      DIR/train/ID_name/*.jpg with a flat DIR/test (the contest's), or any layout that kfg audit takes
Expected  the table in recipes/competition100/README.md; rows in recipes/competition100/results.jsonl
Source    the report of a student competition's team and its repository; Song & Yang 2021, arXiv:2103.02782 (FBSD);
          Zhang et al. 2020, arXiv:2003.09150 (MMAL-Net)
"""

if __name__ == "__main__":  # before the imports below, which take seconds
    from kfg import program

    program.begin()

import dataclasses

import keras

from kfg.augment.policies import Policy
from kfg.data.part import Part
from kfg.engine import lenders, runner
from kfg.engine.fitting import fit_on
from kfg.engine.options import within
from kfg.engine.recipe import Demonstration, Recipe, Row
from kfg.evaluation.metrics import wilson
from kfg.models import attention_nets as nets
from kfg.models.transfer import begin_from
from kfg.training import optimizers
from kfg.training.coupled import CoupledSGD
from kfg.training.schedules import Cosine, CyclicCosine, MultiStep

# FBSD crops 448 pixels from an image of 550 padded by 8: here a shift by at most 59, then a crop from the middle
SHIFTED = Policy(width_shift=60, height_shift=60, horizontal_flip=True, fill_mode="constant")
JITTERED = Policy(horizontal_flip=True, brightness=(0.8, 1.2), contrast=(0.8, 1.2))  # MMAL-Net
MILD = Policy(
    rotation=15,
    width_shift=0.08,
    height_shift=0.08,
    zoom=0.15,
    brightness=(0.8, 1.2),
    horizontal_flip=True,
    fill_mode="reflect",
)
TRUNK_NORMS_STAY = "re:(?i)^(head|(?!.*(bn|batch_?norm)))"  # the trunk's stays frozen, small batches do harm

LIMITS = (
    ("dropout", 0, 0.95), ("head_width", 2, 65536), ("alpha", 0, 100), ("beta", 0, 1), ("gamma", 0, 100),
    ("fdm_scale", 0, 100), ("first_joint_epoch", 0, 100_000), ("learning_rate", 1e-9, 1e3),
    ("trunk_multiplier", 0, 1e3), ("momentum", 0, 0.9999), ("weight_decay", 0, 10), ("batch_size", 1, 65536),
    ("epochs", 1, 100_000), ("test_fraction", 0.01, 0.9), ("val_fraction", 0.01, 0.9), ("split_seed", 0, 2**31),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    net: str = "fbsd"  # a key of NETS
    backbone: str = "resnet50"  # a key of kfg.models.backbones
    weights: str = "imagenet"  # imagenet, none or a file
    init_from: str = ""  # a finished run of the same net, whose weights (except the last layers') this one starts from
    image_size: tuple[int, int] = (448, 448)  # pixels that the net sees
    crop_from: tuple[int, int] | None = None  # pixels of the image from whose middle they are cropped; None: no crop
    normalisation: str = "half"  # a key of NORMALISATIONS
    policy: Policy = SHIFTED
    freeze: str = "none"  # a policy of kfg.models.freezing
    dropout: float = 0.2  # FBSD: on the maps before the diversification; other nets: on the pooled features
    head_width: int = 1024  # FBSD: channels of each stage's map
    strip_axis: str = "height"  # FBSD: or width
    alpha: float = 0.5  # FBSD: boost
    beta: float = 0.5  # FBSD: factor on suppressed strips
    gamma: float = 1.0  # FBSD: strength of the diversification
    fdm_scale: float = 0.001  # FBSD
    pool: str = "topk5"  # FBSD: or gmp
    train_last_vote: bool = True  # FBSD: the study never trained the last layer of the concatenated head
    windows: str = "cub"  # MMAL: a key of kfg.models.mmal.WINDOWS
    first_joint_epoch: int = 1  # MMAL: epoch, counted from 0, from which object and parts have a loss
    optimizer: str = "sgd"  # a key of OPTIMIZERS
    learning_rate: float = 2e-3  # of the new layers
    trunk_multiplier: float = 0.1  # learning rate of the trunk, as a factor on that of the new layers
    momentum: float = 0.9
    weight_decay: float = 5e-4  # with sgd it passes through the momentum, as in torch; with adamw it does not
    schedule: Cosine | CyclicCosine | MultiStep = CyclicCosine()  # noqa: RUF009 - frozen
    batch_size: int = 20  # images
    epochs: int = 200  # all are trained; the last weights are kept. The study's FBSD kept those best on training images
    test_fraction: float = 0.2  # of all images, if the data has no test part
    val_fraction: float = 0.05  # of all images; watched only, decides nothing
    split_seed: int = 0

    def __post_init__(self):
        within(self, LIMITS)
        for name, known in (("net", nets.NETS), ("normalisation", nets.NORMALISATIONS), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if any(large < small for large, small in zip(self.decoded, self.image_size, strict=True)):
            raise ValueError(f"crop_from: must be at least image_size {self.image_size}, got {self.crop_from}")
        if self.net == "mmal" and self.decoded != self.image_size:
            raise ValueError(f"crop_from: mmal cuts from the whole image; set it to image_size {self.image_size}")
        if not isinstance(self.schedule, (Cosine, CyclicCosine, MultiStep)):
            raise ValueError(f"schedule: only settings of the row's own can be replaced, got {self.schedule!r}")

    @property
    def decoded(self) -> tuple[int, int]:
        """Height and width in pixels to which images are resized, without regard to their proportions."""
        return self.crop_from or self.image_size


OPTIMIZERS = {
    "sgd": lambda config: CoupledSGD(
        learning_rate=config.learning_rate,
        trunk_multiplier=config.trunk_multiplier,
        momentum=config.momentum,
        decay=config.weight_decay,
    ),
    "adamw": lambda config: optimizers.rates(
        "adamw",
        learning_rate=config.learning_rate,
        trunk_multiplier=config.trunk_multiplier,
        weight_decay=config.weight_decay,
    ),
}
FBSD = Config(crop_from=(550, 550))
MMAL = Config(
    net="mmal",
    normalisation="backbone",
    policy=JITTERED,
    dropout=0.5,
    windows="cars-aircraft",  # of all data sets but CUB, in the code
    learning_rate=1e-3,
    trunk_multiplier=1.0,
    weight_decay=1e-4,
    schedule=MultiStep(milestones=(60, 100), gamma=0.1),
    batch_size=6,
)
LITE = Config(
    backbone="efficientnet-lite0",
    image_size=(192, 192),
    normalisation="backbone",
    policy=MILD,
    freeze=TRUNK_NORMS_STAY,
    head_width=256,
    fdm_scale=1.0,
    optimizer="adamw",
    learning_rate=1e-3,
    trunk_multiplier=0.2,
    weight_decay=0.02,
    schedule=Cosine(warmup_epochs=0.5, final_fraction=0.02),
    batch_size=32,
    epochs=6,
)


def fbsd_row(**changes):
    return dataclasses.replace(FBSD, **changes)


def lite(net):
    return dataclasses.replace(LITE, net=net)


OURS = "our row: EfficientNet-Lite0 at 192 px; these rows share images, epochs and learning rates, and run on a CPU"
ROWS = {
    "fbsd": Row(FBSD, note="as the study, but with its last layer trained; the study's 71% belongs to fbsd-source"),
    "fbsd-source": Row(
        fbsd_row(train_last_vote=False), {"top1": 0.71},
        note="the study added its last layer after it had made its optimisers, so it is never trained and one vote is "
        "random",
    ),
    "fbsd-as-printed": Row(
        fbsd_row(strip_axis="width", fdm_scale=1.0, pool="gmp", schedule=Cosine()),
        note="strips, diversification, pooling and schedule as in FBSD's paper, not as in its code",
    ),
    "mmal": Row(MMAL, {"top1": 0.66}, note="the study's figure is about 66%, from epoch 14 of 200"),
    "plain": Row(fbsd_row(net="plain"), note="control: only the trunk, everything else as in fbsd"),
    "fbsd-lite0": Row(lite("fbsd"), note=OURS),
    "mmal-lite0": Row(lite("mmal"), note=OURS),
    "plain-lite0": Row(lite("plain"), note=OURS),
}  # fmt: skip


def lending(config) -> dict:
    """Return the settings that a row must share with a run whose weights it starts from (`--init-from`)."""
    names = ("net", "backbone", "normalisation", *(("head_width",) if config.net == "fbsd" else ()))
    return {name: getattr(config, name) for name in names}


def run(config, job):
    """Train, test and export once; return the content of report.json."""
    index = job.split(val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)
    if config.init_from:
        lenders.check_unseen(config.init_from, index)
    images = job.data.images(config.decoded)
    job.compile(
        lambda: nets.build(config, len(index.classes)),
        optimizer=lambda: OPTIMIZERS[config.optimizer](config),
        batch_size=config.batch_size,
    )
    if config.init_from:  # also when resuming: a checkpoint, if there is one, is loaded later
        begin_from(job.model, lenders.model_file(config.init_from), replaced=nets.names_classes)
    training, val = (Part.of(index, images, name) for name in ("train", "val"))
    fit_on(
        job,
        training,
        val,
        policy=config.policy,
        batch_size=config.batch_size,
        epochs=config.epochs,
        schedule=config.schedule,
    )
    return job.finish(
        index, images, batch_size=config.batch_size, examine=lambda val, test: votes(config, job.model, index, images)
    )


def votes(config, model, index, images):
    """Return the test accuracy of each branch that sees whole images, and a section for the report about them."""
    if config.net == "plain":
        return {}, []
    test = Part.of(index, images, "test")
    graph = model.training_graph()
    asked = {name: graph.output[name] for name in nets.VOTES[config.net]}
    scores = keras.Model(model.input, asked).predict(test.batches(config.batch_size), verbose=0)
    figures = {}
    for name, logits in scores.items():
        right = int((logits.argmax(axis=1) == test.labels).sum())
        low, high = wilson(right, len(test))
        figures[f"{name}_top1"] = {"value": right / len(test), "low": low, "high": high}
    rows = [("branch", "test top-1", "95%")]
    for name, found in figures.items():
        bounds = f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"
        rows.append((name.removesuffix("_top1"), f"{100 * found['value']:.1f}%", bounds))
    return figures, [("What each branch answers by itself", rows)]


RECIPE = Recipe(
    name="competition100",
    description=__doc__,
    rows=ROWS,
    default_rows=("fbsd-lite0", "mmal-lite0", "plain-lite0"),
    run=run,
    quick={"epochs": 3},
    smoke={
        "backbone": "efficientnet-lite0",
        "weights": "none",
        "image_size": (128, 128),
        "crop_from": None,
        "head_width": 8,
        "epochs": 1,
        "batch_size": 16,
    },
    demo=Demonstration(
        does="trains FBSD and, as a control, its plain trunk",
        rows=("fbsd-lite0", "plain-lite0"),
        settings={"image_size": (128, 128), "head_width": 64},
        epochs=2,
    ),
    caveat=(
        "The study's figures are from one run each: FBSD's from a contest's hidden test images, MMAL-Net's, about "
        "66%, from an early stage (epoch 14) on images that the report does not name. FBSD kept the epoch that did "
        "best on the training images."
    ),
    errata=(
        ("ResNet-36", "ResNet-50"),
        (
            "kind = dog; alpha, beta, gamma weigh the loss",
            "boost strength, suppression factor and diversification strength",
        ),
        ("FBSD's paper: strips along the width", "along the height"),
        ("FBSD's paper: global max pooling", "the mean of the five largest values"),
        (
            "FBSD's paper: diversification",
            "what it adds to the maps is multiplied by 0.001, so it has almost no effect",
        ),
        (
            "FBSD's paper: a cosine over 200 epochs",
            "it is stepped in every batch, so the rate falls and rises with a period of 400 steps",
        ),
        (
            "MMAL-Net's settings: window sides 128, 192, 256",
            "they are never used; the windows are fixed lists of cells",
        ),
        (
            "validation accuracy near 100%",
            "this is accuracy on the training images, as the flag for the test images was off",
        ),
        (
            "FBSD: nothing is said of the last layers",
            "that of the concatenated head was replaced after the optimisers were made, so it never learned",
        ),
        ("CUDA out of memory", "the cause was a label that is not the number of any class"),
    ),
    lending=lending,
)


if __name__ == "__main__":
    raise SystemExit(runner.main(RECIPE))
