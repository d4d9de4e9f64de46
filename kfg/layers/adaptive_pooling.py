"""Average pooling to a fixed number of cells, whatever the size of the map."""

import keras
import numpy as np
from keras import ops

from kfg.errors import InputError


@keras.saving.register_keras_serializable(package="kfg")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Average a map to `size` x `size` cells; cell i of n covers floor(i H / n) to ceil((i + 1) H / n).

    Cells overlap if H is not a multiple of `size`. Keras has this layer from 3.13 on; kfg also supports 3.12.
    Input float (B, H, W, C), H and W fixed; output (B, size, size, C).

    Args:
        size: int >= 1, cells along each side.
    Raises:
        InputError: `size` < 1.
    Source: torch.nn.AdaptiveAvgPool2d, which torchvision's VGG has before its dense layers.
    Example:
        >>> row = np.arange(3, dtype="float32").reshape(1, 1, 3, 1)
        >>> np.asarray(AdaptiveAveragePooling(2)(row))[0, 0, :, 0].tolist()  # of 0, 1 and of 1, 2
        [0.5, 1.5]
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        if size < 1:
            raise InputError(f"size: must be at least 1, got {size}")
        self.size = size

    def call(self, x):
        _, height, width, _ = x.shape
        rows, columns = (ops.convert_to_tensor(_shares(n, self.size), x.dtype) for n in (height, width))
        return ops.einsum("ph,bhwc,qw->bpqc", rows, x, columns)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def _shares(length, size) -> np.ndarray:
    """Return float32 (size, length): the weight of each place in the average of each cell; rows sum to 1."""
    shares = np.zeros((size, length), np.float32)
    for i in range(size):
        start, end = i * length // size, -(-(i + 1) * length // size)
        shares[i, start:end] = 1 / (end - start)
    return shares
