"""Calibrate probabilities by temperature scaling after the softmax."""

import keras
from keras import ops

from kfg.errors import InputError

SMALLEST = 1e-30  # smaller probabilities are raised to this, so that their logarithm is finite


@keras.saving.register_keras_serializable(package="kfg")
class Temperature(keras.layers.Layer):
    """Compute p ** (1 / temperature) divided by its sum: softmax(logits) becomes softmax(logits / temperature).

    Input and output are probabilities, float (B, C). The order of the classes stays the same. A temperature above 1
    brings the probabilities closer to each other, one below 1 moves them apart.

    Args:
        temperature: float > 0.
    Raises:
        InputError: `temperature` is not above 0.
    Source: Guo et al. 2017, arXiv:1706.04599.
    Example:
        >>> Temperature(0.5)(ops.array([[0.75, 0.25]])).numpy().round(4).tolist()
        [[0.8999999761581421, 0.10000000149011612]]
    """

    def __init__(self, temperature, **kwargs):
        super().__init__(**kwargs)
        if not temperature > 0:
            raise InputError(f"temperature: must be above 0, got {temperature}")
        self.temperature = float(temperature)

    def call(self, probabilities):
        return ops.softmax(ops.log(ops.maximum(probabilities, SMALLEST)) / self.temperature, axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
