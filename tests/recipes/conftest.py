import pathlib

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from kfg.models import backbones, mmal

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (210, 50, 40)}


def write_photos(root: pathlib.Path, per_class=12) -> pathlib.Path:
    """Write small noisy JPEGs, one colour per class."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            noise = rng.normal(0, 40, (50, 40, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.jpg")
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


def small_net(image_size):
    """Return a net of six convolutions, of the shape of a trunk: what runs through it takes no time."""
    x = images = keras.Input((*image_size, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(x)
    for i, stride in enumerate((2, 2, 2, 2, 2, 1), start=1):
        x = layers.Conv2D(8, 3, strides=stride, padding="same", use_bias=False, name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(name=f"block{i}_bn")(x)
        x = layers.ReLU(name=f"block{i}_relu")(x)
    return keras.Model(images, x)


@pytest.fixture(scope="module")
def tiny_trunk():
    """Let recipes know a trunk called "tiny"."""
    ends = tuple(f"block{i}_relu" for i in (1, 2, 3, 4, 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backbones.BACKBONES, "tiny", backbones.Backbone(small_net, 64, 32, "x / 127.5 - 1", ends))
        patch.setitem(mmal.TAPS, "tiny", ("block6_relu", "block5_relu"))
        yield "tiny"
