"""Your own photographs: a head on cached features of a pretrained trunk, then the whole net, in minutes on a CPU.

Run       kfg train DIR [--out DIR] [--time-budget 10m] [--seeds N]
Data      DIR/<class>/*.jpg, or any layout that `kfg audit` takes; an official split is kept
Expected  the table in recipes/folder/README.md; rows in recipes/folder/results.jsonl
Source    ours; that fine-tuning from a trained head keeps the trunk's features: Kumar et al. 2022, arXiv:2202.10054
"""

if __name__ == "__main__":  # before the imports below, which take seconds
    from kfg import program

    program.begin()

import dataclasses
import functools
import pathlib
import sys

import numpy as np

from kfg.augment import mixing
from kfg.data.folder import Index
from kfg.data.part import Part
from kfg.engine import confidence, earlier_net, planning, runner, second_opinion
from kfg.engine.clock import Clock
from kfg.engine.demonstration import Demonstration
from kfg.engine.fitting import train, train_head
from kfg.engine.options import OF_TRAIN
from kfg.engine.orders import Order
from kfg.engine.own_photographs import STEPS
from kfg.engine.runner import Row
from kfg.errors import InputError
from kfg.models import backbones, freezing, heads, mirrored
from kfg.names import printable, suggestion
from kfg.progress import step
from kfg.recipes.folder_settings import Config
from kfg.repairing import after_training
from kfg.repairing.manner import Manner
from kfg.runs import run_files
from kfg.training import imbalance, optimizers
from kfg.training.callbacks import write_history
from kfg.training.features import Views
from kfg.training.schedules import Cosine

NAME = "folder"

OWN_STEPS = True  # it announces its steps itself, as kfg train
ROWS = {
    "transfer": Row(
        Config(),
        note="A head is trained on cached features, then the whole network if there is time and a gain can be "
        "expected.",
    ),
    "head": Row(Config(epochs=0), note="Control: only the head is trained."),
}
DEFAULT_ROWS = ("transfer",)
QUICK = {"epochs": 2}
DEMO = Demonstration(
    does="trains a head on a pretrained EfficientNet-Lite0, then the whole network if that promises a gain",
    rows=DEFAULT_ROWS,
    settings={"image_size": (96, 96), "time_budget": 100.0},
)
CAVEAT = "This recipe is our own, not a study's. It was chosen with the test figures of cub100 in view, and no others."
ERRATA = ()
SMOKE = {"image_size": (32, 32), "weights": "none", "head_epochs": 2, "epochs": 1, "min_errors": 0, "views": 1}


def run(config, job):
    """Train, test and export once; return the content of report.json."""
    step(
        2,
        STEPS,
        "the photographs are divided into training, validation and test photographs, decoded and resized",
        left=config.time_budget,
    )
    index = job.split(val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)
    with Clock(job.workdir / run_files.CLOCK, go_on=job.resume) as clock:
        images = job.data.images(config.image_size)
        kept, judged, crossed = fit(config, job, index, images, clock)
        planning.choose(job, "end", lambda: kept)
        step(5, STEPS, "the network is tested, reported on and exported")
        spent = {"value": round(clock.spent(), 1), "low": None, "high": None}
    return job.finish(
        index,
        images,
        batch_size=config.batch_size,
        examine=lambda val, test: ({"seconds_to_trained": spent}, []),
        sections=[("How it was trained", planning.rows(job))],
        last=[after_training.section(judged, job.workdir)] if judged else [],
        crossed=crossed,
    )


