"""The choices that a run makes by the clock and its validation images; printed, and kept in config.json ("choices").

A choice is made once, so a resumed run uses the same.
"""

import math
import shutil

import keras
import numpy as np

from kfg.engine.judged import AIMS
from kfg.files import read_json, write_json
from kfg.models import backbones, halves
from kfg.progress import duration
from kfg.runs import run_files
from kfg.runs.choices import TUNING, WHOLE_NET, tuning
from kfg.training import features, fit, precision
from kfg.training.replicas import Replicas

HEAD_SHARE = 0.5  # of the time budget, if the net is to be fine-tuned after the head
EPOCHS_PER_PICTURE = 2  # on stored outputs: with fewer, a further view is not worth its time
PASSES = 2  # forward passes in the time of a training step of the last stages, about
AS_SET, FITTING = "as the settings say", "as many as fit into the time budget"


def choose(job, name: str, decide, *, by_clock: bool = False) -> dict:
    """Return this run's choice of that name; if no session has made it yet, `decide()` does, as a dict for JSON.

    Args:
        by_clock: whether the choice depends on how fast the machine is just now. If it does, all seeds of a command
            use the choice of the first seed, so that their spread shows chance and not the clock.
    """
    path = job.workdir / run_files.CONFIG
    settings = read_json(path, dict) if path.is_file() else {}  # a search keeps its trials' settings itself
    choices = settings.setdefault("choices", {})
    if name == TUNING and WHOLE_NET in choices:  # a run that an earlier version began
        choices[TUNING] = choices.pop(WHOLE_NET)
    if name not in choices:
        choices[name] = (by_clock and _of_first_seed(job, name)) or decide()
        write_json(path, settings)
    return choices[name]


def _of_first_seed(job, name: str) -> dict | None:
    """Return what the run of the command's first seed chose; None where this is that run, or that one chose nothing."""
    if job.first is None or not (path := job.first / run_files.CONFIG).is_file():
        return None
    choices = read_json(path, dict).get("choices", {})
    made = tuning(choices) if name == TUNING else choices.get(name)
    return {**made, "decided by": job.first.name} if made else None


SHOWN = {  # entry of a choice -> its name in the report
    "after": "last layer that did not learn",
    "views": "augmented views of each photograph",
    "why": "reason",
    "images": "photographs that the cross-validated head was judged on",
    "errors": "of these, photographs that the head was wrong on",
    "error rate": "the head's error rate",
    "trunk": "pretrained network",
    "share": "its share in the average",
    "temperature": "temperature, by which the log-odds were multiplied",
}


def rows(job) -> list[tuple[str, str]]:
    """Return all choices of this run as the rows of a table, the column names first."""
    choices = read_json(job.workdir / run_files.CONFIG, dict)["choices"]
    return [
        ("choice", "value"),
        *(
            (f"{name}: {SHOWN.get(key, key)}", str(value))
            for name, made in choices.items()
            for key, value in made.items()
        ),
    ]


def head_stage(job, training, *, views, epochs: int, batch_size: int, optimizer, loss, left: float) -> dict:
    """Decide how many views of each image the head is trained on; it is always trained for all its epochs.

    Args:
        job: a compiled job.
        training: kfg.data.part.Part whose store is a stores.Chosen.
        views: kfg.training.features.Views with the largest number of views; None: no views.
        epochs: epochs of the head.
        batch_size, optimizer, loss: for training the head.
        left: seconds that are left for it.
    Returns:
        {"views", "epochs", "why"}, and if features must still be computed, "seconds expected" and "engine".
    """
    plan = {"views": views.count if views else 0, "epochs": epochs}
    images, labels = training.store, training.labels
    trunk = halves.front(job.model)
    sought = (images, labels) if views else (images.store,)
    if features.ready(trunk, *sought, cache_dir=job.data.cache_dir, views=views):
        return {**plan, "why": f"{AS_SET}; the features exist from an earlier run"}
    plain = 0 if features.ready(trunk, images.store, cache_dir=job.data.cache_dir) else len(images.store)
    pictures = plain + plan["views"] * len(images)
    chosen = features.engine(trunk, images, cache_dir=job.data.cache_dir, count=pictures)
    print(f"Features: {chosen.told}")
    forward = features.rate(trunk, images, labels, views=views, answer=chosen.answer)
    steps = head_rate(job.model, optimizer(), loss, batch_size)
    sizes = {"images": plain, "trained": len(images), "forward": forward, "steps": steps}
    fitting = views_within(left, **plan, **sizes)
    expected = head_seconds(**{**plan, "views": fitting}, **sizes)
    why = AS_SET if fitting == plan["views"] else f"{plan['views']} do not fit into the time budget"
    if expected > left:
        print(
            f"Training the head takes about {duration(expected)}, longer than the {duration(max(left, 0))} that the "
            "time budget leaves for it. It is trained completely anyway, because a half-trained head is of no use."
        )
    else:
        print(f"Training the head takes about {duration(expected)}.")
    return {"views": fitting, "epochs": epochs, "why": why, "seconds expected": round(expected), "engine": chosen.name}


