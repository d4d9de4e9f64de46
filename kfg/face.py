"""The functions of kfg's public interface. They take arrays, Parts and Keras models; errors are one clear line."""

import dataclasses
import pathlib
import tempfile

import numpy as np

from kfg import names, overwrite, time_budgets
from kfg.augment.policies import Policy
from kfg.data import arrays
from kfg.data.part import Part, check_policy
from kfg.errors import InputError
from kfg.evaluation import confusion, metrics
from kfg.evaluation.predict import Predictions
from kfg.runs import run_files
from kfg.runs.run import Run

BATCH_SIZE = 64  # images in a batch
MODEST = Policy(rotation=20, width_shift=0.1, height_shift=0.1, zoom=0.1, horizontal_flip=True, fill_mode="reflect")
POOL = 100  # photographs of each class from which extra images are made


def weak_classes(labels, answers, *, n: int = 3, min_support: int = 5) -> np.ndarray:
    """Return the classes with the lowest recall, the lowest first.

    Use validation images. If the test images decide which classes are treated, they can no longer tell what the
    treatment was worth.

    Args:
        labels: int (N,), the true classes.
        answers: float (N, C), probabilities, as `model.predict` gives them.
        n: the most classes to return.
        min_support: images that a class needs to be considered.
    Returns:
        int64 (n,), class numbers.
    Raises:
        InputError: arrays whose shapes or values do not fit each other; no class with enough images; a number out of
            range.
    Example:
        >>> weak_classes([0] * 5 + [1] * 5, np.eye(2)[[0, 0, 0, 0, 0, 1, 1, 0, 0, 0]], n=1)
        array([1])
    """
    answers = np.asarray(answers)
    if answers.ndim != 2:
        raise InputError(f"answers: expected probabilities (N, classes), got shape {answers.shape}")
    if not np.isfinite(answers).all():
        raise InputError("answers: some values are not numbers (NaN)")
    labels = arrays.checked_labels(labels, count=len(answers), classes=answers.shape[1])
    min_support = arrays.whole_number("min_support", min_support, least=1)
    matrix = confusion.confusion_matrix(labels, answers.argmax(axis=1), answers.shape[1])
    most = int(matrix.sum(axis=1).max(initial=0))
    if most < min_support:
        raise InputError(
            f"min_support: no class has {min_support} images (the largest has {most}), and fewer are too few to tell "
            "which classes are weak; give more validation images, for example with kfg.load(folder, val=0.2), or a "
            "smaller min_support"
        )
    return confusion.weak_classes(matrix, n=arrays.whole_number("n", n, least=1), min_support=min_support)


def extra_images(
    part: Part, classes=None, *, count: int = 500, policy: Policy = MODEST, pool: int = POOL, seed: int = 0
) -> Part:
    """Make randomly changed copies of some classes' images, to be added to the training images.

    Args:
        part: training images.
        classes: numbers of the classes to copy from, as `weak_classes` returns them, or their names; default all.
        count: how many images to make.
        policy: the random changes.
        pool: the most images of each class from which copies are made.
        seed: int >= 0.
    Returns:
        Part of `count` images; each copy belongs to the group of its source image.
    Raises:
        InputError: no Part, an unknown class, a class without images, no policy, a number out of range.
    Example:
        train = train + kfg.extra_images(train, weak, count=500)
    """
    from kfg.reaugment import copies_of

    _check_part(part)
    chosen = None
    if classes is not None:
        chosen = [_class_number(part, one) for one in np.atleast_1d(classes).tolist()]
    if policy is None:
        raise InputError("policy: None would make unchanged copies; give one, such as kfg.Policy(rotation=20)")
    check_policy("policy", policy)
    numbers = {"count": arrays.whole_number("count", count), "pool": arrays.whole_number("pool", pool, least=1)}
    try:
        return copies_of(part, classes=chosen, policy=policy, seed=arrays.whole_number("seed", seed), **numbers)
    except ValueError as error:
        raise InputError(str(error)) from error


def _class_number(part, one) -> int:
    """Return the number of a class that is given by number or by name."""
    if not isinstance(one, str):
        return arrays.whole_number("classes", one)
    if one not in part.classes:
        raise InputError(f"classes: there is no class {one!r}; {names.suggestion(one, part.classes)}")
    return part.classes.index(one)


def _check_part(part) -> None:
    if not isinstance(part, Part):
        raise InputError(
            f"part: expected a kfg.Part, got {type(part).__name__}; make one from arrays with kfg.Part(images, labels)"
        )


def _keras_of(model, part: Part):
    """Return the Keras model of a Run, whose classes must be those of the part; whatever else is given, unchanged."""
    if not isinstance(model, Run):
        return model
    if model.classes != part.classes:
        known, given = (names.printable(names.shortened(one)) for one in (model.classes, part.classes))
        raise InputError(f"part: has the classes {given}, but the run has {known}; they must be equal, in this order")
    return model.model


