"""What a run decides by the clock and by its validation images: printed, and kept in config.json under "choices".

A choice once made stands, so a resumed run decides the same.
"""

import time

import keras
import numpy as np

from kfg.data import pipeline
from kfg.evaluation import predict
from kfg.files import read_json, write_json
from kfg.progress import duration
from kfg.recipes._training import trunk_of
from kfg.training import features, fit, precision

HEAD_SHARE = 0.5  # of the time budget, where the whole net is to be trained after the head


def choose(job, name: str, decide) -> dict:
    """Return a choice of this run; `decide()` makes it, a dict that JSON can hold, where no session has."""
    path = job.workdir / "config.json"
    settings = read_json(path, dict) if path.is_file() else {}  # a search keeps its trials' settings itself
    choices = settings.setdefault("choices", {})
    if name not in choices:
        choices[name] = decide()
        write_json(path, settings)
    return choices[name]


def rows(job) -> list[tuple[str, str]]:
    """Return all choices of this run as a table with its column names."""
    choices = read_json(job.workdir / "config.json", dict)["choices"]
    return [
        ("choice", "value"),
        *((f"{name}: {key}", str(value)) for name, made in choices.items() for key, value in made.items()),
    ]


class Judged:
    """A stage of the model, with its weights and how it does on the validation images."""

    def __init__(self, name, model, validation, index, batch_size):
        self.name, self.weights = name, model.get_weights()
        answers = predict.predict(
            model, pipeline.evaluation_batches(*validation, batch_size=batch_size), index=index.take(index.where("val"))
        )
        self.count, self.errors = len(answers), int(np.sum(answers.predicted != answers.labels))
        self.loss = float(answers.losses.mean())
        print(f"{name}: {self.count - self.errors} of {self.count} validation images right, loss {self.loss:.3f}")

    def rank(self):
        return -self.errors, -self.loss


def head_stage(job, training, *, views, epochs: int, batch_size: int, optimizer, loss, deadline: float) -> dict:
    """Decide on how many views the head is trained, and how many epochs, to be done by `deadline`.

    Args:
        job: compiled.
        training: (pipeline.Chosen, labels).
        views: kfg.training.features.Views or None, at most.
        epochs: at most.
        batch_size, optimizer, loss: of the head.
        deadline: of time.monotonic(), seconds.
    Returns:
        {"views", "epochs", "why"}.
    """
    plan = {"views": views.count if views else 0, "epochs": epochs}
    images, labels = training
    trunk = trunk_of(job.model)
    sought = (images, labels) if views else (images.store,)
    if features.ready(trunk, *sought, cache_dir=job.data.cache_dir, views=views):
        plan["why"] = "as set; the features are there from an earlier run"
    else:
        forward = features.rate(trunk, images, labels, views=views)
        steps = _head_rate(job.model, optimizer(), loss, batch_size)
        sizes = {"images": len(images.store), "trained": len(images), "forward": forward, "steps": steps}
        fitting = head_within(deadline - time.monotonic(), **plan, **sizes)
        why = "as set" if fitting == tuple(plan.values()) else f"not {plan['views']} and {epochs}, for the time budget"
        plan = {"views": fitting[0], "epochs": fitting[1], "why": why}
        plan["seconds expected"] = round(head_seconds(**dict(zip(("views", "epochs"), fitting, strict=True)), **sizes))
        print(f"training the head: about {duration(plan['seconds expected'])} at {forward:.0f} images/s of the trunk")
    print(f"augmented views of each image: {plan['views']}, epochs of the head: {plan['epochs']}, {plan['why']}")
    return plan


def head_seconds(*, views: int, epochs: int, images: int, trained: int, forward: float, steps: float) -> float:
    """Return the seconds of a head on cached features; arguments as for `head_within`."""
    return (images + views * trained) / forward + epochs * trained / steps


def head_within(seconds, *, views: int, epochs: int, images: int, trained: int, forward: float, steps: float):
    """Return the views and epochs there is time for: views are given up first, then epochs, of which one stays.

    Args:
        seconds: float, there are.
        views, epochs: at most.
        images: in all; each goes through the trunk once, whatever is decided.
        trained: images the head is trained on; each view of them goes through the trunk.
        forward, steps: images/s of the trunk, and of the head's training.
    Example:
        >>> sizes = dict(images=5000, trained=4000, forward=200, steps=10_000)  # 25 s, 20 s a view, 0.4 s an epoch
        >>> [head_within(time, views=2, epochs=40, **sizes) for time in (90, 70, 35, 20)]
        [(2, 40), (1, 40), (0, 25), (0, 1)]
    """
    seconds -= images / forward
    left = seconds - epochs * trained / steps
    if left < 0:
        return 0, max(1, min(epochs, int(seconds * steps / trained)))
    return min(views, int(left * forward / trained)), epochs


def _head_rate(model, optimizer, loss, batch_size) -> float:
    """Return the images/s of the head's training steps, measured on a copy."""
    head = keras.models.clone_model(keras.Model(model.get_layer("features").output, model.output))
    fit.compile_classifier(head, optimizer=optimizer, loss=loss)
    return precision.training_rate(head, batch_size)


def whole_net_stage(job, head: Judged, *, epochs: int, min_errors: int, count: int, batch_size: int, deadline: float):
    """Decide how many epochs the whole net is trained for.

    Args:
        job: compiled.
        epochs: at most.
        min_errors: of the head on validation images, below which nothing could be seen of a gain.
        count: training images.
        deadline: of time.monotonic(), seconds.
    Returns:
        {"epochs", "why"}, and what was measured.
    """
    plan = {"epochs": 0}
    if epochs == 0:
        plan["why"] = "only the head was asked for"
    elif head.errors < min_errors:
        plan["why"] = f"the head errs on {head.errors} of {head.count} validation images: no gain could be seen"
    else:
        rate = _training_rate(job, batch_size)
        seconds = count / rate + head.count / (3 * rate)  # a forward pass is a third of a step
        fitting = max(0, min(epochs, int((deadline - time.monotonic()) / seconds)))
        why = "as many as are set" if fitting == epochs else "as many as the time budget holds"
        plan = {"epochs": fitting, "why": why, "images per second": round(rate, 1), "seconds per epoch": round(seconds)}
        print(f"training the whole net: {fitting} epochs of {duration(seconds)}, {duration(fitting * seconds)} in all")
    print(f"epochs of the whole net: {plan['epochs']}, {plan['why']}")
    return plan


def _training_rate(job, batch_size) -> float:
    """Return the images/s of training steps, measured on a copy of the model."""
    chosen = read_json(job.workdir / "env.json", dict)
    with precision.scope(chosen["precision"]):
        copy = job.build()
    fit.compile_classifier(copy, optimizer=job.optimizer(), loss=job.loss, jit_compile=chosen["jit_compile"])
    return precision.training_rate(copy, batch_size)
