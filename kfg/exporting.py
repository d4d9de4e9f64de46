"""A model with its classes, resize and decoding as one SavedModel, and the classifier that reads it back.

Endpoints of the SavedModel (plain TensorFlow loads it, kfg is not needed):
    serve        uint8 (B, H, W, 3) RGB of any size -> float32 (B, C) probabilities
    serve_bytes  string (B,), encoded JPEG, PNG, GIF or BMP -> the same; limits in kfg.data.graph
    class_names  () -> string (C,)
    image_size   () -> int32 (2,), height and width in pixels that images are resized to
"""

import concurrent.futures
import dataclasses
import functools
import json
import logging
import math
import os
import pathlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from kfg import files, overwrite, parity
from kfg.data import decode as decoding
from kfg.data import graph
from kfg.data.pipeline import resize
from kfg.errors import InputError
from kfg.files import listed, local, read_json, write_json
from kfg.models import folding, saved
from kfg.models.flattening import has_graph
from kfg.parity import DIGESTS_FILE, Parity, ParityError, load_saved_model
from kfg.runs import run_files

logger = logging.getLogger(__name__)

MARKS = ("saved_model.pb", run_files.CLASSES)  # what every export has; a folder without them is somebody else's
FAILED_FILE = "parity_failed.json"  # in an export that must not be used
PARTS = (
    DIGESTS_FILE,
    "variables",
    "variables/variables.*",
    "assets",
    "assets.extra",
    "fingerprint.pb",
    "keras_metadata.pb",
    FAILED_FILE,
)


def failed_folder(path) -> pathlib.Path:
    """Return where an export goes that was to be `path` and failed its check."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.name}-failed")


def save(model, path, *, classes, samples: np.ndarray, encoded: Mapping[int, bytes] | None = None) -> Parity:
    """Write `model` as a SavedModel and check that it answers as the model does.

    A file that TensorFlow decodes to other pixels than training shows in the result and is no reason to refuse the
    export.

    Args:
        model: Keras model, images in [0, 255] -> probabilities (B, C).
        path: folder to make; an export that is there is replaced once the new one is whole and checked.
        classes: C class names.
        samples: uint8 (B, H, W, 3), B >= 1, decoded as training decodes: compared through `serve`. Their size is
            the model's where that does not say it.
        encoded: number of a sample -> its file, compared through `serve_bytes`.
    Returns:
        The largest differences.
    Raises:
        ParityError: that of `serve` is too large. `path` is as it was; the new export is in `failed_folder(path)`,
            marked so that `load` refuses it.
        InputError: `path` holds something else than an export, the disk is full.
    """
    path = files.followed(pathlib.Path(path).absolute())
    failed = failed_folder(path)
    overwrite.check_folder(path, marks=MARKS, parts=PARTS)
    partial = files.beside(path)
    files.sweep(path.parent, path.name)  # of a process that was killed
    try:
        _write(model, partial, classes, input_size(model) or samples.shape[1:3])
        write_json(partial / run_files.CLASSES, list(classes))
        found = parity.measure(model, partial, samples, encoded or {})
        if not found.passed:
            write_json(partial / FAILED_FILE, {"difference": str(found.serve), "allowed": found.allowed})
            if _is_export(failed):
                overwrite.replace_folder(partial, failed, marks=MARKS, parts=PARTS)
            raise ParityError(found, failed)
        write_json(partial / DIGESTS_FILE, parity.digests(partial, but=run_files.CLASSES))  # its classes are inside too
        overwrite.replace_folder(partial, path, marks=MARKS, parts=PARTS)
        if (failed / FAILED_FILE).is_file() and _is_export(failed):  # of an earlier try
            shutil.rmtree(failed)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _is_export(path) -> bool:
    """Return whether a folder may be replaced; one that holds somebody else's files stays, with a warning."""
    try:
        overwrite.check_folder(path, marks=MARKS, parts=PARTS)
    except InputError as error:
        logger.warning("%s; it is left as it is", error)
        return False
    return True


@functools.lru_cache(maxsize=1)
def _traced(decode):
    """Return a function string () -> image as one graph: tracing it takes 2 s, and an export would do so twice."""
    return tf.function(decode, autograph=False).get_concrete_function(tf.TensorSpec((), tf.string))


def input_size(model) -> tuple[int, int] | None:
    """Return (height, width) of the images a model takes, None where it does not say, as a model of one's own class."""
    shape = getattr(model, "input_shape", None)
    known = isinstance(shape, tuple) and len(shape) == 4 and shape[1] and shape[2]
    return tuple(shape[1:3]) if known else None


def _write(model, path, classes, image_size):
    model = folding.fold(model)
    names, size = tf.constant(list(classes)), tf.constant(image_size)
    decode = _traced(graph.decode)

    def typed(images):  # a graph casts what it is given, code of one's own may not
        return images if has_graph(model) else tf.cast(images, tf.float32)

    def serve(images):
        return model(typed(resize(images, image_size)), training=False)

    def serve_bytes(encoded):
        signature = tf.TensorSpec((*image_size, 3), tf.uint8)
        images = tf.map_fn(lambda one: resize(decode(one), image_size), encoded, fn_output_signature=signature)
        return model(typed(images), training=False)

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", serve, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")]
    )
    archive.add_endpoint(
        "serve_bytes", serve_bytes, input_signature=[tf.TensorSpec((None,), tf.string, name="encoded")]
    )
    archive.add_endpoint("class_names", lambda: names, input_signature=[])
    archive.add_endpoint("image_size", lambda: size, input_signature=[])
    try:
        archive.write_out(str(path), verbose=False)
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(f"{path}: the disk is full; make room and run again with --resume") from error


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
