"""The values torch's convolutions and dense layers begin with; Keras's, by Glorot, are others."""

import keras


def kernel() -> keras.Initializer:
    """Return U(+-1 / sqrt(inputs)), for kernels: inputs are a dense layer's, or a window's times its channels."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def of(inputs: int) -> dict[str, keras.Initializer]:
    """Return the initialisers of kernel and bias as keyword arguments of a layer.

    Args:
        inputs: int >= 1, values that one output is made of.
    Example:
        >>> sorted(of(25))
        ['bias_initializer', 'kernel_initializer']
    """
    bound = inputs**-0.5
    return {
        "kernel_initializer": kernel(),
        "bias_initializer": keras.initializers.RandomUniform(-bound, bound),
    }
