"""The functions of the public face: they take arrays, Parts and Keras models, and say in a line what is wrong."""

import collections
import dataclasses
import pathlib
import tempfile

import numpy as np

from kfg.augment.policies import Policy
from kfg.data import arrays
from kfg.data.part import Part, check_policy
from kfg.errors import InputError
from kfg.evaluation import confusion, metrics
from kfg.evaluation.predict import Predictions
from kfg.runs import run_files
from kfg.runs.run import Run

BATCH_SIZE = 64  # images
MODEST = Policy(rotation=20, width_shift=0.1, height_shift=0.1, zoom=0.1, horizontal_flip=True, fill_mode="reflect")
POOL = 100  # photographs of a class that extra images are made from


def weak_classes(labels, answers, *, n: int = 3, min_support: int = 5) -> np.ndarray:
    """Return the classes that a model recalls worst, the worst first.

    Read them on validation images: test images that choose what is mended no longer tell what that was worth.

    Args:
        labels: int (N,), the true classes.
        answers: float (N, C), probabilities, as `model.predict` gives them.
        n: classes, at most.
        min_support: images that a class needs to be judged.
    Returns:
        int64 (n,), class numbers.
    Raises:
        InputError: numbers that do not fit each other, no class with enough images.
    Example:
        >>> weak_classes([0] * 5 + [1] * 5, np.eye(2)[[0, 0, 0, 0, 0, 1, 1, 0, 0, 0]], n=1)
        array([1])
    """
    answers = np.asarray(answers)
    if answers.ndim != 2:
        raise InputError(f"answers: expected probabilities (N, classes), got shape {answers.shape}")
    if not np.isfinite(answers).all():
        raise InputError("answers: hold values that are no numbers (NaN)")
    labels = arrays.checked_labels(labels, count=len(answers), classes=answers.shape[1])
    matrix = confusion.confusion_matrix(labels, answers.argmax(axis=1), answers.shape[1])
    most = int(matrix.sum(axis=1).max(initial=0))
    if most < min_support:
        raise InputError(
            f"min_support: no class has {min_support} images (most: {most}), and fewer do not tell which classes are "
            "weak; give more validation images, as by kfg.load(folder, val=0.2), or a smaller min_support"
        )
    return confusion.weak_classes(matrix, n=arrays.whole_number("n", n, least=1), min_support=min_support)


def extra_images(
    part: Part, classes=None, *, count: int = 500, policy: Policy = MODEST, pool: int = POOL, seed: int = 0
) -> Part:
    """Make changed copies of the images of some classes, to be added to the training images.

    Args:
        part: training images.
        classes: class numbers to draw from, as `weak_classes` gives them; default all.
        count: images to make.
        policy: the random changes.
        pool: images of each class that the copies are made from, at most.
        seed: int >= 0.
    Returns:
        Part of `count` images; each copy is in its source's group.
    Raises:
        InputError: a class without images, a number out of range.
    Example:
        train = train + kfg.extra_images(train, weak, count=500)
    """
    from kfg.reaugment import copies_of

    chosen = None
    if classes is not None:
        chosen = [arrays.whole_number("classes", one) for one in np.atleast_1d(classes).tolist()]
    check_policy("policy", policy)
    numbers = {"count": arrays.whole_number("count", count), "pool": arrays.whole_number("pool", pool, least=1)}
    try:
        return copies_of(part, classes=chosen, policy=policy, seed=arrays.whole_number("seed", seed), **numbers)
    except ValueError as error:
        raise InputError(str(error)) from error


