"""The Keras model itself, with layers and weights: for further training and for Grad-CAM."""

import numpy as np

from kfg.runs import run_files

TITLE = "Keras"
EXTRA, MODULES = "", ()
FILE, PARTS = run_files.MODEL, ()
ANY_SIZE = ROUNDS = False
JUDGES = False
NOTE = "It takes images of the model's size. If it has layers of kfg, import kfg before you load it."


def write(shipment, folder) -> None:
    """Write model.keras; see kfg.exporting.formats.protocol."""
    shipment.model.save(folder / FILE)


def opened(folder):
    """Return the function uint8 (B, H, W, 3) -> float32 (B, C)."""
    from kfg.models import saved

    model = saved.load(folder / FILE)
    return lambda images: np.asarray(model.predict_on_batch(images))
