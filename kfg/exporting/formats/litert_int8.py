"""LiteRT with eight-bit integers: a quarter of the size, and the arithmetic of chips in phones and boards."""

import numpy as np

from kfg.exporting.formats import litert

TITLE = "LiteRT, int8"
EXTRA, MODULES = litert.EXTRA, litert.MODULES
FILE, PARTS = "model.int8.tflite", ()
ANY_SIZE, ROUNDS = False, True
JUDGES = False
NOTE = f"Weights and activations are rounded to eight bits. {litert.NOTE}"


def write(shipment, folder) -> None:
    """Write model.int8.tflite; see kfg.exporting.formats.protocol.

    The ranges of all feature maps are measured on training photographs. The model does not return strangeness: what
    eight bits do to it was not measured.
    """
    import tensorflow as tf

    def seen():
        for pixels in shipment.calibration():
            yield [pixels[None].astype(np.float32)]

    litert.convert(
        shipment,
        shipment.model,
        folder / FILE,
        pixels=tf.float32,
        supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8],
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=seen,
        inference_input_type=tf.uint8,
    )


def opened(folder):
    """Return the function uint8 (B, H, W, 3) -> float32 (B, C)."""
    return litert.interpreted(folder / FILE)
