"""`kfg.export`: write any Keras classifier as a SavedModel, after checking that it can serve as one."""

import numpy as np

from kfg.data import arrays
from kfg.data.part import Part
from kfg.errors import InputError
from kfg.names import printable, shortened

SAMPLES = 32  # images on which model and export are compared
DRAWN = 4  # images of noise to compare them on, if none are given


def export(model, path, *, classes, samples=None):
    """Write a model with its classes as a SavedModel that takes photographs of any size, and check its answers.

    Args:
        model: Keras model (sequential, functional, nested or subclassed), images in [0, 255] -> probabilities (B, C).
        path: folder to write; an existing export is replaced.
        classes: C names, in the order of the model's outputs.
        samples: Part, or uint8 (N, H, W, 3) of the model's size, to compare model and export on. With a Part, a model
            that expects images in [0, 1] is detected too. Default random noise.
    Returns:
        kfg.exporting.parity.Parity: the largest differences of the probabilities.
    Raises:
        InputError: no Keras model; the number of names is not that of the outputs; outputs are not probabilities; the
            model expects scaled images; the folder holds something else.
        kfg.exporting.parity.ParityError: the export answers differently; it is kept in `path` with "-failed" added.
    """
    from kfg.exporting import saved_model

    if not hasattr(model, "predict_on_batch"):
        raise InputError(f"model: expected a Keras model, got {type(model).__name__}; of a kfg.Run, give run.model")
    classes, size = tuple(map(str, classes)), saved_model.input_size(model)
    labelled = isinstance(samples, Part)
    part = samples if labelled else _unlabelled(samples, size)
    _check_samples(part, size, classes if labelled else part.classes)
    chosen = part[np.linspace(0, len(part) - 1, min(SAMPLES, len(part))).astype(np.int64)]
    images = chosen.images
    answers = _asked(model, images)
    _check_answers(answers, classes)
    if labelled:
        _check_scale(model, images, chosen.labels, answers)
    return saved_model.save(model, path, classes=classes, samples=images)


def _unlabelled(samples, size) -> Part:
    """Return the images as a Part; if none are given, a Part of random noise."""
    if samples is None and size is None:
        raise InputError(
            "samples: this model does not say which image size it takes; give some images with kfg.export(..., "
            "samples=images)"
        )
    if samples is None:
        samples = np.random.default_rng(0).integers(0, 256, (DRAWN, *size, 3), dtype=np.uint8)
    images = arrays.checked_images(samples, name="samples")
    return Part(images, np.zeros(len(images), np.int32))


def _check_samples(part, size, classes) -> None:
    if not len(part):
        raise InputError("samples: holds no images; give at least one")
    if part.classes != classes:
        theirs, given = printable(shortened(part.classes)), printable(shortened(classes))
        raise InputError(f"samples: have the classes {theirs}, but classes gives {given}")
    if size not in (None, part.image_size):
        height, width = part.image_size
        raise InputError(f"samples: have {height} x {width} pixels, but the model takes {size[0]} x {size[1]}")


def _asked(model, images) -> np.ndarray:
    return np.asarray(model.predict_on_batch(images.astype(np.float32)), dtype=np.float32)


def _check_answers(answers, classes) -> None:
    if answers.ndim != 2:
        raise InputError(
            f"model: its outputs have the shape {answers.shape}, but a classifier's have (images, classes)"
        )
    if answers.shape[1] != len(classes):
        raise InputError(f"classes: got {len(classes)} names for a model with {answers.shape[1]} outputs")
    sums = answers.sum(axis=1)
    if not np.isfinite(answers).all() or (abs(sums - 1) > 1e-2).any() or (answers < 0).any():
        raise InputError(
            f"model: its outputs are not probabilities (the first sum to {sums[0]:.3g}, not 1); if its last layer "
            "gives logits, add keras.layers.Softmax() after it"
        )


def _check_scale(model, images, labels, answers) -> None:
    """Refuse a model that answers better on images in [0, 1] than on images in [0, 255].

    Errors alone do not show it, so the loss is compared as well: a net of ReLUs may name the same class for both
    scales, and be far too confident on large values.
    """
    scaled = _asked(model, images.astype(np.float32) / 255)
    (loss, right), (scaled_loss, scaled_right) = (_loss_and_right(one, labels) for one in (answers, scaled))
    chance = len(labels) / answers.shape[1]
    if scaled_right >= max(right, 2 * chance) and scaled_loss < 0.9 * loss:
        raise InputError(
            f"model: on {len(labels)} samples its loss is {scaled_loss:.2f} with images in [0, 1] and {loss:.2f} with "
            "[0, 255], so it seems to expect scaled images; add keras.layers.Rescaling(1 / 255) before it"
        )


def _loss_and_right(answers, labels) -> tuple[float, int]:
    true = answers[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(true, 1e-7, 1)).mean()), int((answers.argmax(axis=1) == labels).sum())
