"""Cut boxes out of images and resize them to one size, with corner pixels mapped to corner pixels."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kfg.errors import InputError


@keras.saving.register_keras_serializable(package="kfg")
class CropAndResize(keras.layers.Layer):
    """Cut boxes out of images and resize them bilinearly to one size; corner pixels keep their centres (align_corners).

    A box is (y0, x0, y1, x1) in pixels, including the last row y1 and the last column x1. The layer computes in float32
    in any precision, because bfloat16 is too coarse for pixel coordinates. No gradient flows to the boxes.

    Input: images float (B, H, W, C), H and W fixed, and boxes (B, 4) or (B, N, 4). Output float32 (B, h, w, C), or
    (B * N, h, w, C) with the boxes of the first image first. `size` (h, w): ints >= 2.

    Raises:
        InputError: a side is below 2.
    Source: torch.nn.functional.interpolate(mode="bilinear", align_corners=True) on a slice of the image.
    Example:
        >>> image = np.arange(4, dtype="float32").reshape(1, 1, 4, 1) * np.ones((1, 2, 1, 1), "float32")
        >>> box = np.array([[0, 1, 1, 3]], "float32")
        >>> np.asarray(CropAndResize((2, 5))([image, box]))[0, 0, :, 0].tolist()
        [1.0, 1.5, 2.0, 2.5, 3.0]
    """

    def __init__(self, size, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if min(size) < 2:
            raise InputError(f"size: must be at least 2 x 2, got {size[0]} x {size[1]}")
        self.size = tuple(size)

    def call(self, inputs):
        images, boxes = inputs
        per_image = 1 if len(boxes.shape) == 2 else boxes.shape[1]
        _, height, width, _ = images.shape
        last = np.array([height - 1, width - 1] * 2, np.float32)  # TensorFlow's coordinates are shares of these
        shares = ops.stop_gradient(ops.reshape(boxes, (-1, 4))) / last
        owners = ops.repeat(ops.arange(ops.shape(images)[0], dtype="int32"), per_image)
        return tf.image.crop_and_resize(images, shares, owners, self.size)

    def compute_output_shape(self, input_shape):
        images, boxes = input_shape
        count = images[0] if len(boxes) == 2 or images[0] is None else images[0] * boxes[1]
        return (count, *self.size, images[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}
