"""A second opinion for a trained net: a head on another pretrained trunk, with whose answers its own are averaged."""

import functools

import keras
import numpy as np

from kfg.data import stores
from kfg.data.part import Part
from kfg.engine import planning, weights_at_hand
from kfg.engine.fitting import train_head
from kfg.engine.judged import Judged
from kfg.evaluation import calibration, posthoc, predict
from kfg.models import backbones, freezing, halves, heads
from kfg.models.catalogue import shapes_only
from kfg.models.opinions import averaged
from kfg.progress import duration
from kfg.runs import choices, run_files
from kfg.training import features, precision

TIME = 0.5  # of what is left of the time once the head is trained; if a second opinion takes more, there is none
LEAST = 0.15  # a smaller weight, of either net, is not worth the time that two nets take to answer
SHARES = np.linspace(0, 1 - LEAST, 18)  # weights of a second opinion that are tried
PRIOR_IMAGES = 5  # weight of equal shares, as a number of images
JUDGED_BY = 5_000  # most images by which the weight is chosen


def net(name: str, config, num_classes: int, seed: int) -> keras.Model:
    """Return a frozen trunk with one dense layer, whose first weights depend only on the seed.

    Args:
        name: key of kfg.models.backbones.
        config: settings of kfg.recipes.folder.
    """
    keras.utils.set_random_seed(seed)
    with precision.scope("float32"):
        made = backbones.classifier(
            name,
            num_classes=num_classes,
            image_size=config.image_size,
            weights="none" if str(config.weights) == "none" else "imagenet",
            head=heads.linear(dropout=config.dropout),
        )
    freezing.apply(made, "head")
    return made


def check_budget(config, job, num_classes: int) -> None:
    """Check that a net and its second opinion have no more parameters than the job allows; else InputError."""
    if job.max_params is not None:
        trunks = (config.backbone, config.second_backbone, config.second_opinion)
        sizes = {"image_size": config.image_size, "num_classes": num_classes}
        both = shapes_only(functools.partial(weights_at_hand.classifier, *trunks, **sizes))
        freezing.check_budget(both, job.max_params)


def planned(config, job, index, images, *, left: float, **learning) -> dict:
    """Decide whether there is time for a second opinion; return the choice, a dict with "trunk", "" for none.

    Args:
        left: the seconds that are left.
        learning: as for `added`.
    """
    seconds = _seconds(config, job, index, images, **learning)
    if seconds > max(TIME * left, 0):
        why = f"it would take {duration(seconds)}, more than half of what is left of the time budget"
        return {"trunk": "", "why": why, "seconds expected": round(seconds)}
    return {"trunk": config.second_opinion, "why": "as the settings say", "seconds expected": round(seconds)}


def _seconds(config, job, index, images, *, optimizer, loss, batch_size: int, epochs: int, **_) -> float:
    """Return the seconds that a second opinion takes: features, head, and passes over the validation images.

    The second net answers these twice, the first one once: when its weight is chosen, and when both are averaged. All
    three are timed as passes of the second, whose trunk is the slower one by default.
    """
    second = net(config.second_opinion, config, len(index.classes), job.seed)
    pictures, trunk = stores.Chosen(images, _learned(index)), halves.front(second)
    of_features = features.seconds(trunk, pictures, cache_dir=job.data.cache_dir)
    steps = planning.head_rate(second, optimizer(), loss, batch_size)
    passes = 3 * len(index.where("val")) / features.rate(trunk, pictures)
    return of_features + epochs * len(index.where("train")) / steps + passes


def added(config, job, index, images, judged: Judged, *, trunk: str, equal: bool, **learning) -> keras.Model | None:
    """Train a head on another trunk; from then on, `job.model` answers with the weighted mean of both nets.

    Args:
        judged: the net as it is.
        trunk: key of kfg.models.backbones.
        equal: whether each class counts the same on the validation images, however many images it has.
        learning: how the head learns, see kfg.engine.fitting.train_head.
    Returns:
        The second net, of which only the head was trained; None if the validation images give it too little weight.
    """
    second = net(trunk, config, len(index.classes), job.seed)
    learned = _learned(index)
    pictures = stores.Chosen(images, learned)
    parts = []
    for name in ("train", "val"):
        at = index.where(name)
        store = stores.Chosen(pictures, np.searchsorted(learned, at))
        parts.append(Part(store, index.labels[at], classes=index.classes, name=name))
    train_head(job, *parts, model=second, workdir=job.workdir / run_files.SECOND, **learning)

    def decide():
        told = predict.predict(
            second, parts[1].batches(config.batch_size, shuffle=False), index=index.take(index.where("val"))
        )
        return {"share": share_of_second(judged.answers.probabilities, told.probabilities, told.labels, equal=equal)}

    share = planning.choose(job, choices.WEIGHT, decide)["share"]
    if not share:
        print(
            f"The second opinion is left out: by the validation images it would count less than {LEAST:.0%}, which is "
            "too little for the time that it takes."
        )
        return None
    print(f"The second opinion counts {100 * share:.0f}%, the network itself {100 - 100 * share:.0f}%.")
    job.answer_by(functools.partial(averaged, second=second, share=share))
    return second


def share_of_second(first, second, labels, *, equal: bool = False) -> float:
    """Return the weight of a second net with which held-out labels are most likely; 0 if it is below `LEAST`.

    The mean of the logits is judged at the temperature that suits it best. A few images cannot tell much, so the
    distance from equal weights is penalised, as for a temperature. The weight is 1 - LEAST at most.

    Args:
        first, second: float (N, C), probabilities of both nets on images that they were not trained on.
        labels: int (N,). Of more than JUDGED_BY images, only so many decide.
        equal: whether each class counts the same, however many images it has.
    """
    some = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), JUDGED_BY)).astype(int))
    logits, labels = [np.log(np.maximum(one[some], posthoc.SMALLEST)) for one in (first, second)], labels[some]
    weights = 1 / np.bincount(labels)[labels] if equal else np.ones(len(labels))
    weights *= len(labels) / weights.sum()

    def cost(share):
        mean = posthoc.softmax((1 - share) * logits[0] + share * logits[1])
        mean = calibration.scaled(mean, calibration.temperature(mean, labels, weights=weights))
        true = np.maximum(mean[np.arange(len(labels)), labels], posthoc.SMALLEST)
        return -(weights * np.log(true)).sum() + PRIOR_IMAGES * (2 * share - 1) ** 2

    best = round(float(min(SHARES, key=cost)), 2)
    return best if best >= LEAST else 0.0


def _learned(index) -> np.ndarray:
    """Return the positions of the training and validation images, in rising order."""
    return np.sort(np.concatenate([index.where("train"), index.where("val")]))
