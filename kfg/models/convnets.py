"""ConvNets 1-5 of the imagenet20 study: eight convolutions, two poolings, three dense layers.

Source: the study's printed layer tables and its notebook; the tests check every shape and count.
"""

import keras
from keras import layers

from kfg import keras_settings
from kfg.errors import InputError

# The three places where the study put its L2 penalty: the third convolution and the two padded ones.
L2_PLACES = ("conv3", "conv5", "conv8")
SMALLEST = 37  # pixels, smallest side: six valid convolutions and two poolings by 3 leave one cell


def convnet(
    *,
    num_classes: int,
    image_size: tuple[int, int],
    width: float = 1.0,
    dense_width: float = 1.0,
    kernel: int = 5,
    dropout: float = 0.2,
    l2_on: tuple[str, ...] = (),
    l2: float = 0.01,
    name: str = "convnet",
) -> keras.Sequential:
    """Build one of the study's ConvNets, which differ only in `l2_on`, or a similar net.

    Args:
        num_classes: int >= 2.
        image_size: (height, width) in pixels, each at least SMALLEST with a kernel of 5.
        width: float > 0, multiplies the filters and units of every hidden layer.
        dense_width: float > 0, multiplies the units of the two hidden dense layers once more.
        kernel: int >= 1, kernel size in pixels of the fourth and seventh convolution; the others have 3.
        dropout: float in [0, 1), rate of all six dropouts.
        l2_on: names of the convolutions ("conv1" ... "conv8") whose kernels are penalised.
        l2: float >= 0; the penalty is l2 * sum(kernel ** 2).
        name: name of the model.
    Returns:
        Sequential model, not compiled: uint8 or float RGB in [0, 255], (B, H, W, 3) -> float32 (B, num_classes)
        class probabilities. 2,153,940 parameters at 68 x 45, 20 classes, width 1.
    Raises:
        InputError: if the image is too small or `l2_on` names an unknown layer.
    Example:
        >>> convnet(num_classes=20, image_size=(68, 45)).count_params()
        2153940
    """
    keras_settings.check()
    unknown = set(l2_on) - {f"conv{i}" for i in range(1, 9)}
    if unknown:
        raise InputError(f"l2_on: unknown layer {sorted(unknown)[0]!r}; choose from conv1 ... conv8")
    smallest = SMALLEST + 4 * (kernel - 5)
    if min(image_size) < smallest:
        raise InputError(
            f"image_size: {image_size[0]} x {image_size[1]} leaves nothing to pool; give at least {smallest} x "
            f"{smallest}"
        )

    def filters(count, factor=width):
        return max(1, round(count * factor))

    def conv(number, count, kernel, padding="valid"):
        penalty = keras.regularizers.L2(l2) if f"conv{number}" in l2_on else None
        return layers.Conv2D(
            filters(count), kernel, padding=padding, activation="relu", kernel_regularizer=penalty, name=f"conv{number}"
        )

    return keras.Sequential(
        [
            keras.Input((*image_size, 3), name="images"),
            layers.Rescaling(1 / 255, name="rescale"),
            conv(1, 128, 3),
            conv(2, 64, 3),
            conv(3, 128, 3),
            layers.Dropout(dropout),
            conv(4, 128, kernel),
            layers.Dropout(dropout),
            conv(5, 256, 3, "same"),
            layers.MaxPooling2D(3, name="pool1"),
            layers.Dropout(dropout),
            conv(6, 128, 3),
            layers.Dropout(dropout),
            conv(7, 128, kernel),
            layers.Dropout(dropout),
            conv(8, 256, 3, "same"),
            layers.MaxPooling2D(3, name="pool2"),
            layers.Flatten(),
            layers.Dense(filters(256, width * dense_width), activation="relu", name="dense1"),
            layers.Dense(filters(128, width * dense_width), activation="relu", name="dense2"),
            layers.Dropout(dropout),
            # float32 in any precision: a softmax in half precision loses the small probabilities of 258 classes
            layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities"),
        ],
        name=name,
    )