def answers_on(model, part: Part) -> Predictions:
    """Return a model's answers on every image of a part.

    Args:
        model: Keras model, images (B, H, W, 3) in [0, 255] -> probabilities (B, C); or a Run; or answers, float (N, C).
        part: N images of C classes.
    Raises:
        InputError: no Part; the model is not a classifier of these classes; a Run of other classes or another order.
    """
    import tensorflow as tf

    from kfg.evaluation import predict
    from kfg.exporting import saved_model
    from kfg.models.flattening import has_graph

    _check_part(part)
    model = _keras_of(model, part)
    if not hasattr(model, "predict_on_batch"):
        if not isinstance(model, (np.ndarray, list, tuple)):
            raise InputError(f"model: expected a Keras model, a Run or probabilities, got {type(model).__name__}")
        found = Predictions(part.paths, part.labels, np.asarray(model, dtype=np.float32), part.classes)
        predict.check_answers(found)
        return found
    wanted, given = saved_model.input_size(model), part.image_size
    if wanted not in (None, given):
        raise InputError(
            f"model: takes images of {wanted[0]} x {wanted[1]} pixels, but these images have {given[0]} x {given[1]}"
        )
    batches = part.batches(BATCH_SIZE, shuffle=False)
    if not has_graph(model):  # a Keras graph casts its input to float; code of one's own may not
        batches = batches.map(lambda images, labels: (tf.cast(images, tf.float32), labels))
    return predict.predict(model, batches, index=part)


def evaluate(model, part: Part) -> dict:
    """Return a model's figures on labelled images, with 95% intervals.

    Args:
        model: Keras model, images in [0, 255] -> probabilities; or a Run; or answers, float (N, C).
        part: images that the model was not trained on.
    Returns:
        dict of `top1`, `macro_recall`, `macro_f1`, `auc`, `loss` as {"value", "low", "high"}, and of `per_class`,
        `confusion`, `most_confused`, `baseline`; see kfg.evaluation.metrics.evaluate. Near-duplicates, which share a
        group of the part, count together in most intervals.
    Raises:
        InputError: the model is not a classifier of these classes; the part has no images, or is no Part.
    """
    return metrics.evaluate(answers_on(model, part), groups=part.groups)


def report(model, part: Part, out) -> pathlib.Path:
    """Write the report on a model's answers: report.html, report.json, tables and pictures.

    Args:
        model: as for `evaluate`; if only answers are given, the report has no Grad-CAM.
        part: images that the model was not trained on.
        out: folder to write to; it is made, or must be empty.
    Returns:
        Path of report.html.
    Raises:
        InputError: as for `evaluate`; `out` is not empty.
    """
    from kfg import explain, reporting
    from kfg.evaluation import gradcam
    from kfg.exporting import saved_model

    _check_part(part)
    out = pathlib.Path(out)
    if not overwrite.is_free(out):
        raise InputError(f"out: {out} is not empty; give a new folder")
    model = _keras_of(model, part)
    predictions = answers_on(model, part)
    predictions = dataclasses.replace(predictions, paths=names.told_apart(map(names.utf8, predictions.paths)))
    out.mkdir(parents=True, exist_ok=True)
    readable = hasattr(model, "layers") and not (saved_model.input_size(model) is None and gradcam.has_maps(model))
    looks = explain.looks(model, predictions, part.store, out) if readable else explain.Looks([], {})
    root = part.root or pathlib.Path()
    at = {root / path: number for number, path in enumerate(predictions.paths)}
    evaluated = {"model": getattr(model, "name", "answers"), "photographs": part.name or "images", "images": len(part)}
    reporting.write(
        out,
        predictions,
        image_root=root,
        decode=lambda path: part.store.gather([at[path]])[0],
        store=part.store,
        maps=looks.maps,
        extra_sections=looks.sections,
        evaluated=evaluated,
        groups=part.groups,
    )
    return out / run_files.PAGE


def features(trunk, part: Part, *, cache_dir=None) -> np.ndarray:
    """Return a trunk's features of each image. They are computed once for each set of images and weights.

    Args:
        trunk: Keras model, images in [0, 255] -> features (B, F), or feature maps, whose mean is taken; or the name of
            a pretrained trunk, as `kfg models` lists them.
        part: N images.
        cache_dir: folder in which the features are kept; by default they are not kept.
    Returns:
        float32 (N, F).
    Raises:
        InputError: an unknown name; images of a size that the trunk does not take; no Part.
    """
    import keras

    from kfg.exporting import saved_model
    from kfg.models import backbones
    from kfg.training import features as cached

    _check_part(part)
    if isinstance(trunk, str):
        trunk = backbones.trunk(trunk, image_size=part.image_size)
    wanted = saved_model.input_size(trunk)
    if wanted not in (None, part.image_size):
        given = part.image_size
        raise InputError(
            f"trunk: takes images of {wanted[0]} x {wanted[1]} pixels, but these images have {given[0]} x {given[1]}"
        )
    if len(getattr(trunk, "output_shape", ())) == 4:  # feature maps: take their mean, as a classifier's head does
        trunk = keras.Model(trunk.inputs, keras.layers.GlobalAveragePooling2D()(trunk.outputs[0]))
    with tempfile.TemporaryDirectory() as folder:
        return np.array(cached.cached(trunk, part.store, part.labels, cache_dir=pathlib.Path(cache_dir or folder)))


