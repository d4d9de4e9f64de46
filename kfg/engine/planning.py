"""What a run decides by the clock and by its validation images: printed, and kept in config.json under "choices".

A choice once made stands, so a resumed run decides the same.
"""

import keras
import numpy as np

from kfg.engine.fitting import trunk_of
from kfg.evaluation import baseline, predict
from kfg.files import read_json, write_json
from kfg.progress import duration
from kfg.runs import run_files
from kfg.training import features, fit, precision

HEAD_SHARE = 0.5  # of the time budget, where the whole net is to be trained after the head


def choose(job, name: str, decide) -> dict:
    """Return a choice of this run; `decide()` makes it, a dict that JSON can hold, where no session has."""
    path = job.workdir / run_files.CONFIG
    settings = read_json(path, dict) if path.is_file() else {}  # a search keeps its trials' settings itself
    choices = settings.setdefault("choices", {})
    if name not in choices:
        choices[name] = decide()
        write_json(path, settings)
    return choices[name]


def rows(job) -> list[tuple[str, str]]:
    """Return all choices of this run as a table with its column names."""
    choices = read_json(job.workdir / run_files.CONFIG, dict)["choices"]
    return [
        ("choice", "value"),
        *((f"{name}: {key}", str(value)) for name, made in choices.items() for key, value in made.items()),
    ]


class Judged:
    """A stage of the model, with its weights and how it does on the validation images.

    Args:
        aim: a key of AIMS, what the stages are compared by.
    """

    def __init__(self, name, model, validation, index, *, batch_size: int, aim: str):
        self.name, self.weights = name, model.get_weights()
        answers = predict.predict(
            model, validation.batches(batch_size, shuffle=False), index=index.take(index.where("val"))
        )
        right, average = answers.predicted == answers.labels, AIMS[aim]
        self.judged = baseline.judge(answers)
        self.count, self.errors = len(answers), int(np.sum(~right))
        self.score, self.loss = average(right, answers.labels), average(answers.losses, answers.labels)
        print(
            f"{name[0].upper()}{name[1:]}: {self.count - self.errors} of {self.count} validation images are right; "
            f"{aim} {100 * self.score:.1f} %, loss {self.loss:.3f}."
        )

    def rank(self):
        return self.score, -self.loss

    def say_if_useless(self) -> None:
        """Warn of a stage that is no better than answers given without a look at the picture."""
        if self.judged["verdict"] in (baseline.COMMONEST_BETTER, baseline.NO_BETTER):
            print(f"WARNING: {baseline.warning(self.judged, part='validation')}")


def mean_of_classes(values, labels) -> float:
    """Return the mean over the classes of each class's mean; classes without an image do not count.

    Example:
        >>> mean_of_classes(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 2]))
        0.5
    """
    return float(np.mean([np.mean(values[labels == label]) for label in np.unique(labels)]))


AIMS = {"top-1": lambda values, labels: float(np.mean(values)), "macro recall": mean_of_classes}


def head_stage(job, training, *, views, epochs: int, batch_size: int, optimizer, loss, left: float) -> dict:
    """Decide on how many views of each image the head is trained; it always gets all its epochs.

    Args:
        job: compiled.
        training: kfg.data.part.Part of a stores.Chosen.
        views: kfg.training.features.Views or None, at most.
        epochs: of the head.
        batch_size, optimizer, loss: of the head.
        left: seconds there are for it.
    Returns:
        {"views", "epochs", "why"}.
    """
    plan = {"views": views.count if views else 0, "epochs": epochs}
    images, labels = training.store, training.labels
    trunk = trunk_of(job.model)
    sought = (images, labels) if views else (images.store,)
    if features.ready(trunk, *sought, cache_dir=job.data.cache_dir, views=views):
        return {**plan, "why": "as set; the features are there from an earlier run"}
    forward = features.rate(trunk, images, labels, views=views)
    steps = _head_rate(job.model, optimizer(), loss, batch_size)
    sizes = {"images": len(images.store), "trained": len(images), "forward": forward, "steps": steps}
    fitting = views_within(left, **plan, **sizes)
    expected = head_seconds(**{**plan, "views": fitting}, **sizes)
    why = "as set" if fitting == plan["views"] else f"{plan['views']} do not fit into the time budget"
    if expected > left:
        print(
            f"The head takes about {duration(expected)}, longer than the {duration(max(left, 0))} that the time budget "
            "leaves for it. It is trained in full all the same: half a head answers by chance."
        )
    else:
        print(f"Training the head takes about {duration(expected)}.")
    return {"views": fitting, "epochs": epochs, "why": why, "seconds expected": round(expected)}