def head_seconds(*, views: int, epochs: int, images: int, trained: int, forward: float, steps: float) -> float:
    """Return the seconds that a head on cached features takes. Arguments as for `views_within`."""
    return (images + views * trained) / forward + epochs * trained / steps


def views_within(seconds, *, views: int, epochs: int, images: int, trained: int, forward: float, steps: float) -> int:
    """Return for how many views of each image there is time.

    Args:
        seconds: float, the time that there is.
        views: the most views wanted.
        epochs: epochs of the head, on cached features; they are quick.
        images: number of images that go through the trunk in any case: all, or 0 if their features exist.
        trained: number of images that the head is trained on; each of their views goes through the trunk.
        forward, steps: images/s of the trunk, and of training the head.
    Example:
        >>> sizes = dict(epochs=40, images=5000, trained=4000, forward=200, steps=10_000)  # 41 s, and 20 s a view
        >>> [views_within(time, views=2, **sizes) for time in (90, 70, 35)]
        [2, 1, 0]
    """
    left = seconds - head_seconds(views=0, epochs=epochs, images=images, trained=trained, forward=forward, steps=steps)
    return max(0, min(views, int(left * forward / trained)))


def head_rate(model, optimizer, loss, batch_size: int) -> float:
    """Return the images/s of the training steps of a model's head, measured on a copy."""
    head = keras.models.clone_model(keras.Model(model.get_layer("features").output, model.output))
    fit.compile_classifier(head, optimizer=optimizer, loss=loss)
    return precision.training_rate(head, batch_size)


def head_errors(answers, labels, *, aim: str) -> dict:
    """Count the head's errors on the training and validation images, each answered by a head that has not seen it.

    The validation images alone may be as few as nine. These are all images except the test images, and asking about
    them costs only seconds, since the features are cached.

    Args:
        answers: float (N, C), out of fold.
        labels: int (N,).
        aim: a key of AIMS.
    Returns:
        {"images", "errors", "error rate"}. The rate is 1 minus the aim: with macro recall, an error in a rare class
        counts for more.
    """
    right = answers.argmax(axis=1) == labels
    errors, score = int(np.sum(~right)), AIMS[aim](right, labels)
    print(
        f"Cross-validated on {len(labels):,} training and validation images, the head is wrong on {errors:,}; "
        f"{aim} {100 * score:.1f}%."
    )
    return {"images": len(labels), "errors": errors, "error rate": round(1 - score, 5)}


def worth_a_try(found: dict, *, min_errors: int, min_error_rate: float) -> bool:
    """Return whether the head errs so often, on the images of `head_errors`, that a fine-tuned net may do better.

    Example:
        >>> few, rare = {"errors": 3, "error rate": 0.004}, {"errors": 3, "error rate": 0.11}
        >>> [worth_a_try(found, min_errors=3, min_error_rate=0.01) for found in (few, rare)]
        [False, True]
    """
    return found["errors"] >= min_errors and found["error rate"] >= min_error_rate


def fine_tuning(job, *, epochs: int, count: int, judged: int, batch_size: int, left) -> dict:
    """Decide for how many epochs the net is fine-tuned on augmented images.

    Args:
        job: a compiled job.
        epochs: the most epochs.
        count, judged: numbers of training and of validation images.
        left: function () -> seconds that are left.
    Returns:
        {"epochs", "why"}, and what was measured to decide them.
    """
    rate, first = _training_pace(job, batch_size)
    seconds = count / rate + judged / (PASSES * rate)
    fitting = max(0, min(epochs, int((left() - first) / seconds)))
    why = AS_SET if fitting == epochs else FITTING
    return {"epochs": fitting, "why": why, "images per second": round(rate, 1), "seconds per epoch": round(seconds)}


