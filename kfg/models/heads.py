"""Heads of classifiers: functions (features, num_classes) -> logits, which are applied to the pooled features.

In all of them the layer of the logits is called "head"; `backbones.classifier` adds the softmax.
"""

import re

import numpy as np
from keras import layers

from kfg.errors import InputError
from kfg.models import torch_values

# torch's LeakyReLU has slope 0.01, Keras's 0.3
ACTIVATIONS = {
    "relu": lambda: layers.ReLU(name="head_activation", dtype="float32"),
    "leaky_relu": lambda: layers.LeakyReLU(negative_slope=0.01, name="head_activation", dtype="float32"),
}


def linear(*, dropout: float = 0.0):
    """Return a head of one dense layer, with dropout on the features before it.

    Args:
        dropout: float in [0, 1).
    Returns:
        Function (float32 (B, F), num_classes) -> float32 logits (B, num_classes).
    """

    def head(features, num_classes):
        return _dense(num_classes, "head")(_dropped(features, dropout, "features_dropout"))

    return head


def hidden(*, units: int, dropout: float = 0.0):
    """Return the head of study fruit3: a dense layer with ReLU, dropout, then the logits; initialised as in torch.

    Args:
        units: int >= 1; the study has 256.
        dropout: float in [0, 1), on the hidden layer.
    Returns:
        Function (float32 (B, F), num_classes) -> float32 logits (B, num_classes).
    """

    def head(features, num_classes):
        x = _dense(units, "hidden", activation="relu", **torch_values.of(features.shape[-1]))(features)
        return _dense(num_classes, "head", **torch_values.of(units))(_dropped(x, dropout, "hidden_dropout"))

    return head


def activated(activation: str, *, dropout: float, features_dropout: float = 0.0):
    """Return the head of study cub200, in which activation and dropout are applied to the logits themselves.

    This throws class scores away (half of them by a ReLU, and the share `dropout` of the rest), which is why the
    study's rows with this head are worse; it is here to repeat them.

    Args:
        activation: "relu" or "leaky_relu" (slope 0.01).
        dropout: float in [0, 1), on the activated logits.
        features_dropout: float in [0, 1), on the features; the study's port has 0.2 (B0) and 0.3 (B2).
    Returns:
        Function (float32 (B, F), num_classes) -> float32 logits (B, num_classes).
    Raises:
        InputError: the activation is unknown.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation: {activation!r} is not one of {', '.join(ACTIVATIONS)}")

    def head(features, num_classes):
        x = _dense(num_classes, "head")(_dropped(features, features_dropout, "features_dropout"))
        return _dropped(ACTIVATIONS[activation]()(x), dropout, "head_dropout")

    return head


def _dense(units, name, **options):
    # float32 in any precision: a head costs little, and half precision loses the small probabilities of 258 classes
    return layers.Dense(units, name=name, dtype="float32", **options)


def _dropped(x, rate, name):
    return layers.Dropout(rate, name=name, dtype="float32")(x) if rate else x


def log_odds(class_bias, classes) -> np.ndarray:
    """Return pairs (class, log-odds) as float (C,), in the order of the classes; pairs of other classes are ignored.

    Example:
        >>> log_odds([("bee", 0.5), ("gone", 1)], ["ant", "bee"]).tolist()
        [0.0, 0.5]
    """
    given = dict(class_bias)
    return np.array([given.get(name, 0.0) for name in classes])


def raise_classes(model, raised) -> None:
    """Add log-odds to the classes' answers, by the bias of each layer of logits.

    Args:
        model: classifier whose layer of logits is called "head"; if it averages two nets, there is also a "head_2".
        raised: float (C,), what is added to each class's logit.
    """
    for layer in model.layers:
        if re.fullmatch(r"head(_\d+)?", layer.name):
            layer.bias.assign_add(raised)