def fit(config, job, index, images, clock) -> tuple[dict, after_training.Judged | None, confidence.OutOfFold | None]:
    """Train the head, then the whole net if that promises a gain; `job.model` gets the better of the two.

    A second opinion counts as much as the validation images say, see kfg.engine.second_opinion.

    Returns:
        {"kept", "by"}: which of the two was kept, and the figure that decided; the diagnosis of the classes, if the run
        ends with a report or the diagnosis decides on the whole net; and out-of-fold answers of heads, for calibration.
    """
    for name, _ in config.class_bias:
        if name not in index.classes:
            raise InputError(f"class_bias: {printable(name)}: no such class; {suggestion(name, index.classes)}")
    if config.net_of:
        earlier_net.check(config.net_of, config, index)
    index = without(index, config.left_out)
    training, validation = (Part.of(index, images, name) for name in ("train", "val"))
    counts = training.counts()
    classes = planning.choose(job, "classes", lambda: imbalance.chosen(config.imbalance, counts))
    if classes["treatment"] != "none":
        print(f"Unequal class sizes are handled by the method '{classes['treatment']}' ({classes['why']}).")
    loss, sampling = imbalance.treated(classes["treatment"], counts, label_smoothing=config.label_smoothing)
    build = functools.partial(classifier, config, len(index.classes))
    job.compile(build, optimizer=whole_net_optimizer(config), batch_size=config.batch_size, loss=loss)
    aim = imbalance.aim(classes["treatment"])
    judged = functools.partial(
        planning.Judged, validation=validation, index=index, batch_size=config.batch_size, aim=aim
    )
    learned, found, crossed = [], None, None
    announced = steps_of(config)
    step(3, STEPS, announced[0], left=config.time_budget - clock.spent())
    if not config.net_of:
        learned = fit_head(config, job, training, validation, loss, sampling, clock)
        best = judged("the head", job.model)
    if job.reports:
        crossed = confidence.heads_out_of_fold(job, index, images, equal=classes["treatment"] != "none")
    if job.reports or config.min_errors:
        limit = after_training.SHARE * config.time_budget
        found = after_training.diagnosed(job, index, images, manner(config, index, classes["treatment"]), limit=limit)
        print(*found.why, sep="\n", end="\n" if found.why else "")
    step(4, STEPS, announced[1], left=config.time_budget - clock.spent())
    errors = functools.cache(functools.partial(head_errors, config, found and found.found, aim))
    second = plan_second_opinion(config, job, index, images, errors, clock)
    reserved = second.get("seconds expected", 0) if second["trunk"] else 0
    plan = plan_whole_net(config, job, index, errors, lambda: config.time_budget - clock.spent() - reserved)
    if config.net_of:
        earlier_net.take_over(config.net_of, job.model, index.classes)
        best = judged("the network of the earlier run", job.model)
    if not plan["epochs"]:
        write_history(learned, job.workdir / run_files.HISTORY)
    else:
        fit_whole_net(config, job, training, validation, sampling, plan["epochs"])
        best = max(best, judged("the whole net", job.model), key=planning.Judged.rank)
        print(f"Kept: {best.name}, which has the better {aim} (or, if equal, the lower loss) on the validation images.")
        job.model.set_weights(best.weights)
    kept = best.name
    if second["trunk"]:
        learning = head_learning(config, loss, sampling, config.head_epochs)
        heard = second_opinion.added(config, job, index, images, best, trunk=second["trunk"], **learning)
        job.fitted = heard if heard and config.net_of else job.fitted  # what was trained
        best = judged(f"{kept}, averaged with the second opinion", job.model) if heard else best
    if config.class_bias:
        raise_classes(config, job, index, best, crossed)
        best = judged(f"{best.name}, with raised classes", job.model)
    if config.mirror_averaged:
        job.answer_by(mirrored.averaged)
        best = judged(f"{best.name} with mirror images", job.model)
    best.say_if_useless()
    return {"kept": best.name, "by": aim}, found, crossed


def steps_of(config) -> tuple[str, str]:
    """Return what the third and the fourth step of a training do."""
    if config.net_of:
        return "the classes are judged", "the network of the earlier run is taken over, and its answers are changed"
    return (
        "the head is trained on features of the pretrained trunk",
        "the whole network is trained if that promises a gain",
    )


def manner(config, index: Index, treatment: str) -> Manner:
    """Return how this training learns and answers, for the heads that judge its classes, unsmoothed to be firm."""
    loss, sampling = imbalance.treated(treatment, index.take(index.where("train")).counts(), label_smoothing=0.0)
    bias = heads.log_odds(config.class_bias, index.classes) if config.class_bias else None
    return Manner(loss, sampling, config.mirror_averaged, bias)