def last_stage_alone(job, training, *, after: str, views, epochs: int, judged: int, batch_size: int, left) -> dict:
    """Decide for how many epochs the net's last stage learns on stored outputs, and on how many views of each image.

    What is stored are the outputs of the stage before it. Once they are there, an epoch takes a fraction of the time.

    Args:
        job: a compiled job.
        training: kfg.data.part.Part whose store is a stores.Chosen.
        after: name of the layer that ends the last stage but one.
        views: kfg.training.features.Views with the largest number of views; None: no views.
        epochs, judged, batch_size, left: as for `fine_tuning`.
    Returns:
        {"epochs", "views", "after", "why"}, and what was measured to decide them.
    """
    front, images, cache_dir = halves.front(job.model, after), training.store, job.data.cache_dir
    most = min(views.count if views else 0, room(cache_dir, front, count=len(images), judged=judged))
    if most < 0:
        print(f"{cache_dir}: too little room for the outputs of {after}, on which the last stage alone might learn.")
        return {"epochs": 0}
    chosen = features.engine(front, images, cache_dir=cache_dir, count=(1 + most) * len(images))
    forward = features.rate(front, images, training.labels, views=views, answer=chosen.answer)
    learner = halves.rest(_copy(job), after)
    fit.compile_classifier(learner, optimizer=job.optimizer(), loss=job.loss)
    rate, first = precision.training_pace(learner, batch_size)
    epoch, plain = len(images) / rate + judged / (PASSES * rate), first + (len(images) + judged) / forward
    found = epochs_and_views(left(), epochs=epochs, views=most, epoch=epoch, plain=plain, view=len(images) / forward)
    why = f"{FITTING}; only the last stage learns, on outputs of the stage before it, stored in the cache"
    measured = {"images per second": round(rate, 1), "seconds per epoch": round(epoch)}
    return {**found, "after": after, "why": why, **measured}


def room(folder, front, *, count: int, judged: int) -> int:
    """Return for how many views of each image the outputs of a front fit into half of what is free on the disk.

    Args:
        folder: an existing folder on that disk.
        front: Keras model.
        count, judged: numbers of training and of validation images.
    Returns:
        -1 if not even the outputs for the images themselves fit.
    """
    size = 4 * math.prod(front.output_shape[1:])  # bytes, of float32
    pictures = shutil.disk_usage(folder).free // (2 * size)
    return (pictures - judged) // count - 1


def last_stage_but_one(trunk: str) -> str | None:
    """Return the name of the layer that ends a trunk's last stage but one; None if it has a single stage.

    Args:
        trunk: a key of kfg.models.backbones.BACKBONES.
    """
    ends = backbones.BACKBONES[trunk].stages
    return ends[-2] if len(ends) > 1 else None


def epochs_and_views(seconds, *, epochs: int, views: int, epoch: float, plain: float, view: float) -> dict:
    """Return for how many epochs on stored outputs, and for how many views of each image, there is time.

    Args:
        seconds: the time that there is.
        epochs, views: the most epochs and views wanted.
        epoch, plain, view: seconds for an epoch, for the outputs of the images and all else that comes before the
            first epoch, and for the outputs of one view of each image.
    Returns:
        {"epochs", "views"}: as many views as leave time for two epochs for each picture of an image.
    Example:
        >>> [epochs_and_views(time, epochs=8, views=2, epoch=20, plain=20, view=15) for time in (240, 115, 65, 50)]
        [{'epochs': 8, 'views': 2}, {'epochs': 4, 'views': 1}, {'epochs': 2, 'views': 0}, {'epochs': 0, 'views': 0}]
        >>> epochs_and_views(1000, epochs=1, views=2, epoch=20, plain=20, view=15)
        {'epochs': 1, 'views': 0}
    """
    for count in range(max(0, min(views, epochs // EPOCHS_PER_PICTURE - 1)), -1, -1):
        fitting = min(epochs, int((seconds - plain - count * view) / epoch))
        if fitting >= min(epochs, EPOCHS_PER_PICTURE * (count + 1)):
            return {"epochs": fitting, "views": count}
    return {"epochs": 0, "views": 0}


def _copy(job):
    """Return a copy of the job's model in the run's precision, not compiled."""
    with precision.scope(read_json(job.workdir / run_files.ENVIRONMENT, dict)["precision"]):
        return job.build()


def _training_pace(job, batch_size) -> tuple[float, float]:
    """Return the images/s of training steps and the seconds of the first, which traces, measured on a copy."""
    chosen = read_json(job.workdir / run_files.ENVIRONMENT, dict)
    copy = halves.learning(_copy(job))
    fit.compile_classifier(copy, optimizer=job.optimizer(), loss=job.loss, jit_compile=chosen["jit_compile"])
    if len(job.devices) > 1:
        return Replicas(copy, job.devices, compiled=fit.compile_classifier).pace(batch_size)
    return precision.training_pace(copy, batch_size)
