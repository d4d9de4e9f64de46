"""What stands on the pooled features: functions (features, num_classes) -> logits.

The logits' layer is called "head" in all of them; `backbones.classifier` puts the softmax behind.
"""

from keras import layers

from kfg.errors import InputError
from kfg.models import torch_values

# torch's LeakyReLU has slope 0.01, Keras's 0.3
ACTIVATIONS = {
    "relu": lambda: layers.ReLU(name="head_activation", dtype="float32"),
    "leaky_relu": lambda: layers.LeakyReLU(negative_slope=0.01, name="head_activation", dtype="float32"),
}


def linear(*, dropout: float = 0.0):
    """Make a head of one dense layer, with dropout on the features before it.

    Args:
        dropout: float in [0, 1).
    Returns:
        Function (float32 (B, F), num_classes) -> float32 logits (B, num_classes).
    """

    def head(features, num_classes):
        return _dense(num_classes, "head")(_dropped(features, dropout, "features_dropout"))

    return head


def hidden(*, units: int, dropout: float = 0.0):
    """Make the fruit3 study's head: a dense layer with ReLU, dropout, then the logits; weights begin as torch's.

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
    """Make the cub200 study's head: activation and dropout stand on the logits themselves.

    That throws class scores away (half of them after a ReLU, `dropout` of the rest), which is why the study's rows
    with it lose; it is here to repeat them.

    Args:
        activation: "relu" or "leaky_relu" (slope 0.01).
        dropout: float in [0, 1), on the activated logits.
        features_dropout: float in [0, 1), on the features; the study's port has 0.2 (B0) and 0.3 (B2).
    Returns:
        Function (float32 (B, F), num_classes) -> float32 logits (B, num_classes).
    Raises:
        InputError: an unknown activation.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation: {activation!r} is none of {', '.join(ACTIVATIONS)}")

    def head(features, num_classes):
        x = _dense(num_classes, "head")(_dropped(features, features_dropout, "features_dropout"))
        return _dropped(ACTIVATIONS[activation]()(x), dropout, "head_dropout")

    return head


def _dense(units, name, **options):
    # float32 whatever the precision: a head costs nothing, and half precision loses the tail of 258 classes
    return layers.Dense(units, name=name, dtype="float32", **options)


def _dropped(x, rate, name):
    return layers.Dropout(rate, name=name, dtype="float32")(x) if rate else x
