"""A classifier that averages the answers of two nets: one that was trained, and a second opinion."""

import keras
from keras import layers

from kfg.errors import InputError
from kfg.models import flattening

MEAN = "mean_of_two_opinions"  # name of a layer
WEIGHTED = ("first_weighted", "second_weighted")  # names of the layers before it


def averaged(first, second, *, share: float = 0.5) -> keras.Model:
    """Return a model that answers with the geometric mean of two classifiers' probabilities, scaled to sum to one.

    It averages the logits and applies one softmax, so that a temperature or a change of precision treats it as any
    other net.

    Args:
        first, second: Keras models that end in a softmax, images (B, H, W, 3) -> probabilities (B, C), with images of
            the same size and the same classes.
        share: weight of the second one in the mean, in [0, 1].
    Returns:
        A flat model with the same inputs and outputs and a copy of all weights. Layers of `first` keep their names; a
        layer of `second` with a name that `first` has too gets a number.
    Raises:
        InputError: sizes of images or numbers of classes differ.
    Example:
        >>> def net():
        ...     images = keras.Input((2, 4, 3))
        ...     logits = layers.Dense(3, name="head")(layers.Flatten()(images))
        ...     return keras.Model(images, layers.Activation("softmax", name="probabilities")(logits))
        >>> one, other = net(), net()
        >>> images = keras.random.uniform((5, 2, 4, 3))
        >>> mean = ((one(images) * other(images)) ** 0.5).numpy()
        >>> answers = averaged(one, other)(images).numpy()
        >>> bool(abs(answers - mean / mean.sum(axis=1, keepdims=True)).max() < 1e-6)
        True
    """
    if (first.input_shape, first.output_shape) != (second.input_shape, second.output_shape):
        raise InputError(
            f"second: expected a model {first.input_shape} -> {first.output_shape}, got {second.input_shape} -> "
            f"{second.output_shape}"
        )
    images = keras.Input(first.input_shape[1:], name="images")
    weighted = [
        layers.Rescaling(weight, name=name, dtype="float32")(_logits(one)(images))
        for one, weight, name in zip((first, second), (1 - share, share), WEIGHTED, strict=True)
    ]
    both = layers.Add(name=MEAN, dtype="float32")(weighted)
    answer = layers.Activation("softmax", name="probabilities", dtype="float32")(both)
    return flattening.flatten(keras.Model(images, answer, name=first.name))


def apart(model) -> tuple[keras.Model, keras.Model]:
    """Return the two classifiers that `averaged` joined, with the layers of the model.

    Raises:
        InputError: the model was not made by `averaged`.
    """
    if not any(layer.name == WEIGHTED[0] for layer in model.layers):
        raise InputError(f"model: {model.name} has no second opinion")
    softmax = layers.Activation("softmax", dtype="float32")
    return tuple(keras.Model(model.input, softmax(model.get_layer(name).input)) for name in WEIGHTED)


def _logits(model) -> keras.Model:
    """Return a model images -> logits, with the layers of a model that ends in a softmax."""
    return keras.Model(model.input, model.layers[-1].input)
