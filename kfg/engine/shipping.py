"""Save and export a finished model and note how far its answers are from the model's."""

import collections
import json
import logging
import math
import zipfile

import numpy as np

from kfg.data import decode_in_graph, decoded
from kfg.data.decode import decode
from kfg.exporting import saved_model
from kfg.files import beside, flush, rename
from kfg.runs import run_files

PARITY_IMAGES = 8
FAILED = saved_model.failed_folder("export").name

logger = logging.getLogger(__name__)


def save(model, index, workdir) -> dict:
    """Write `workdir`/export, compare it with the model on some images of `index`, and say how that went.

    All are compared as pixels; as files those that TensorFlow is not known to decode otherwise. An export that fails
    is kept apart, marked, and costs nothing else of the run.

    Args:
        model: Keras model that computes in float32.
        index: images, one at least.
        workdir: the run folder.
    Returns:
        The content for export_check.json; the caller writes it when the report has it.
    """
    paths = index.take(spread(index.labels, PARITY_IMAGES)).full_paths()
    size = tuple(model.input_shape[1:3])
    samples = np.stack([decoded.resize(decode(path), size).numpy() for path in paths])
    files = {number: path.read_bytes() for number, path in enumerate(paths)}
    why = {number: decode_in_graph.known_difference(data) for number, data in files.items()}
    encoded = {number: data for number, data in files.items() if not why[number]}
    try:
        parity = saved_model.save(model, workdir / "export", classes=index.classes, samples=samples, encoded=encoded)
    except saved_model.ParityError as error:
        parity = error.parity
    for number, difference in parity.serve_bytes.items():
        if difference > parity.allowed:
            logger.warning("%s: the export decodes this file otherwise, off by %.2g", paths[number], difference)
    as_files = max(parity.serve_bytes.values(), default=None)
    check = {
        "passed": parity.passed,
        "allowed_difference": parity.allowed,
        "images": len(paths),
        "largest_difference": _finite(parity.largest),
        "serve": {"images": len(paths), "largest_difference": _finite(parity.serve)},
        "serve_bytes": {
            "images": len(encoded), "largest_difference": None if as_files is None else _finite(as_files),
            "left_out": dict(collections.Counter(filter(None, why.values()))),
        },
    }  # fmt: skip
    print(briefly(check))
    return check


def _finite(difference: float) -> float:
    """Return a difference of probabilities; 1, the largest there is, where an answer was not a number."""
    return difference if math.isfinite(difference) else 1.0


def briefly(check: dict) -> str:
    """Say on the screen whether an export answers as its model does."""
    if not check["passed"]:
        return told(check)
    return (
        f"export: a SavedModel that answers as the model does (compared on {check['serve']['images']} test "
        f"photographs; figures in {run_files.EXPORT_CHECK})"
    )


def told(check: dict) -> str:
    """Say in one sentence how an export and its model compare, from the content of export_check.json."""
    serve, of_files = check["serve"], check["serve_bytes"]
    if not check["passed"]:
        return (
            f"export: FAILED its check; on {serve['images']} test images its probabilities differ from the model's by "
            f"up to {serve['largest_difference']:.2g}, and {check['allowed_difference']:g} is allowed: it is kept in "
            f"{FAILED}/ and not offered, {run_files.MODEL} is the model to use"
        )
    as_files = of_files["largest_difference"]
    said = "none as files" if as_files is None else f"{as_files:.2g} on {of_files['images']} as files"
    left = ", ".join(f"{count} {kind}" for kind, count in of_files["left_out"].items())
    return (
        f"export: largest difference to the model {serve['largest_difference']:.2g} on {serve['images']} images as "
        f"pixels, {said}" + (f"; not compared as files: {left}" if left else "")
    )


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
    """Write `workdir`/model.keras, whole, with the class names inside: Keras passes over them, the reader checks."""
    path = workdir / run_files.MODEL
    partial = beside(path.with_suffix("")).with_suffix(f".partial{path.suffix}")  # Keras goes by the suffix
    try:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as file:
            file.writestr(run_files.CLASSES, json.dumps(list(classes)))
        with open(partial, "r+b") as file:
            flush(file)
        rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)
