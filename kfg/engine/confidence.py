"""How far a run's model can be trusted: its temperature, the thresholds for doubt, and confidence.json."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kfg.data import splits, stores
from kfg.data.index import Index
from kfg.data.part import Part
from kfg.data.splitcsv import BOTH
from kfg.evaluation import calibration, held_out, predict
from kfg.evaluation.held_out import HeldOut
from kfg.evaluation.intervals import wilson
from kfg.files import whole, write_json
from kfg.models import calibrated, folding, halves
from kfg.progress import Progress
from kfg.runs import run_files
from kfg.training import features, out_of_fold

PRECISION = 0.95  # share of the answers without a verdict that should be right
COVERAGE = 0.9  # share of photographs whose true class should be in the prediction set, for the report
FALSE_ALARMS = 0.05  # share of photographs of the classes that may be called "none of these"
FEW = 50  # with fewer validation images, the out-of-fold answers of heads are the better basis
MANY = 3_000_000  # photographs times classes; with more, heads take a minute, and hundreds of images are held out
DIGITS = 6
CALLED = {"val": "validation", "test": "test"}  # parts that a run's model answers at its end
VALIDATION = "validation images"
WEIGHTED = "weighted to be as difficult as the training images were for classifiers trained without them"
BY_HEADS = "training and validation images, each classified by a simpler classifier that was trained without it"
PRIOR = (
    "which are few, so what was found for simpler classifiers on all training and validation images counts like "
    f"{calibration.PRIOR_IMAGES} more images"
)


def _unchanged(answers):
    return answers


@dataclasses.dataclass(frozen=True, eq=False)
class OutOfFold:
    """Answers of heads on photographs that they have not seen; the heads learn as the run does.

    at: int (M,), positions of the M training and validation photographs.
    answers: float32 (M, C), probabilities, not calibrated.
    equal: whether all classes should count the same, as they do if the training treats unequal classes.
    raised: function (calibrated answers) -> answers in which classes are raised as in those of the run.
    """

    at: np.ndarray
    answers: np.ndarray
    equal: bool = False
    raised: Callable = _unchanged


@dataclasses.dataclass(frozen=True, eq=False)
class Settled:
    """A calibrated model, and its answers on the images held out.

    Args:
        model: Keras model that ends in a temperature.
        answers: "val" and "test" -> Predictions of this model.
        content: content of confidence.json.
        bank: float32 (M, F), features against which strangeness is measured; None if the net has no pooled features.
        reliability: (before, after), lists of kfg.evaluation.calibration.Bin for the test images.
    """

    model: object
    answers: dict
    content: dict
    bank: np.ndarray | None
    reliability: tuple[list, list]


def heads_out_of_fold(job, index: Index, images, *, equal: bool = False, manner=None) -> OutOfFold | None:
    """Return out-of-fold answers on the training and validation photographs, by heads on features of a frozen trunk.

    Return None if all photographs are near-duplicates of each other, or if there are so many that the validation images
    suffice.

    Args:
        job: compiled job; its trunk's features of all `images` are taken from the cache, or computed.
        equal: as in OutOfFold.
        manner: kfg.repairing.manner.Manner of the run, whose sampling and class bias the heads share; None: each
            photograph is shown once in an epoch, and no class is raised.
    """
    at = np.concatenate([index.where("train"), index.where("val")])
    own = index.take(at)
    folds = min(out_of_fold.FOLDS, len(set(own.groups.tolist())))
    if folds < 2 or len(own) * len(own.classes) > MANY:
        return None
    of_trunk = features.cached(halves.front(job.model), images, cache_dir=job.data.cache_dir)[at]
    fold_of = splits.fold_of_each_image(own, k=folds, seed=0)
    shown = manner.order(own.labels, np.arange(len(own)), 0) if manner else None
    learning = {"num_classes": len(own.classes), "loss": job.loss, "shown": shown}
    answers = out_of_fold.answers(of_trunk, own.labels, fold_of, **learning)
    return OutOfFold(at, answers, equal, manner.raised if manner else _unchanged)


def settle(model, index: Index, images, *, batch_size: int, cache_dir, crossed: OutOfFold | None = None) -> Settled:
    """Calibrate a trained model on images it has not learned from, and find on them the thresholds for doubt.

    Args:
        model: the run's model in float32, without a temperature.
        index: the photographs, with their parts.
        images: store of all images of `index`.
        cache_dir: folder in which features of a frozen trunk may be cached.
        crossed: out-of-fold answers. They decide the weights of the validation images, and replace them if they are
            few.
    """
    bank = _bank(model, index, images, cache_dir)
    asked = _Judged(model, bank)
    plain, strangeness = {}, {}
    for name in CALLED:
        part, asked.told = Part.of(index, images, name), []
        batches, progress = part.batches(batch_size, shuffle=False), Progress(f"{CALLED[name]} photographs answered")
        plain[name] = predict.predict(asked, batches, index=part, progress=progress)
        strangeness[name] = np.concatenate(asked.told)[: len(part)] if asked.told else None  # the last batch was filled
    answers, content = thresholds(plain, index, crossed, strangeness=strangeness)
    model = calibrated.with_temperature(model, content["temperature"])
    content = {"model": calibrated.fingerprint(model, bank), **content}
    bins = tuple(
        calibration.reliability(one.probabilities.max(axis=1), one.predicted == one.labels)
        for one in (plain["test"], answers["test"])
    )
    return Settled(model, answers, content, bank, bins)


def temperature(val, index: Index, crossed: OutOfFold | None) -> float:
    """Return the temperature of a model.

    Args:
        val: its Predictions on the validation images, not calibrated.
        index, crossed: as for `settle`.
    """
    return _held_out(val, index, crossed)[0]


def thresholds(plain: dict, index: Index, crossed: OutOfFold | None, *, strangeness: dict) -> tuple[dict, dict]:
    """Find the temperature and the thresholds for a model's answers, and measure both on the test images.

    Args:
        plain: "val" and "test" -> Predictions, not calibrated.
        index, crossed: as for `settle`.
        strangeness: "val" and "test" -> float (N,), or None.
    Returns:
        The calibrated answers, in the form of `plain`, and the content of confidence.json without the model's
        fingerprint.
    """
    temperature, held, found_on = _held_out(plain["val"], index, crossed)
    answers = {
        name: dataclasses.replace(one, probabilities=calibration.scaled(one.probabilities, temperature))
        for name, one in plain.items()
    }
    test = answers["test"]
    content = {
        "temperature": temperature,
        **found_on,
        "calibration": {
            "test_images": len(test),
            "before": calibration.of_answers(plain["test"].probabilities, test.labels),
            "after": calibration.of_answers(test.probabilities, test.labels),
        },
        "unsure": _unsure(held, test),
        "none_of_these": _none_of_these(strangeness, len(answers["val"])),
        "sets": _sets(held, test),
        "held_out": {
            field.name: np.asarray(getattr(held, field.name), np.float64).round(DIGITS).tolist()
            for field in dataclasses.fields(held)
        },
    }
    return answers, content


def write(settled: Settled, workdir) -> None:
    """Write the bank, if there is one, and then the confidence.json that refers to it."""
    if settled.bank is not None:
        with whole(workdir / run_files.BANK, "wb") as file:
            np.savez(file, bank=settled.bank)
    write_json(workdir / run_files.CONFIDENCE, settled.content)


class _Judged:
    """A stand-in for a model that also collects in `told` how strange each batch of images is."""

    def __init__(self, model, bank):
        self.model, self.bank, self.told = model, bank, []
        self._judge = None if bank is None else calibrated.judge(model, bank)

    def predict_on_batch(self, images):
        if self._judge is None:
            return self.model.predict_on_batch(images)
        probabilities, strangeness = self._judge.predict_on_batch(images)
        self.told.append(np.asarray(strangeness))
        return probabilities


def _bank(model, index, images, cache_dir) -> np.ndarray | None:
    """Return the features of training photographs that make up the bank; None if the model has no pooled features."""
    if not calibrated.has_features(model):
        return None
    training = index.where("train")
    at = training[calibrated.chosen_rows(index.labels[training])]
    trunk = folding.fold(calibrated.trunk_with_features(model))
    if features.ready(trunk, images, cache_dir=cache_dir):  # the trunk was frozen, and the head was trained on these
        return calibrated.unit_rows(features.cached(trunk, images, cache_dir=cache_dir)[at])
    progress = Progress("features of training photographs")
    return calibrated.unit_rows(features.of(trunk, stores.chosen(images, at), progress=progress))


def _held_out(val, index, crossed) -> tuple[float, HeldOut, dict]:
    """Return the temperature, the answers on which thresholds are found, and what both were found on.

    The last is part of confidence.json: "temperature_found_on" and "found_on", for the thresholds.
    """
    if crossed is None:
        temperature = calibration.temperature(val.probabilities, val.labels)
        return temperature, _of(val.probabilities, val.labels, temperature), _both(_told(val, index, VALIDATION))
    labels = index.labels[crossed.at]
    if len(val) < FEW:
        expected = calibration.temperature(crossed.answers, labels)
        temperature = calibration.temperature(val.probabilities, val.labels, expected=expected)
        found_on = {
            "temperature_found_on": _told(val, index, f"{VALIDATION}, {PRIOR}"),
            "found_on": {"images": len(labels), "kind": BY_HEADS},
        }
        held = HeldOut.of(crossed.raised(calibration.scaled(crossed.answers, expected)), labels)
        return temperature, held, found_on
    difficulty = crossed.answers[np.arange(len(labels)), labels]
    held = np.flatnonzero(np.isin(crossed.at, index.where("val")))
    weights = held_out.alike(difficulty, labels, held, equal=crossed.equal)
    temperature = calibration.temperature(val.probabilities, val.labels, weights=weights)
    told = _told(val, index, f"{VALIDATION}, {WEIGHTED}")
    return temperature, _of(val.probabilities, val.labels, temperature, weights), _both(told)


def _both(told) -> dict:
    return {"temperature_found_on": told, "found_on": told}


def _told(val, index, kind) -> dict:
    return {"images": len(val), "kind": f"{kind}, which are the test images" if BOTH in index.parts else kind}


def _of(probabilities, labels, temperature, weights=None) -> HeldOut:
    return HeldOut.of(calibration.scaled(probabilities, temperature), labels, weights)


def _unsure(held: HeldOut, test) -> dict:
    threshold = held.surest(PRECISION)
    answered = test.probabilities.max(axis=1) >= (np.inf if threshold is None else threshold)
    right = (test.predicted == test.labels)[answered]
    return {
        "precision": PRECISION,
        "threshold": threshold,
        "unanswered": held.unanswered(threshold),
        "test": {"unanswered": _share(~answered), "right": _share(right)},
    }


def _sets(held: HeldOut, test) -> dict:
    threshold = held.least_likely(COVERAGE)
    inside = test.probabilities >= threshold
    sizes = inside.sum(axis=1)
    return {
        "coverage": COVERAGE,
        "threshold": threshold,
        "test": {
            "covered": _share(inside[np.arange(len(test)), test.labels]),
            "classes": float(sizes.mean()),
            "empty": float((sizes == 0).mean()),
        },
    }


def _none_of_these(strangeness, images) -> dict:
    if strangeness["val"] is None:
        return {
            "threshold": None,
            "why": "the network has no pooled features from which to tell how unusual a photograph is",
        }
    threshold = held_out.highest(strangeness["val"], FALSE_ALARMS)
    return {
        "threshold": threshold,
        "false_alarms": max(FALSE_ALARMS, 1 / (images + 1)),  # a new one exceeds the strangest of n with 1 / (n + 1)
        "images": images,
        "test": {"false_alarms": _share(strangeness["test"] > threshold)},
    }


def _share(yes) -> dict:
    """Return the share of True in a bool array with the bounds of its 95% interval; None for an empty array."""
    count = len(yes)
    low, high = wilson(int(np.sum(yes)), count)
    return {"value": float(np.mean(yes)) if count else None, "low": low, "high": high}