def head_seconds(*, views: int, epochs: int, images: int, trained: int, forward: float, steps: float) -> float:
    """Return the seconds of a head on cached features; arguments as for `views_within`."""
    return (images + views * trained) / forward + epochs * trained / steps


def views_within(seconds, *, views: int, epochs: int, images: int, trained: int, forward: float, steps: float) -> int:
    """Return how many views of each image there is time for.

    Args:
        seconds: float, there are.
        views: at most.
        epochs: of the head, on features that are there; they are quick.
        images: in all; each goes through the trunk once, whatever is decided.
        trained: images the head is trained on; each view of them goes through the trunk.
        forward, steps: images/s of the trunk, and of the head's training.
    Example:
        >>> sizes = dict(epochs=40, images=5000, trained=4000, forward=200, steps=10_000)  # 41 s, and 20 s a view
        >>> [views_within(time, views=2, **sizes) for time in (90, 70, 35)]
        [2, 1, 0]
    """
    left = seconds - head_seconds(views=0, epochs=epochs, images=images, trained=trained, forward=forward, steps=steps)
    return max(0, min(views, int(left * forward / trained)))


def _head_rate(model, optimizer, loss, batch_size) -> float:
    """Return the images/s of the head's training steps, measured on a copy."""
    head = keras.models.clone_model(keras.Model(model.get_layer("features").output, model.output))
    fit.compile_classifier(head, optimizer=optimizer, loss=loss)
    return precision.training_rate(head, batch_size)


def head_errors(answers, labels, *, aim: str) -> dict:
    """Count the head's errors on the training and validation images, each answered by a head that has not seen it.

    The validation images alone may be nine. These are all there are but the test images, and cost seconds, since the
    features are at hand.

    Args:
        answers: float (N, C), out of fold.
        labels: int (N,).
        aim: a key of AIMS.
    Returns:
        {"images", "errors", "error rate"}; the rate is what the aim lacks to 1: with macro recall an error in a rare
        class counts for more.
    """
    right = answers.argmax(axis=1) == labels
    errors, score = int(np.sum(~right)), AIMS[aim](right, labels)
    print(
        f"Cross-validated on {len(labels):,} training and validation images, the head errs on {errors:,}; "
        f"{aim} {100 * score:.1f} %."
    )
    return {"images": len(labels), "errors": errors, "error rate": round(1 - score, 5)}


def worth_a_try(found: dict, *, min_errors: int, min_error_rate: float) -> bool:
    """Return whether the head errs often enough, on the images of `head_errors`, for the whole net to do better.

    Example:
        >>> few, rare = {"errors": 3, "error rate": 0.004}, {"errors": 3, "error rate": 0.11}
        >>> [worth_a_try(found, min_errors=3, min_error_rate=0.01) for found in (few, rare)]
        [False, True]
    """
    return found["errors"] >= min_errors and found["error rate"] >= min_error_rate


def whole_net_stage(job, *, epochs: int, count: int, judged: int, batch_size: int, left) -> dict:
    """Decide how many epochs the whole net is trained for.

    Args:
        job: compiled.
        epochs: at most.
        count, judged: training and validation images.
        left: function () -> seconds there are.
    Returns:
        {"epochs", "why"}, and what was measured.
    """
    rate = _training_rate(job, batch_size)
    seconds = count / rate + judged / (3 * rate)  # a forward pass is a third of a step
    fitting = max(0, min(epochs, int(left() / seconds)))
    why = "as many as are set" if fitting == epochs else "as many as the time budget holds"
    return {"epochs": fitting, "why": why, "images per second": round(rate, 1), "seconds per epoch": round(seconds)}


def _training_rate(job, batch_size) -> float:
    """Return the images/s of training steps, measured on a copy of the model."""
    chosen = read_json(job.workdir / run_files.ENVIRONMENT, dict)
    with precision.scope(chosen["precision"]):
        copy = job.build()
    fit.compile_classifier(copy, optimizer=job.optimizer(), loss=job.loss, jit_compile=chosen["jit_compile"])
    return precision.training_rate(copy, batch_size)
