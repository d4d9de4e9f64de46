"""Give each of several feature maps what it lacks and the others have."""

import itertools

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kfg.errors import InputError

SMALLEST = 1e-24  # of a squared length: torch's 1e-12 for the length
# What is left is nine matrix products per pair and step, at the speed of a convolution. As top-k pooling follows, the
# gradient of the first map's product is nearly all zeros; gathering its rows instead of multiplying was tried: the same
# time on two cores (1.09 of 1.11 s at 448 pixels, two images) for 92 MB more.


@keras.saving.register_keras_serializable(package="kfg")
class Diversification(keras.layers.Layer):
    """Add to each map the places of the other maps that differ most from its own places.

    For two maps P (S_p places) and Q (S_q) of C channels each, M = -cosine similarity of every place of P with every
    place of Q. Q receives A^T P, with A the softmax of M over the places of P; P receives B Q, with B the softmax of
    M over the places of Q. A map's output is itself + gamma * scale * (the sum of what it received).

    M lies in [-1, 1], so exp(M) needs no shift, and one exp serves both directions: the sums of its rows and columns
    divide what was received, S x C numbers, instead of two S_p x S_q matrices. One such matrix per pair is kept for
    the gradient, where two softmaxes keep three. Computed in float32 whatever the precision: sums over 3,136 places.

    Input: two or more float (B, H_i, W_i, C), H_i and W_i fixed. Output: as many, of the same shapes, float32.

    Args:
        gamma: float >= 0, strength; 1 in the paper.
        scale: float >= 0, on all that is received; 1 in the paper, 0.001 in the authors' code, which nearly turns it
            off.
    Raises:
        InputError: a negative value; when built, a single map, or maps with different numbers of channels.
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
            raise InputError(f"gamma and fdm_scale: at least 0, got {gamma} and {scale}")
        self.gamma, self.scale = gamma, scale

    def build(self, input_shape):
        channels = {shape[-1] for shape in input_shape}
        if len(input_shape) < 2 or len(channels) != 1:
            raise InputError(f"maps: at least two of as many channels, got shapes {input_shape}")

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
