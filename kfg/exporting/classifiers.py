"""The classifier that reads an export or a model.keras back, and answers on image files."""

import concurrent.futures
import dataclasses
import functools
import json
import logging
import math
import os
import zipfile
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from kfg.data import decode as decoding
from kfg.data.decoded import resize
from kfg.errors import InputError
from kfg.exporting import parity
from kfg.exporting.parity import load_saved_model
from kfg.exporting.saved_model import FAILED_FILE, failed_folder
from kfg.files import listed, local, read_json
from kfg.models import saved
from kfg.runs import run_files

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Answer:
    """One image's result: `error` is a line where the image could not be read, else ""."""

    path: str
    names: tuple[str, ...]
    probabilities: np.ndarray
    error: str = ""

    @property
    def class_name(self) -> str:
        """The likeliest class; "" where the image could not be read."""
        return "" if self.error else self.names[int(np.argmax(self.probabilities))]

    @property
    def probability(self) -> float:
        """That of the likeliest class; NaN where the image could not be read."""
        return math.nan if self.error else float(np.max(self.probabilities))

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` likeliest (class name, probability), likeliest first."""
        best = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.names[i], float(self.probabilities[i])) for i in best]


class Classifier:
    """A model that answers on image files.

    Args:
        serve: function uint8 (B, H, W, 3) -> probabilities (B, C).
        classes: C class names.
        image_size: (height, width) in pixels that `serve` was trained on.
    """

    def __init__(self, serve, *, classes, image_size):
        self.serve, self.classes, self.image_size = serve, tuple(classes), tuple(image_size)

    def predict(self, paths, *, batch_size: int = 32) -> Iterator[Answer]:
        """Classify image files in order; a bad file gives an Answer with `error`, the others go on.

        Args:
            paths: of image files; a single path is one of them.
            batch_size: images at once.
        Raises:
            InputError: something that is no path.
        """
        paths = [str(path) for path in listed(paths)]
        chunks = [paths[start : start + batch_size] for start in range(0, len(paths), batch_size)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            read = [[pool.submit(self._read, path) for path in chunk] for chunk in chunks[:1]]
            for number, chunk in enumerate(chunks):
                # the next images are read while the model answers on these
                read += [[pool.submit(self._read, path) for path in more] for more in chunks[number + 1 : number + 2]]
                yield from self._answers(chunk, [one.result() for one in read.pop(0)])

    def _read(self, path):
        try:
            return resize(decoding.decode(path), self.image_size)
        except InputError as error:
            return error

    def _answers(self, paths, images):
        good = [image for image in images if not isinstance(image, InputError)]
        probabilities = iter(np.asarray(self.serve(tf.stack(good))) if good else ())
        for path, image in zip(paths, images, strict=True):
            if isinstance(image, InputError):
                yield Answer(path, self.classes, np.empty(0, np.float32), str(image))
            else:
                yield Answer(path, self.classes, next(probabilities))

    def top1(self, path) -> tuple[str, float]:
        """Return the likeliest class name of one image file and its probability."""
        (answer,) = self.predict([path])
        if answer.error:
            raise InputError(answer.error)
        return answer.top(1)[0]


def load(path) -> Classifier:
    """Load an export, the export of a run folder, or the model.keras an interrupted run left there.

    Raises:
        InputError: there is none, it is damaged, or its classes are not those listed beside it.
    """
    path = local(path)
    if path.name == run_files.MODEL and path.is_file():
        return _load_keras(path)
    for folder in (path / "export", path):
        if (folder / "saved_model.pb").is_file():
            return _load_export(folder)
    if (path / run_files.MODEL).is_file():
        if (failed := failed_folder(path / "export")).is_dir():
            logger.warning("%s: this export failed its check and is not used; %s answers", failed, run_files.MODEL)
        return _load_keras(path)
    raise InputError(f"{path}: no export here (expected saved_model.pb, export/saved_model.pb or {run_files.MODEL})")


def _load_export(folder) -> Classifier:
    if (folder / FAILED_FILE).is_file():
        raise InputError(
            f"{folder}: this export failed its check: its answers are not its model's; use {run_files.MODEL}"
        )
    parity.check_digests(folder)
    try:
        loaded = load_saved_model(folder)
        classes = [name.decode() for name in loaded.class_names().numpy()]
        size = loaded.image_size().numpy().tolist()
    except (OSError, tf.errors.OpError, AttributeError, IndexError) as error:
        raise InputError(f"{folder}: not a whole kfg export ({str(error).splitlines()[0]})") from error
    if read_json(folder / run_files.CLASSES) != classes:
        raise InputError(f"{folder / run_files.CLASSES}: its classes are not those inside the model")
    # a SavedModel's functions do not keep its variables alive, the closure does
    return Classifier(lambda images: loaded.serve(images), classes=classes, image_size=size)


def _load_keras(path) -> Classifier:
    model, classes = load_keras(path)
    serve = functools.partial(model, training=False)
    return Classifier(serve, classes=classes, image_size=model.input_shape[1:3])


def load_keras(path) -> tuple[keras.Model, list[str]]:
    """Load the Keras model of a run folder, or a .keras file with its classes.json beside it, and its class names.

    Raises:
        InputError: there is none, only an export, which has no layers; it is damaged, or its classes do not fit.
    """
    path = local(path)
    if (path / "saved_model.pb").is_file():
        beside = path.parent / run_files.MODEL
        raise InputError(f"{path}: an export has no layers, the Keras model is needed: {beside}")
    path = path / run_files.MODEL if path.is_dir() else path
    if not path.is_file() or path.suffix != ".keras":
        raise InputError(f"{path}: no Keras model here (expected a run folder or a .keras file)")
    model = saved.load(path)
    listed = path.with_name(run_files.CLASSES)
    classes = read_json(listed, list)
    if len(classes) != model.output_shape[-1]:
        raise InputError(f"{listed}: {len(classes)} classes, the model has {model.output_shape[-1]}")
    with zipfile.ZipFile(path) as file:
        inside = json.loads(file.read(run_files.CLASSES)) if run_files.CLASSES in file.namelist() else classes
    if inside != classes:
        raise InputError(f"{listed}: its classes are not those inside {path.name}")
    return model, classes
