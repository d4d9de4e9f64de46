"""Save and export a finished model and note how far its answers are from the model's."""

import json
import os
import zipfile

import numpy as np
import tensorflow as tf

from kfg import export
from kfg.data import graph, pipeline
from kfg.data.decode import decode
from kfg.files import write_json

PARITY_IMAGES = 8
EXPORT_CHECK = "export_check.json"


def save(model, index, workdir) -> None:
    """Write `workdir`/export and export_check.json, compared on the first images of `index`."""
    paths = [path for path in index.full_paths()[:PARITY_IMAGES] if _same_in_graph(path)]
    size = tuple(model.input_shape[1:3])
    samples = [pipeline.resize(decode(path), size).numpy() for path in paths]
    if not samples:
        samples = [np.zeros((*size, 3), np.uint8)]
    difference = export.save(
        model,
        workdir / "export",
        classes=index.classes,
        samples=np.stack(samples),
        encoded=[path.read_bytes() for path in paths],
    )
    print(f"export: largest difference to the model {difference:.2g}")
    write_json(workdir / EXPORT_CHECK, {"images": PARITY_IMAGES, "largest_difference": difference})


def save_keras(model, classes, workdir) -> None:
    """Write `workdir`/model.keras, whole, with the class names inside: Keras passes over them, kfg.export checks."""
    partial = workdir / f".partial.{export.MODEL_FILE}"
    model.save(partial)
    with zipfile.ZipFile(partial, "a") as file:
        file.writestr(export.CLASSES_FILE, json.dumps(list(classes)))
    os.replace(partial, workdir / export.MODEL_FILE)


def _same_in_graph(path) -> bool:
    """Return whether TensorFlow's ops decode this file to the very pixels of training: see kfg.data.graph."""
    try:
        return np.array_equal(graph.decode(path.read_bytes()), decode(path))
    except tf.errors.OpError:  # WebP, TIFF: not for the export's second endpoint
        return False
