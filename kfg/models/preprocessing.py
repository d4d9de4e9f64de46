"""From raw pixels to what a pretrained trunk was trained on, as one Keras layer inside the model.

All in float32 whatever the precision: bfloat16 has 8 bits, a scaled pixel needs them all.
"""

import keras
import numpy as np
from keras import layers

from kfg.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of BGR in [0, 255]


def caffe(images):
    """Reverse RGB to BGR and subtract the ImageNet mean: VGG, ResNet."""
    return rescaling(scale=1.0, offset=[-mean for mean in CAFFE_MEAN])(keras.ops.flip(images, axis=-1))


def symmetric(images):
    """Scale to [-1, 1]: Inception, MobileNetV2."""
    return rescaling(scale=1 / 127.5, offset=-1.0)(images)


def standardised(images, *, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Scale to [0, 1], subtract the mean and divide by the standard deviation, each of R, G, B: DenseNet, torchvision.

    Example:
        >>> grey = np.full((1, 1, 1, 3), 127.5, "float32")
        >>> np.asarray(standardised(grey, mean=(0.5, 0.25, 0), std=(1, 1, 0.5))).ravel().tolist()
        [0.0, 0.25, 1.0]
    """
    scale = [1 / (255 * s) for s in std]
    return rescaling(scale=scale, offset=[-m / s for m, s in zip(mean, std, strict=True)])(images)


def rescaling(*, scale, offset):
    """Make the layer named "preprocess": x * scale + offset, numbers or one per channel."""
    return layers.Rescaling(scale=scale, offset=offset, name="preprocess", dtype="float32")


def check_range(images, *, name: str = "images") -> None:
    """Refuse images that were scaled before they reached the model, which scales them itself.

    A net answers such images without complaint, and wrongly: on [0, 1] every photograph looks black to it.

    Args:
        images: uint8 or float (B, H, W, 3) or (H, W, 3); a batch is enough. uint8 passes unseen.
        name: what the message calls them.
    Raises:
        InputError: values outside [0, 255], or floats none of which exceeds 1.
    Example:
        >>> check_range(np.array([0.1, 0.9]))
        Traceback (most recent call last):
        kfg.errors.InputError: images: values from 0.1 to 0.9 look scaled already; models take raw pixels in [0, 255]
    """
    images = np.asarray(images)
    if images.dtype == np.uint8 or not images.size:
        return
    low, high = float(images.min()), float(images.max())
    # all zeros is a black image; not (a <= b) also catches NaN
    if not (low >= 0 and high <= 255) or 0 < high <= 1:
        raise InputError(
            f"{name}: values from {low:.6g} to {high:.6g} look scaled already; models take raw pixels in [0, 255]"
        )
