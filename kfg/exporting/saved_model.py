"""A model with its classes, resize and decoding as one SavedModel.

Endpoints of the SavedModel (plain TensorFlow loads it, kfg is not needed):
    serve        uint8 (B, H, W, 3) RGB of any size -> float32 (B, C) probabilities
    serve_bytes  string (B,), encoded JPEG, PNG, GIF or BMP -> the same; limits in kfg.data.decode_in_graph
    class_names  () -> string (C,)
    image_size   () -> int32 (2,), height and width in pixels that images are resized to
and, for a model from a run, these; the confidence.json beside it has thresholds for them:
    judge        uint8 (B, H, W, 3) RGB of any size -> [probabilities (B, C), float32 strangeness (B,)]; only if the net
        has pooled features
    fingerprint  () -> string, fingerprint of the model, which confidence.json must name
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
from kfg.errors import InputError
from kfg.exporting import parity
from kfg.exporting.parity import Parity, ParityError
from kfg.files import write_json
from kfg.models import calibrated, folding
from kfg.models.flattening import has_graph
from kfg.runs import run_files

logger = logging.getLogger(__name__)

# files that every export has; a folder without them is somebody else's
MARKS = (run_files.SAVED_MODEL, run_files.CLASSES)
FAILED_FILE = "parity_failed.json"  # marks an export that must not be used
PARTS = (
    run_files.DIGESTS,
    "variables",
    "variables/variables.*",
    "assets",
    "assets.extra",
    "fingerprint.pb",
    "keras_metadata.pb",
    FAILED_FILE,
    run_files.CONFIDENCE,
)


def failed_folder(path) -> pathlib.Path:
    """Return the folder to which an export for `path` is moved if it fails its check."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.name}-failed")


def save(
    model,
    path,
    *,
    classes,
    samples: np.ndarray,
    encoded: Mapping[int, bytes] | None = None,
    confidence: dict | None = None,
    bank: np.ndarray | None = None,
) -> Parity:
    """Write `model` as a SavedModel and check that it answers as the model does.

    If TensorFlow decodes a file to other pixels than training does, the result shows it, but the export is not refused.

    Args:
        model: Keras model, images in [0, 255] -> probabilities (B, C).
        path: folder to write; an existing export is replaced once the new one is complete and checked.
        classes: C class names.
        samples: uint8 (B, H, W, 3), B >= 1, decoded as training decodes; compared through `serve`. If the model has no
            fixed input size, theirs is used.
        encoded: number of a sample -> content of its file, compared through `serve_bytes`.
        confidence: content of this model's confidence.json; default None, as for a model that no run has made.
        bank: float32 (M, F), features against which strangeness is measured; see `kfg.models.calibrated.judge`.
    Returns:
        The largest differences.
    Raises:
        ParityError: the difference of `serve` is too large. `path` is unchanged; the new export is in
            `failed_folder(path)`, marked so that `load` refuses it.
        InputError: `path` holds something other than an export; the disk is full.
    """
    path = files.followed(pathlib.Path(path).absolute())
    failed = failed_folder(path)
    overwrite.check_folder(path, marks=MARKS, parts=PARTS)
    partial = files.beside(path)
    files.sweep(path.parent, path.name)  # left by a process that was killed
    try:
        told = [] if confidence is None else [confidence["model"]]
        _write(model, partial, classes, input_size(model) or samples.shape[1:3], bank, *told)
        write_json(partial / run_files.CLASSES, list(classes))
        if confidence is not None:
            write_json(partial / run_files.CONFIDENCE, confidence)
        found = parity.measure(model, partial, samples, encoded or {})
        if not found.passed:
            write_json(partial / FAILED_FILE, {"difference": str(found.serve), "allowed": found.allowed})
            if _is_export(failed):
                overwrite.replace_folder(partial, failed, marks=MARKS, parts=PARTS)
            raise ParityError(found, failed)
        # classes.json beside the model has no digest: the classes inside the model are the ones that count
        write_json(partial / run_files.DIGESTS, parity.digests(partial, but=run_files.CLASSES))
        overwrite.replace_folder(partial, path, marks=MARKS, parts=PARTS)
        if (failed / FAILED_FILE).is_file() and _is_export(failed):  # left by an earlier try
            shutil.rmtree(failed)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _is_export(path) -> bool:
    """Return whether a folder may be replaced; a folder with other files stays, with a warning."""
    try:
        overwrite.check_folder(path, marks=MARKS, parts=PARTS)
    except InputError as error:
        logger.warning("%s; it is left unchanged", error)
        return False
    return True


@functools.lru_cache(maxsize=1)
def _traced(decode):
    """Return a function string () -> image as one graph; cached, as tracing takes 2 s and an export needs it twice."""
    return tf.function(decode, autograph=False).get_concrete_function(tf.TensorSpec((), tf.string))


def input_size(model) -> tuple[int, int] | None:
    """Return (height, width) of the images a model takes; None if it does not say, as some subclassed models."""
    shape = getattr(model, "input_shape", None)
    known = isinstance(shape, tuple) and len(shape) == 4 and shape[1] and shape[2]
    return tuple(shape[1:3]) if known else None


def _write(model, path, classes, image_size, bank=None, fingerprint=None):
    model = folding.fold(model if bank is None else calibrated.judge(model, bank))
    names, size = tf.constant(list(classes)), tf.constant(image_size)
    decode = _traced(decode_in_graph.decode)

    def typed(images):  # a Keras graph casts its input to float; code of one's own may not
        return images if has_graph(model) else tf.cast(images, tf.float32)

    @tf.function(autograph=False)  # traced once for all endpoints: tracing takes most of the time of an export
    def asked(images):
        found = model(typed(images), training=False)
        return found if bank is not None else [found]

    def judge(images):
        return asked(decode_in_graph.resize(images, image_size))

    def serve(images):
        return judge(images)[0]

    def serve_bytes(encoded):
        signature = tf.TensorSpec((*image_size, 3), tf.uint8)

        def seen(one):
            return decode_in_graph.resize(decode(one), image_size)

        images = tf.map_fn(seen, encoded, fn_output_signature=signature)
        return asked(images)[0]

    archive = keras.export.ExportArchive()
    archive.track(model)
    pixels = [tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")]
    archive.add_endpoint("serve", serve, input_signature=pixels)
    archive.add_endpoint(
        "serve_bytes", serve_bytes, input_signature=[tf.TensorSpec((None,), tf.string, name="encoded")]
    )
    archive.add_endpoint("class_names", lambda: names, input_signature=[])
    archive.add_endpoint("image_size", lambda: size, input_signature=[])
    if bank is not None:
        archive.add_endpoint("judge", judge, input_signature=pixels)
    if fingerprint is not None:
        archive.add_endpoint("fingerprint", lambda: tf.constant(fingerprint), input_signature=[])
    try:
        archive.write_out(str(path), verbose=False)
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(f"{path}: the disk is full; free some space and run again with --resume") from error
