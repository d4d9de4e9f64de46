"""Preprocess raw pixels for a pretrained trunk, as one Keras layer inside the model.

The layer computes in float32 whatever the model's precision, because bfloat16 has only 8 significant bits, which a
scaled pixel fully needs.
"""

import keras
from keras import layers

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # for RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # for BGR in [0, 255]


def caffe(images):
    """Reverse RGB to BGR and subtract the ImageNet mean, as for VGG and ResNet."""
    return rescaling(scale=1.0, offset=[-mean for mean in CAFFE_MEAN])(keras.ops.flip(images, axis=-1))


def symmetric(images):
    """Scale pixels to [-1, 1], as for Inception and MobileNetV2."""
    return rescaling(scale=1 / 127.5, offset=-1.0)(images)


def standardised(images, *, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Scale pixels to [0, 1], subtract the mean and divide by the standard deviation, separately for R, G and B.

    This is the preprocessing of DenseNet and of torchvision.

    Example:
        >>> import numpy as np
        >>> grey = np.full((1, 1, 1, 3), 127.5, "float32")
        >>> np.asarray(standardised(grey, mean=(0.5, 0.25, 0), std=(1, 1, 0.5))).ravel().tolist()
        [0.0, 0.25, 1.0]
    """
    scale = [1 / (255 * s) for s in std]
    return rescaling(scale=scale, offset=[-m / s for m, s in zip(mean, std, strict=True)])(images)


def rescaling(*, scale, offset):
    """Return a layer named "preprocess" that computes x * scale + offset, with one number or one per channel."""
    return layers.Rescaling(scale=scale, offset=offset, name="preprocess", dtype="float32")