def answers_on(model, part: Part) -> Predictions:
    """Ask a model about every image of a part.

    Args:
        model: Keras model, images (B, H, W, 3) in [0, 255] -> probabilities (B, C); or its answers, float (N, C).
        part: N images of C classes.
    Raises:
        InputError: a model that is no classifier of these classes.
    """
    import tensorflow as tf

    from kfg.evaluation import predict
    from kfg.exporting import saved_model
    from kfg.models.flattening import has_graph

    if isinstance(model, Run):
        model = model.model
    if not hasattr(model, "predict_on_batch"):
        if not isinstance(model, (np.ndarray, list, tuple)):
            raise InputError(f"model: expected a Keras model, a Run or probabilities, got {type(model).__name__}")
        found = Predictions(part.paths, part.labels, np.asarray(model, dtype=np.float32), part.classes)
        predict.check_answers(found)
        return found
    wanted, given = saved_model.input_size(model), part.image_size
    if wanted not in (None, given):
        raise InputError(f"model: takes images of {wanted[0]} x {wanted[1]} pixels, these are {given[0]} x {given[1]}")
    batches = part.batches(BATCH_SIZE, shuffle=False)
    if not has_graph(model):  # a graph casts what it is given, code of one's own may not
        batches = batches.map(lambda images, labels: (tf.cast(images, tf.float32), labels))
    return predict.predict(model, batches, index=part)


def evaluate(model, part: Part) -> dict:
    """Return a model's figures on labelled images, with 95 % intervals.

    Args:
        model: Keras model, images in [0, 255] -> probabilities; or its answers, float (N, C).
        part: images that the training did not see.
    Returns:
        dict of `top1`, `macro_recall`, `macro_f1`, `auc`, `loss` as {"value", "low", "high"}, and of `per_class`,
        `confusion`, `most_confused`, `baseline`; see kfg.evaluation.metrics.evaluate.
    Raises:
        InputError: a model that is no classifier of these classes, no images.
    """
    return metrics.evaluate(answers_on(model, part))


def report(model, part: Part, out) -> pathlib.Path:
    """Write the report on a model's answers: report.html, report.json, tables and pictures.

    Args:
        model: as for `evaluate`; of answers alone there is no Grad-CAM.
        part: images that the training did not see.
        out: folder; made, or empty.
    Returns:
        Path of report.html.
    Raises:
        InputError: as for `evaluate`; `out` holds something.
    """
    from kfg import explain, reporting
    from kfg.evaluation import gradcam
    from kfg.exporting import saved_model

    model = model.model if isinstance(model, Run) else model
    out = pathlib.Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"out: {out} holds something already; give a new folder")
    predictions = answers_on(model, part)
    predictions = dataclasses.replace(predictions, paths=_told_apart(predictions.paths))
    out.mkdir(parents=True, exist_ok=True)
    readable = hasattr(model, "layers") and not (saved_model.input_size(model) is None and gradcam.has_maps(model))
    looks = explain.report_sections(model, predictions, part.store, out) if readable else []
    at = {path: number for number, path in enumerate(predictions.paths)}
    evaluated = {"model": getattr(model, "name", "answers"), "photographs": part.name or "images", "images": len(part)}
    reporting.write(
        out,
        predictions,
        image_root=".",
        decode=lambda path: part.store.gather([at[str(path)]])[0],
        extra_sections=looks,
        evaluated=evaluated,
    )
    return out / run_files.PAGE


def _told_apart(paths) -> tuple[str, ...]:
    """Return names of which none is there twice: parts that were added may have images of one name."""
    count, found = collections.Counter(), []
    for path in paths:
        count[path] += 1
        found.append(path if count[path] == 1 else f"{path} ({count[path]})")
    return tuple(found)


def features(trunk, part: Part, *, cache_dir=None) -> np.ndarray:
    """Return what a trunk makes of each image, computed once per set of images and weights.

    Args:
        trunk: Keras model, images in [0, 255] -> (B, F), or maps, of which the mean is taken; or the name of a
            pretrained one, as `kfg models` lists them.
        part: N images.
        cache_dir: folder where the features are kept; default they are not.
    Returns:
        float32 (N, F).
    Raises:
        InputError: an unknown name, images of another size than the trunk takes.
    """
    import keras

    from kfg.exporting import saved_model
    from kfg.models import backbones
    from kfg.training import features as cached

    if isinstance(trunk, str):
        trunk = backbones.trunk(trunk, image_size=part.image_size)
    wanted = saved_model.input_size(trunk)
    if wanted not in (None, part.image_size):
        raise InputError(f"trunk: takes images of {wanted[0]} x {wanted[1]} pixels, these are {part.image_size}")
    if len(getattr(trunk, "output_shape", ())) == 4:  # maps: their mean, as a classifier's head takes it
        trunk = keras.Model(trunk.inputs, keras.layers.GlobalAveragePooling2D()(trunk.outputs[0]))
    with tempfile.TemporaryDirectory() as folder:
        return np.array(cached.cached(trunk, part.store, part.labels, cache_dir=pathlib.Path(cache_dir or folder)))


