"""A small net and photographs that it gets right without any training."""

import keras
import numpy as np
from PIL import Image

from kfg.data import folder

CLASSES = ("red", "green", "blue")
SIZE = (16, 12)


def small_net():
    """A net with the layers of a trunk that answers the colour an image has most of, with no training."""
    keras.utils.set_random_seed(0)
    images = keras.Input((*SIZE, 3), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocess")(images)
    x = keras.layers.Conv2D(3, 1, use_bias=False, name="conv")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", depthwise_initializer="ones", name="depthwise")(x)
    x = keras.layers.ReLU(6.0, name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    x = keras.layers.Dense(3, kernel_initializer="identity", name="head")(x)
    model = keras.Model(images, keras.layers.Activation("softmax", name="probabilities")(x), name="small")
    model.get_layer("conv").set_weights([np.eye(3)[None, None]])
    return model


def photographs(root, *, count=8, size=(40, 30)):
    """Write pictures of one colour and some noise in class folders."""
    rng = np.random.default_rng(0)
    for name, colour in zip(CLASSES, np.eye(3) * 150, strict=True):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = colour + rng.integers(0, 100, (size[1], size[0], 3))
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return folder.scan(root, CLASSES)
