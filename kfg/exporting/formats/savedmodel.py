"""TensorFlow's SavedModel, for TensorFlow, TensorFlow Serving, Java and C++. It decodes and resizes images itself."""

import shutil

import numpy as np

from kfg.errors import InputError
from kfg.runs import run_files

TITLE = "TensorFlow SavedModel"
EXTRA, MODULES = "", ()
FILE = "."
PARTS = (
    run_files.SAVED_MODEL, run_files.CLASSES, run_files.CONFIDENCE, run_files.DIGESTS,
    "variables", "variables/variables.*", "assets", "assets.extra", "fingerprint.pb", "keras_metadata.pb",
)  # fmt: skip
ANY_SIZE, ROUNDS = True, False
JUDGES = True
NOTE = "The signature serve takes pixels; serve_bytes takes JPEG, PNG, GIF or BMP files as they are."


def write(shipment, folder) -> None:
    """Write the SavedModel, as a copy of the run's if it has one; see kfg.exporting.formats.protocol."""
    from kfg.exporting import parity

    if shipment.saved_model is None:
        return _save(shipment, folder)
    parity.check_digests(shipment.saved_model)
    shutil.copytree(shipment.saved_model, folder, dirs_exist_ok=True)


def _save(shipment, folder):
    from kfg.exporting import saved_model

    try:
        saved_model.save(
            shipment.model,
            folder,
            classes=shipment.classes,
            samples=shipment.calibration()[:1],
            confidence=shipment.description["confidence"],
            bank=shipment.bank,
        )
    except saved_model.ParityError as error:
        shutil.rmtree(error.kept, ignore_errors=True)  # its name is that of a partial folder, which nobody looks for
        off, allowed = error.parity.serve, error.parity.allowed
        raise InputError(
            f"its probabilities differ from the model's by {off:.2g}, but only {allowed:g} is allowed"
        ) from error


def opened(folder):
    """Return the function that TensorFlow computes; see kfg.exporting.formats.protocol."""
    from kfg.exporting import parity

    loaded = parity.load_saved_model(folder)
    if hasattr(loaded, "judge"):
        return lambda images: [np.asarray(one) for one in loaded.judge(images)]
    return lambda images: np.asarray(loaded.serve(images))
