"""Save and export a finished model, and measure how far the export's answers are from the model's."""

import collections
import json
import logging
import math
import zipfile

import numpy as np

from kfg.data import decode_in_graph, sampling
from kfg.data.decode import decode
from kfg.data.resizing import resize
from kfg.exporting import saved_model
from kfg.files import beside, flush, rename
from kfg.runs import run_files

PARITY_IMAGES = 8
FAILED = saved_model.failed_folder(run_files.EXPORT).name

logger = logging.getLogger(__name__)


def save(model, index, workdir, *, confidence: dict | None = None, bank=None) -> dict:
    """Write `workdir`/export, compare it with the model on some images of `index`, and print the outcome.

    All of these images are compared as pixels. They are compared as files too, except those that TensorFlow is known to
    decode differently. An export that fails the check is kept in a marked folder; the rest of the run is unaffected.

    Args:
        model: Keras model that computes in float32.
        index: images, at least one.
        workdir: the run folder.
        confidence, bank: as for `kfg.exporting.saved_model.save`.
    Returns:
        The content of export_check.json; the caller writes that file after the report.
    """
    paths = index.take(sampling.spread(index.labels, PARITY_IMAGES)).full_paths()
    size = tuple(model.input_shape[1:3])
    samples = np.stack([resize(decode(path), size) for path in paths])
    files = {number: path.read_bytes() for number, path in enumerate(paths)}
    why = {number: decode_in_graph.known_difference(data) for number, data in files.items()}
    encoded = {number: data for number, data in files.items() if not why[number]}
    try:
        parity = saved_model.save(
            model,
            workdir / run_files.EXPORT,
            classes=index.classes,
            samples=samples,
            encoded=encoded,
            confidence=confidence,
            bank=bank,
        )
    except saved_model.ParityError as error:
        parity = error.parity
    for number, difference in parity.serve_bytes.items():
        if difference > parity.allowed:
            logger.warning(
                "%s: the export decodes this file differently; its probabilities differ by up to %.2g",
                paths[number],
                difference,
            )
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
    """Return a difference of probabilities; if an answer was not a number, return 1, the largest there can be."""
    return difference if math.isfinite(difference) else 1.0


def briefly(check: dict) -> str:
    """Return a line for the screen on whether an export answers as its model does."""
    if not check["passed"]:
        return told(check)
    return (
        f"export: a SavedModel that gives the same answers as the model (compared on {check['serve']['images']} test "
        f"photographs; figures in {run_files.EXPORT_CHECK})"
    )


def told(check: dict) -> str:
    """Return a sentence on how an export compares with its model, from the content of export_check.json."""
    serve, of_files = check["serve"], check["serve_bytes"]
    if not check["passed"]:
        return (
            f"export: FAILED its check; on {serve['images']} test images its probabilities differ from the model's by "
            f"up to {serve['largest_difference']:.2g}, but only {check['allowed_difference']:g} is allowed; it is kept "
            f"in {FAILED}/; use {run_files.MODEL} instead"
        )
    as_files = of_files["largest_difference"]
    said = "none of them as files" if as_files is None else f"{as_files:.2g} on {of_files['images']} as files"
    left = ", ".join(f"{count} {kind}" for kind, count in of_files["left_out"].items())
    return (
        f"export: it gives the same answers as the model; the largest difference in probability is "
        f"{serve['largest_difference']:.2g} on {serve['images']} images as pixels, {said}"
        + (f"; not compared as files: {left}" if left else "")
    )


def save_keras(model, classes, workdir) -> None:
    """Write `workdir`/model.keras with the class names inside; Keras ignores them, kfg checks them when it reads."""
    path = workdir / run_files.MODEL
    partial = beside(path.with_suffix("")).with_suffix(f".partial{path.suffix}")  # Keras requires the suffix
    try:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as file:
            file.writestr(run_files.CLASSES, json.dumps(list(classes)))
        with open(partial, "r+b") as file:
            flush(file)
        rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)
