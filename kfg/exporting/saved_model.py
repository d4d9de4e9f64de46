"""A model with its classes, resize and decoding as one SavedModel.

Endpoints of the SavedModel (plain TensorFlow loads it, kfg is not needed):
    serve        uint8 (B, H, W, 3) RGB of any size -> float32 (B, C) probabilities
    serve_bytes  string (B,), encoded JPEG, PNG, GIF or BMP -> the same; limits in kfg.data.decode_in_graph
    class_names  () -> string (C,)
    image_size   () -> int32 (2,), height and width in pixels that images are resized to
"""

import functools
import logging
import pathlib
import shutil
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from kfg import files, overwrite
from kfg.data import decode_in_graph
from kfg.data.decoded import resize
from kfg.errors import InputError
from kfg.exporting import parity
from kfg.exporting.parity import DIGESTS_FILE, Parity, ParityError
from kfg.files import write_json
from kfg.models import folding
from kfg.models.flattening import has_graph
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
    decode = _traced(decode_in_graph.decode)

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
