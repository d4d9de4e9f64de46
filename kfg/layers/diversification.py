"""Add to each of several feature maps the features that it lacks and the others have."""

import itertools

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kfg.errors import InputError

SMALLEST = 1e-24  # smallest squared length, from torch's 1e-12 for the length
# The cost is nine matrix products per pair and step, which run as fast as a convolution. Because top-k pooling follows,
# the gradient of the first map's product is nearly all zeros. Gathering its rows instead of multiplying was tried: it
# takes the same time on two cores (1.09 instead of 1.11 s at 448 pixels, two images) and 92 MB more.


@keras.saving.register_keras_serializable(package="kfg")
class Diversification(keras.layers.Layer):
    """Add to each map the places of the other maps that differ most from its own places.

    For two maps P (with S_p places) and Q (with S_q places) of C channels each, M is the negative cosine similarity of
    every place of P with every place of Q. Q receives A^T P, with A the softmax of M over the places of P; P receives
    B Q, with B the softmax of M over the places of Q. The output for a map is the map + gamma * scale * (the sum of
    what it received from the other maps).

    M lies in [-1, 1], so exp(M) needs no shift, and one exp serves both directions: its row and column sums divide the
    received S x C numbers instead of two S_p x S_q matrices. One such matrix per pair is kept for the gradient; two
    softmaxes would keep three. The layer computes in float32 in any precision, because it sums over 3,136 places.

    Input: two or more float (B, H_i, W_i, C), H_i and W_i fixed. Output: as many maps of the same shapes, float32.

    Args:
        gamma: float >= 0, strength; 1 in the paper.
        scale: float >= 0, a further factor of the received sum; 1 in the paper, 0.001 in the authors' code, which
            nearly turns the layer off.
    Raises:
        InputError: a value is negative; or, when built, there is a single map or the numbers of channels differ.
    Source: Song & Yang 2021, arXiv:2103.02782, section 3.2 ("feature diversification module").
    Example:
        >>> p = np.array([[[[1.0, 0.0]]]], "float32")
        >>> q = np.array([[[[0.0, 2.0]]]], "float32")  # one place each: all of it is received
        >>> [np.asarray(x).ravel().tolist() for x in Diversification(gamma=0.5)([p, q])]
        [[1.0, 1.0], [0.5, 2.0]]
    """

    def __init__(self, *, gamma=1.0, scale=1.0, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if gamma < 0 or scale < 0:
            raise InputError(f"gamma and fdm_scale: must be at least 0, got {gamma} and {scale}")
        self.gamma, self.scale = gamma, scale

    def build(self, input_shape):
        channels = {shape[-1] for shape in input_shape}
        if len(input_shape) < 2 or len(channels) != 1:
            raise InputError(f"maps: expected at least two with the same number of channels, got shapes {input_shape}")

    def call(self, maps):
        strength = self.gamma * self.scale
        if not strength:
            return list(maps)
        places = [ops.reshape(x, (-1, np.prod(x.shape[1:3]), x.shape[3])) for x in maps]
        lengths = [ops.sum(ops.square(x), axis=-1, keepdims=True) for x in places]
        directions = [x * ops.rsqrt(ops.maximum(n, SMALLEST)) for x, n in zip(places, lengths, strict=True)]
        received = [[] for _ in maps]
        for p, q in itertools.combinations(range(len(maps)), 2):
            unlike = ops.exp(tf.matmul(-directions[p], directions[q], transpose_b=True))  # (B, S_p, S_q)
            received[p].append(tf.matmul(unlike, places[q]) / ops.sum(unlike, axis=2)[..., None])
            received[q].append(tf.matmul(unlike, places[p], transpose_a=True) / ops.sum(unlike, axis=1)[..., None])
        return [
            x + strength * ops.reshape(sum(others), (-1, *x.shape[1:]))
            for x, others in zip(maps, received, strict=True)
        ]

    def compute_output_shape(self, input_shape):
        return list(input_shape)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "scale": self.scale}
