"""The small networks that the studies compare with: fruit3's CNN and MLP, and retail258's five-layer CNN.

All take raw pixels and normalise them inside. Sources: the studies' printed layer tables; retail258's baseline is the
CIFAR tutorial net of its repository at 128 pixels. The tests check every parameter count. Weights are initialised as in
torch: with Keras's initial values, which are 1.2 to 2.4 times as large, fruit3's CNN was still at chance after an
epoch.
"""

import keras
from keras import layers

from kfg import keras_settings
from kfg.errors import InputError
from kfg.models import torch_values
from kfg.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, standardised

SMALLEST = 16  # pixels, smallest side: two valid 5 x 5 convolutions and two halvings leave one cell


def fruit3_cnn(
    *, num_classes: int, image_size: tuple[int, int], dropouts: tuple[float, float] = (0.25, 0.5)
) -> keras.Model:
    """Build fruit3's CNN; 9,966,691 parameters at 300 x 300 and 3 classes.

    Args:
        num_classes: int >= 2.
        image_size: (height, width) in pixels, each at least SMALLEST.
        dropouts: rates after the second pooling and before the last layer; (0, 0) is the study's row without dropout.
    Returns:
        Functional model: uint8 or float RGB in [0, 255] (B, H, W, 3) -> float32 probabilities (B, num_classes).
    Raises:
        InputError: the image is too small.
    """
    return _lenet("fruit3-cnn", num_classes, image_size, dropouts, IMAGENET_MEAN, IMAGENET_STD)


def retail258_cnn(
    *,
    num_classes: int,
    image_size: tuple[int, int],
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> keras.Model:
    """Build retail258's baseline, the layers of `fruit3_cnn` without dropout.

    It has 1,649,806 parameters at 128 x 128 and 258 classes.

    Args:
        num_classes, image_size: as for `fruit3_cnn`.
        mean, std: mean and standard deviation of R, G and B in [0, 1]; the study used those of its data set.
    Returns, Raises: as for `fruit3_cnn`.
    """
    return _lenet("retail258-cnn", num_classes, image_size, (0.0, 0.0), mean, std)


def _lenet(name, num_classes, image_size, dropouts, mean, std):
    keras_settings.check()
    if min(image_size) < SMALLEST:
        size = f"{image_size[0]} x {image_size[1]}"
        raise InputError(f"image_size: {name} needs at least {SMALLEST} pixels on each side, got {size}")
    images = keras.Input((*image_size, 3), name="images")
    x = standardised(images, mean=mean, std=std)
    for number, filters in ((1, 6), (2, 16)):
        x = layers.Conv2D(filters, 5, activation="relu", name=f"conv{number}", **torch_values.of(25 * x.shape[-1]))(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Dropout(dropouts[0], name="dropout1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = _dense(x, 120, "dense1")
    x = _dense(x, 84, "dense2")
    x = layers.Dropout(dropouts[1], name="dropout2")(x)
    return keras.Model(images, _probabilities(x, num_classes), name=name)


def fruit3_mlp(*, num_classes: int, image_size: tuple[int, int], units: int = 255) -> keras.Model:
    """Build fruit3's MLP with one hidden layer; 68,851,023 parameters at 300 x 300 and 3 classes.

    Args:
        num_classes: int >= 2.
        image_size: (height, width) in pixels.
        units: int >= 1, number of units in the hidden layer.
    Returns:
        Functional model: uint8 or float RGB in [0, 255] (B, H, W, 3) -> float32 probabilities (B, num_classes).
    """
    images = keras.Input((*image_size, 3), name="images")
    x = layers.Flatten(name="flatten")(standardised(images))
    x = _dense(x, units, "dense1")
    return keras.Model(images, _probabilities(x, num_classes), name="fruit3-mlp")


def _dense(x, units, name):
    return layers.Dense(units, activation="relu", name=name, **torch_values.of(x.shape[-1]))(x)


def _probabilities(x, num_classes):
    start = torch_values.of(x.shape[-1])
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities", **start)(x)