def train(
    folder,
    *,
    time_budget: str = "12m",
    seed: int = 0,
    out=None,
    resume: bool = False,
    weights: str | None = None,
    **settings,
) -> Run:
    """Train a classifier on a folder of photographs, as `kfg train` does, and return the finished run.

    The folder is audited and divided without leaks; a head is trained on cached features of a pretrained trunk, then
    the whole net where that promises a gain; report and export are written. What is done already is not repeated.

    Args:
        folder: with one folder for each class, or another layout that `kfg audit` takes.
        time_budget: "90s", "10m" or "2h"; how long the training may take.
        seed: int >= 0; the same seed gives the same weights, to the last bit on one machine.
        out: folder of the runs; default runs/NAME, named after the photographs' folder, or runs/NAME-2 and so on where
            the photographs have changed since.
        resume: go on with an interrupted run.
        weights: "imagenet", "none" or a file: what the trunk begins from; default ImageNet's.
        settings: others of kfg.recipes.folder.Config, such as image_size=(256, 256), backbone="resnet50" or
            learning_rate=1e-4.
    Raises:
        InputError: photographs that cannot be trained on, an argument out of range or unknown.
    Example:
        run = kfg.train("photos", time_budget="10m")
        run.predict("new-photos")
    """
    from kfg.engine import own_photographs
    from kfg.engine.options import MAX_SEED, check_known
    from kfg.recipes import folder_settings

    check_known(settings, folder_settings.names(), "kfg.train")
    if "image_size" in settings:
        settings["image_size"] = arrays.checked_size(settings["image_size"])
    folder_settings.checked(settings, prefix="")
    if arrays.whole_number("seed", seed) > MAX_SEED:
        raise InputError(f"seed: at most {MAX_SEED}, got {seed}")
    if not isinstance(time_budget, str):
        raise InputError(f'time_budget: expected a time with its unit, like "90s", "10m" or "2h", got {time_budget!r}')
    order, index = own_photographs.prepared(
        folder, time_budget=time_budget, first_seed=seed, out=out, resume=resume, weights=weights, settings=settings
    )
    from kfg.recipes import folder as recipe

    (path,) = recipe.trained(order, index)
    return Run(path)


def repair(run, *, data=None, target: float | None = None, time_budget: str = "20m", out=None, resume: bool = False):
    """Find out why classes of a run are weak, try what may help, and train with what is proven, as `kfg repair` does.

    Args:
        run: a Run, or the folder of one, of any recipe.
        data: folder of its photographs; default the one it was trained on.
        target: recall in (0, 1] below which a class is weak; default the mean of all.
        time_budget: "5m", "20m" or "1h", for all of it.
        out: folder of the findings; default `repair` in the run's folder.
        resume: go on with an interrupted training.
    Returns:
        kfg.repairing.repair.Repaired: `page`, the path of the page; `said` and `steps`, sentences on what came of it
        and what to do by hand; `run`, the new Run, or None where nothing is proven to help.
    Raises:
        InputError: no finished run, photographs that are not there, an argument out of range.
    Example:
        made = kfg.repair(kfg.train("photos"))
        print(*made.steps, sep="\n")
    """
    from kfg.engine.own_photographs import seconds_of

    if not isinstance(time_budget, str):
        raise InputError(f'time_budget: expected a time with its unit, like "5m" or "1h", got {time_budget!r}')
    seconds = seconds_of(time_budget)
    path = run.path if isinstance(run, Run) else Run(run).path
    from kfg.repairing import repair as whole

    return whole.repair(path, data=data, target=target, time_budget=seconds, out=out, resume=resume)
