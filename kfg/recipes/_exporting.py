"""Save and export a finished model and note how far its answers are from the model's."""

import collections
import json
import logging
import os
import zipfile

import numpy as np

from kfg import export
from kfg.data import graph, pipeline
from kfg.data.decode import decode
from kfg.files import write_json

PARITY_IMAGES = 8
EXPORT_CHECK = "export_check.json"

logger = logging.getLogger(__name__)


def save(model, index, workdir) -> None:
    """Write `workdir`/export and export_check.json, compared on some images of `index`, which has one at least.

    All are compared as pixels; as files those that TensorFlow is not known to decode otherwise.
    """
    paths = index.take(spread(index.labels, PARITY_IMAGES)).full_paths()
    size = tuple(model.input_shape[1:3])
    samples = np.stack([pipeline.resize(decode(path), size).numpy() for path in paths])
    files = {number: path.read_bytes() for number, path in enumerate(paths)}
    why = {number: graph.known_difference(data) for number, data in files.items()}
    encoded = {number: data for number, data in files.items() if not why[number]}
    parity = export.save(model, workdir / "export", classes=index.classes, samples=samples, encoded=encoded)
    for number, difference in parity.serve_bytes.items():
        if difference > export.TOLERANCE:
            logger.warning("%s: the export decodes this file otherwise, off by %.2g", paths[number], difference)
    left_out = dict(collections.Counter(filter(None, why.values())))
    as_files = max(parity.serve_bytes.values(), default=None)
    said = "none as files" if as_files is None else f"{as_files:.2g} on {len(encoded)} as files"
    left = ", ".join(f"{count} {kind}" for kind, count in left_out.items())
    print(f"export: largest difference to the model {parity.serve:.2g} on {len(paths)} images as pixels, {said}"
          + (f"; not compared as files: {left}" if left else ""))  # fmt: skip
    check = {
        "images": len(paths),
        "largest_difference": parity.largest,
        "serve": {"images": len(paths), "largest_difference": parity.serve},
        "serve_bytes": {"images": len(encoded), "largest_difference": as_files, "left_out": left_out},
    }
    write_json(workdir / EXPORT_CHECK, check)


def spread(labels, count: int) -> np.ndarray:
    """Return int64 positions of up to `count` images, of as many classes as can be: each one's first, then its second.

    Example:
        >>> spread(np.array([0, 0, 0, 0, 1, 2, 2]), 4).tolist(), spread(np.arange(100), 3).tolist()
        ([0, 4, 5, 1], [0, 49, 99])
    """
    order = np.argsort(labels, kind="stable")
    _, first, classes = np.unique(labels[order], return_index=True, return_inverse=True)
    dealt = order[np.lexsort((classes, np.arange(len(order)) - first[classes]))]
    among = dealt[: max(count, len(first))]
    return among[np.linspace(0, len(among) - 1, min(count, len(among))).astype(np.int64)]


def save_keras(model, classes, workdir) -> None:
    """Write `workdir`/model.keras, whole, with the class names inside: Keras passes over them, kfg.export checks."""
    partial = workdir / f".partial.{export.MODEL_FILE}"
    try:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as file:
            file.writestr(export.CLASSES_FILE, json.dumps(list(classes)))
        os.replace(partial, workdir / export.MODEL_FILE)
    finally:
        partial.unlink(missing_ok=True)
