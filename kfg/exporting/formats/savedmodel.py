"""TensorFlow's SavedModel, for TensorFlow, TensorFlow Serving, Java and C++. It decodes and resizes images itself."""

import shutil

import numpy as np

from kfg.runs import run_files

TITLE = "TensorFlow SavedModel"
EXTRA, MODULES = "", ()
FILE = "."
PARTS = (
    "saved_model.pb", run_files.CLASSES, run_files.CONFIDENCE, "digests.json", "variables", "variables/variables.*",
    "assets", "assets.extra", "fingerprint.pb", "keras_metadata.pb",
)  # fmt: skip
ANY_SIZE, ROUNDS = True, False
JUDGES = True
NOTE = "The signature serve takes pixels; serve_bytes takes JPEG, PNG, GIF or BMP files as they are."


def write(shipment, folder) -> None:
    """Write the SavedModel, as a copy of the run's if it has one; see kfg.exporting.formats.protocol."""
    from kfg.exporting import parity, saved_model

    if shipment.saved_model is None:
        saved_model.save(shipment.model, folder, classes=shipment.classes, samples=shipment.calibration()[:1])
        return
    parity.check_digests(shipment.saved_model)
    shutil.copytree(shipment.saved_model, folder, dirs_exist_ok=True)


def opened(folder):
    """Return the function that TensorFlow computes; see kfg.exporting.formats.protocol."""
    from kfg.exporting import parity

    loaded = parity.load_saved_model(folder)
    if hasattr(loaded, "judge"):
        return lambda images: [np.asarray(one) for one in loaded.judge(images)]
    return lambda images: np.asarray(loaded.serve(images))