def without(index: Index, left_out) -> Index:
    """Return the index with some training photographs moved out of all parts, so that nothing is learned from them.

    Raises:
        InputError: one of them is not a training photograph; a class would have none left.
    """
    if not left_out:
        return index
    training = index.where("train")
    if unknown := sorted(set(left_out) - {index.paths[i] for i in training}):
        raise InputError(f"left_out: {printable(unknown[0])}: is not a training photograph; use the names in split.csv")
    gone = set(left_out)
    parts = ["" if path in gone else part for path, part in zip(index.paths, index.parts, strict=True)]
    kept = dataclasses.replace(index, parts=tuple(parts))
    counts = kept.take(kept.where("train")).counts()
    if (empty := np.flatnonzero((counts == 0) & (index.take(training).counts() > 0))).size:
        name = printable(index.classes[empty[0]])
        raise InputError(f"left_out: {name} would have no training photograph; leave fewer of them out")
    print(f"Left out of training: {len(training) - counts.sum():,} of {len(training):,} photographs.")
    return kept


def raise_classes(config, job, index, judged: planning.Judged, crossed) -> None:
    """Raise the answers of some classes by log-odds of calibrated answers, as `config.class_bias` says.

    The logits of the net are those of calibrated answers multiplied by its temperature.

    Args:
        judged: the net before this change.
        crossed: out-of-fold answers of heads, or None.
    """
    found = planning.choose(
        job, earlier_net.RAISED, lambda: {"temperature": confidence.temperature(judged.answers, index, crossed)}
    )
    heads.raise_classes(job.model, found["temperature"] * heads.log_odds(config.class_bias, index.classes))


def head_errors(config, diagnosis, aim) -> dict:
    """Count the errors of the cross-validated head; {} if they decide nothing, or if there is no diagnosis."""
    if not (config.min_errors and diagnosis):
        return {}
    return planning.head_errors(diagnosis.crossed.answers, diagnosis.crossed.index.labels, aim=aim)


def too_few(config, errors: dict) -> bool:
    """Return whether the head makes too few errors for a gain to show."""
    limits = {"min_errors": config.min_errors, "min_error_rate": config.min_error_rate}
    return bool(errors) and not planning.worth_a_try(errors, **limits)


def plan_whole_net(config, job, index, errors, left) -> dict:
    """Decide for how many epochs the whole net is trained: none if the head leaves too little to gain.

    Args:
        errors: function () -> the result of `head_errors`.
        left: function () -> seconds that are left for it.
    """

    def decide():
        if config.net_of:
            return {"epochs": 0, "why": "the network of an earlier run is used"}
        if not config.epochs:
            return {"epochs": 0, "why": "only the head was asked for"}
        if left() <= 0:
            return {"epochs": 0, "why": "the time budget is used up"}
        if too_few(config, errors()):
            return {"epochs": 0, "why": "the head makes too few errors for a gain to show", **errors()}
        count, asked = len(index.where("train")), len(index.where("val"))
        plan = planning.whole_net_stage(
            job, epochs=config.epochs, count=count, judged=asked, batch_size=config.batch_size, left=left
        )
        return {**plan, **errors()}

    plan = planning.choose(job, "whole net", decide, by_clock=True)
    print(f"Epochs of the whole network: {plan['epochs']} ({plan['why']}).")
    return plan


def fit_whole_net(config, job, training, validation, sampling, epochs: int) -> None:
    """Train the whole net."""
    print("The accuracies shown meanwhile are of the latest weights; at the end an average of the weights is judged.")
    train(
        job,
        training,
        validation,
        batch_size=config.batch_size,
        epochs=epochs,
        policy=config.policy,
        sampling=sampling,
        mixing=mixing.named(config.mixing, alpha=config.mixing_alpha),
        schedule=Cosine(warmup_epochs=0.5, final_fraction=0.02),
    )


