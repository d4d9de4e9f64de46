"""Nets with random weights whose answers differ from image to image: one that answers all alike would test nothing."""

import keras
import numpy as np

from kfg.errors import InputError
from kfg.models.flattening import all_layers

LARGER = 6  # times that weights may be multiplied by 4
SPREAD = 0.02  # least standard deviation of a net's answers over images


def pictures(count: int, height: int, width: int):
    """Return images with large coloured patches, uint8 (N, H, W, 3)."""
    patches = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in (height, width))
    return patches[:, rows][:, :, columns]


def awake(model):
    """Let a classifier with random weights answer images differently, and return it.

    With the statistics that they begin with, batch normalisations let the signal die away in deep nets. Here they take
    those of some images. If the answers still differ too little, the last dense layer gets larger weights.

    Raises:
        InputError: the answers do not differ even so, or are no numbers.
    """
    images = pictures(16, *model.input_shape[1:3]).astype(np.float32)
    norms = [one for one in all_layers(model) if isinstance(one, keras.layers.BatchNormalization)]
    classes, kept = model.output_shape[-1], [one.momentum for one in norms]
    for one in norms:
        one.momentum = 0.0
    model(images, training=True)
    for one, momentum in zip(norms, kept, strict=True):
        one.momentum = momentum
    heads = [one for one in all_layers(model) if isinstance(one, keras.layers.Dense) and one.units == classes]
    for _ in range(LARGER):
        if (found := spread(model(images, training=False))) >= SPREAD:
            return model
        for one in heads:
            one.kernel.assign(4 * one.kernel)
    raise InputError(f"{model.name}: answers all images alike (standard deviation {found:.2g})")


def spread(answers) -> float:
    """Return the largest standard deviation over images of a class's probability; `answers` are float (N, C)."""
    return float(np.asarray(answers).std(axis=0).max())
