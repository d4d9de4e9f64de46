"""Boost the most informative strips of a feature map, and hide the most informative one from later layers."""

import keras
import numpy as np
from keras import ops

from kfg.errors import InputError

AXES = {"height": 1, "width": 2}  # axis numbers in (B, H, W, C)


@keras.saving.register_keras_serializable(package="kfg")
class StripAttention(keras.layers.Layer):
    """Give weights to the strips of a map; return the boosted map, the suppressed map and the weights.

    The score of a strip is the average of relu(batch norm(1 x 1 convolution to one channel)); the weights s are the
    softmax of an image's scores. The boosted map is x + alpha s x. The suppressed map is x multiplied by `beta` in the
    strip with the largest weight (in all of them if several are equal), and x elsewhere.

    The strips share the convolution and the normalisation. In training, each strip is normalised by the batch's
    statistics of that strip alone, and the moving statistics get one update per strip, in order, as if one
    BatchNormalization were called on strip after strip.

    Input float (B, H, W, C), H and W fixed, the side that is cut a multiple of `strips`. Output: boosted (B, H, W, C),
    suppressed (B, H, W, C), weights float32 (B, strips).

    Args:
        strips: int >= 1, number of strips that the map is cut into.
        axis: "height" for bands one above the other, as in the authors' code; "width" for columns, as in their paper.
        alpha: float >= 0, strength of the boost.
        beta: float in [0, 1], factor of the suppressed strip (1 - beta in the paper).
        momentum: float in [0, 1), momentum of the moving statistics.
        epsilon: float > 0, added to the variance.
    Raises:
        InputError: a value is out of range; or, when built, a side does not split into so many strips.
    Source: Song & Yang 2021, arXiv:2103.02782, section 3.1 ("feature boosting and suppression module").
    Example:
        >>> layer = StripAttention(2, alpha=1.0, beta=0.0)
        >>> boosted, suppressed, weights = layer(np.ones((1, 2, 1, 3), "float32"))  # two equal strips
        >>> np.asarray(weights).tolist(), np.asarray(boosted)[0, 0, 0].tolist(), float(np.max(suppressed))
        ([[0.5, 0.5]], [1.5, 1.5, 1.5], 0.0)
    """

    def __init__(self, strips, *, axis="height", alpha=0.5, beta=0.5, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if strips < 1:
            raise InputError(f"strips: must be at least 1, got {strips}")
        if axis not in AXES:
            raise InputError(f"strip_axis: {axis!r} is not one of {', '.join(AXES)}")
        if alpha < 0:
            raise InputError(f"alpha: must be at least 0, got {alpha}")
        if not 0 <= beta <= 1:
            raise InputError(f"beta: must be from 0 to 1, got {beta}")
        if not 0 <= momentum < 1 or epsilon <= 0:
            raise InputError(f"momentum: must be from 0 to below 1, and epsilon above 0, got {momentum} and {epsilon}")
        self.strips, self.axis, self.alpha, self.beta = strips, axis, alpha, beta
        self.momentum, self.epsilon = momentum, epsilon
        self.synchronized = False  # as of Keras's BatchNormalization: whether statistics are those of all devices

    def build(self, input_shape):
        side = input_shape[AXES[self.axis]]
        if side is None or side % self.strips:
            raise InputError(
                f"image_size: a map with {side} cells in {self.axis} cannot be split into {self.strips} strips"
            )
        channels = input_shape[-1]
        bound = channels**-0.5  # initial values as in torch's convolutions
        uniform = keras.initializers.RandomUniform(-bound, bound)
        self.kernel = self.add_weight(name="kernel", shape=(channels, 1), initializer=uniform)
        # scalars stay float32 in half precision, because sums with them decide which strip has the largest weight
        scalar = {"shape": (), "dtype": "float32", "autocast": False}
        self.bias = self.add_weight(name="bias", initializer=uniform, **scalar)
        self.bn_gamma = self.add_weight(name="bn_gamma", initializer="ones", **scalar)
        self.bn_beta = self.add_weight(name="bn_beta", initializer="zeros", **scalar)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", trainable=False, **scalar)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", trainable=False, **scalar)

    def call(self, x, training=None):
        _, height, width, channels = x.shape
        scores = ops.matmul(ops.reshape(x, (-1, channels)), self.kernel)
        scores = ops.cast(scores, "float32") + self.bias
        if self.axis == "height":
            scores = ops.reshape(scores, (-1, self.strips, height // self.strips, width))
        else:
            scores = ops.reshape(scores, (-1, height, self.strips, width // self.strips))
            scores = ops.transpose(scores, (0, 2, 1, 3))
        scores = ops.relu(self._normalised(scores, training=bool(training) and self.trainable))
        weights = ops.softmax(ops.mean(scores, axis=(2, 3)))
        largest = ops.equal(weights, ops.max(weights, axis=1, keepdims=True))
        kept = ops.where(largest, self.beta, 1.0)
        return self._times(x, 1 + self.alpha * weights), self._times(x, kept), weights

    def _normalised(self, scores, *, training):
        """Return the normalised scores (B, strips, h, w); in training, each strip has its own statistics."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = ops.moments(scores, axes=(0, 2, 3), keepdims=True, synchronized=self.synchronized)
            self._average(self.moving_mean, mean)
            self._average(self.moving_variance, variance)
        return (scores - mean) * (self.bn_gamma * ops.rsqrt(variance + self.epsilon)) + self.bn_beta

    def _average(self, moving, values):
        """Update a moving statistic with the value of each strip in turn, computed in closed form."""
        weights = (1 - self.momentum) * self.momentum ** np.arange(self.strips - 1, -1, -1.0)
        news = ops.sum(ops.reshape(values, (-1,)) * ops.convert_to_tensor(weights, dtype="float32"))
        moving.assign(self.momentum**self.strips * moving + ops.stop_gradient(news))

    def _times(self, x, factors):
        """Multiply each strip of x by its factor, float32 (B, strips)."""
        side = x.shape[AXES[self.axis]]
        shape = (-1, side, 1, 1) if self.axis == "height" else (-1, 1, side, 1)
        factors = ops.reshape(ops.repeat(factors, side // self.strips, axis=1), shape)
        return x * ops.cast(factors, x.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "strips": self.strips,
            "axis": self.axis,
            "alpha": self.alpha,
            "beta": self.beta,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