def plan_second_opinion(config, job, index, images, errors, clock) -> dict:
    """Decide whether there is a second opinion; arguments as for `plan_whole_net`."""

    def decide():
        if config.net_of:
            return {"trunk": config.second_opinion, "why": "as the settings say"}
        if too_few(config, errors()):
            return {"trunk": "", "why": "the head makes too few errors for a gain to show"}
        return second_opinion.planned(config, job, index, images, left=config.time_budget - clock.spent())

    if not config.second_opinion:
        return {"trunk": ""}
    plan = planning.choose(job, "second opinion", decide, by_clock=True)
    print(f"Second opinion: {plan['trunk'] or 'none'} ({plan['why']}).")
    return plan


def head_learning(config, loss, sampling, epochs: int) -> dict:
    """Return how a head on cached features learns, as arguments of kfg.engine.fitting.train_head."""
    return {
        "loss": loss,
        "sampling": sampling,
        "batch_size": config.head_batch_size,
        "optimizer": head_optimizer(config),
        "epochs": epochs,
        "schedule": Cosine(),
    }


def whole_net_optimizer(config):
    """Return the function () -> optimizer of the whole net."""
    return functools.partial(
        optimizers.rates,
        "adamw",
        learning_rate=config.learning_rate,
        trunk_multiplier=config.trunk_multiplier,
        weight_decay=config.weight_decay,
        use_ema=True,
        ema_momentum=config.ema,
    )


def head_optimizer(config):
    """Return the function () -> optimizer of heads."""
    return functools.partial(
        optimizers.rates, "adamw", learning_rate=config.head_learning_rate, weight_decay=config.weight_decay
    )


def fit_head(config, job, training, validation, loss, sampling, clock):
    """Train the head on cached features, on as many views as time allows; return the rows of its history."""
    views = Views(count=config.views, policy=config.policy) if config.views else None
    share = planning.HEAD_SHARE if config.epochs or config.second_opinion else 1
    plan = planning.choose(
        job,
        "head",
        lambda: planning.head_stage(
            job,
            training,
            views=views,
            epochs=config.head_epochs,
            batch_size=config.head_batch_size,
            optimizer=head_optimizer(config),
            loss=loss,
            left=share * config.time_budget - clock.spent(),
        ),
        by_clock=True,
    )
    print(f"Augmented views of each image: {plan['views']} ({plan['why']}); epochs of the head: {plan['epochs']}.")
    return train_head(
        job,
        training,
        validation,
        workdir=job.workdir / run_files.HEAD,
        views=dataclasses.replace(views, count=plan["views"]) if plan["views"] else None,
        **head_learning(config, loss, sampling, plan["epochs"]),
    )


def classifier(config, num_classes):
    """Return the trunk with one dense layer; `config.freeze` decides which layers train."""
    model = backbones.classifier(
        config.backbone,
        num_classes=num_classes,
        image_size=config.image_size,
        weights=config.weights,
        head=heads.linear(dropout=config.dropout),
        second=config.second_backbone,
    )
    freezing.apply(model, config.freeze)
    return model


def command(order: Order, index: Index) -> int:
    """Perform an order of `kfg train` and return the exit code. Arguments as for `trained`."""
    return runner.answered(sys.modules[__name__], order, index=index, options=OF_TRAIN)


def run_folder(order: Order) -> pathlib.Path:
    """Return the folder of an order's first run."""
    return run_folders(order)[0]


def run_folders(order: Order) -> list[pathlib.Path]:
    """Return the folders of an order's runs."""
    (row,) = DEFAULT_ROWS
    return [order.out / NAME / row / f"seed-{seed}" for seed in order.seeds]


def trained(order: Order, index: Index) -> list[pathlib.Path]:
    """Perform an order and return the run folders.

    Args:
        order, index: from kfg.engine.own_photographs.prepared.
    Raises:
        InputError: an unknown setting; a value out of range; photographs that cannot be trained on.
    """
    return runner.perform(sys.modules[__name__], order, index=index, options=OF_TRAIN)


if __name__ == "__main__":
    raise SystemExit(runner.main(sys.modules[__name__]))
