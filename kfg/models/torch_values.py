"""Initialise convolutions and dense layers as torch does; Keras's initial values, by Glorot, are different."""

import keras


def kernel() -> keras.Initializer:
    """Return the initialiser of kernels, U(+-1 / sqrt(inputs)).

    `inputs` is the number of inputs of a dense layer, or the size of a convolution's window times its channels.
    """
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def of(inputs: int) -> dict[str, keras.Initializer]:
    """Return the initialisers of kernel and bias as keyword arguments of a layer.

    Args:
        inputs: int >= 1, number of values from which one output is computed.
    Example:
        >>> sorted(of(25))
        ['bias_initializer', 'kernel_initializer']
    """
    bound = inputs**-0.5
    return {
        "kernel_initializer": kernel(),
        "bias_initializer": keras.initializers.RandomUniform(-bound, bound),
    }
