"""Pool each channel by the mean of its largest values."""

import keras
import numpy as np
from keras import ops

from kfg.errors import InputError


@keras.saving.register_keras_serializable(package="kfg")
class TopKPooling2D(keras.layers.Layer):
    """Average the k largest values of each channel; k = 1 is global max pooling, k = H W average pooling.

    Input float (B, H, W, C), H and W fixed; output (B, C).

    Args:
        k: int >= 1.
    Raises:
        InputError: `k` < 1; or, when built, the map has fewer than k places.
    Source: Song & Yang 2021, arXiv:2103.02782; their code has k = 5, the paper k = 1.
    Example:
        >>> column = np.array([1, 5, 3, 4], "float32").reshape(1, 4, 1, 1)
        >>> float(TopKPooling2D(2)(column)[0, 0])  # of 5 and 4
        4.5
    """

    def __init__(self, k, **kwargs):
        super().__init__(**kwargs)
        if k < 1:
            raise InputError(f"k: must be at least 1, got {k}")
        self.k = k

    def build(self, input_shape):
        places = input_shape[1] * input_shape[2]
        if places < self.k:
            size = f"{input_shape[1]} x {input_shape[2]}"
            raise InputError(f"image_size: a map of {size} cells has no {self.k} largest values; take larger images")

    def call(self, x):
        if self.k == 1:
            return ops.max(x, axis=(1, 2))
        places = ops.reshape(x, (-1, np.prod(x.shape[1:3]), x.shape[3]))
        values, _ = ops.top_k(ops.transpose(places, (0, 2, 1)), self.k, sorted=False)
        return ops.mean(values, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        return {**super().get_config(), "k": self.k}