def train(
    folder,
    *,
    time_budget: str = time_budgets.TRAINING,
    seed: int = 0,
    out=None,
    resume: bool = False,
    weights: str | None = None,
    corrections=True,
    csv=None,
    path_column: str | None = None,
    label_column: str | None = None,
    part_column: str | None = None,
    **settings,
) -> Run:
    """Train a classifier on a folder of photographs, as `kfg train` does, and return the finished run.

    The folder is audited and split without leaks. A head is trained on cached features of a pretrained trunk, then the
    net is fine-tuned if that promises a gain. A report and an export are written. Steps that are already done are not
    repeated.

    Args:
        folder: photographs in one folder for each class, or in another layout that `kfg audit` takes.
        time_budget: how long the training may take: "90s", "10m" or "2h"; default "12m".
        seed: int >= 0; the same seed gives the same weights, to the last bit on one machine.
        out: folder of the runs; default runs/NAME, where NAME is the name of the photographs' folder. If the
            photographs have changed since the last run, it is runs/NAME-2, and so on.
        resume: continue an interrupted run.
        weights: what the trunk starts from: "imagenet" (the default), "none" or a weights file.
        corrections, csv, path_column, label_column, part_column: as for kfg.load.
        settings: other fields of kfg.recipes.folder.Config, such as image_size=(256, 256), backbone="resnet50" or
            learning_rate=1e-4.
    Raises:
        InputError: photographs that cannot be trained on; an argument that is unknown or out of range.
    Example:
        run = kfg.train("photos", time_budget="10m")
        run.predict("new-photos")
    """
    from kfg.data import labels
    from kfg.engine import own_photographs
    from kfg.engine.options import MAX_SEED, check_known
    from kfg.recipes import folder_settings

    check_known(settings, folder_settings.names(), "kfg.train")
    if "image_size" in settings:
        settings["image_size"] = arrays.checked_size(settings["image_size"])
    folder_settings.checked(settings, prefix="")
    if arrays.whole_number("seed", seed) > MAX_SEED:
        raise InputError(f"seed: must be at most {MAX_SEED}, got {seed}")
    if not isinstance(time_budget, str):
        raise InputError(f'time_budget: expected a time with its unit, like "90s", "10m" or "2h", got {time_budget!r}')
    order = own_photographs.prepared(
        folder,
        time_budget=time_budget,
        first_seed=seed,
        out=out,
        resume=resume,
        weights=weights,
        corrections=corrections,
        labels=labels.given(csv, path_column, label_column, part_column),
        settings=settings,
    )
    from kfg.recipes import folder as recipe

    (path,) = recipe.trained(order)
    return Run(path)


def repair(
    run,
    *,
    data=None,
    target: float | None = None,
    time_budget: str = time_budgets.REPAIR,
    out=None,
    resume: bool = False,
):
    """Find out why classes of a run are weak, try remedies, and train with a proven one, as `kfg repair` does.

    Args:
        run: a Run or a run folder, of any recipe.
        data: folder of the run's photographs; default the one that it was trained on.
        target: recall in (0, 1] below which a class counts as weak; default the share of all photographs that is
            recognised.
        time_budget: time for the whole repair: "5m", "20m" or "1h"; default "20m".
        out: folder for the findings; default `repair` in the run's folder.
        resume: continue an interrupted training.
    Returns:
        kfg.repairing.repair.Repaired with: `page`, the path of the page; `said` and `steps`, sentences on the outcome
        and on what to do by hand; `run`, the new Run, or None if no remedy was proven to help; `stands`, whether that
        run is to be used: what helps heads may fail on a trained network.
    Raises:
        InputError: no finished run; photographs that are not there; an argument out of range.
    Example:
        made = kfg.repair(kfg.train("photos"))
        print(*made.steps, sep="\n")
    """
    if not isinstance(time_budget, str):
        raise InputError(f'time_budget: expected a time with its unit, like "5m" or "1h", got {time_budget!r}')
    seconds = time_budgets.seconds_of(time_budget)
    path = run.path if isinstance(run, Run) else Run(run).path
    from kfg.repairing import repair as whole

    return whole.repair(path, data=data, target=target, time_budget=seconds, out=out, resume=resume)
