"""ImageDataGenerator's arguments as a policy, and its pixels beside ours."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from kfg.augment import from_keras
from kfg.augment.policies import Policy
from kfg.errors import InputError

GENERATOR = tf.keras.preprocessing.image.ImageDataGenerator


def test_every_argument_of_the_generator_is_known():
    arguments = set(inspect.signature(GENERATOR.__init__).parameters) - {"self"}
    assert arguments == {*from_keras.SAME, *from_keras.UNSUPPORTED}


def test_the_generators_defaults_change_nothing():
    defaults = {
        name: one.default for name, one in inspect.signature(GENERATOR.__init__).parameters.items() if name != "self"
    }
    assert Policy.from_keras(**defaults) == Policy()


def test_names_and_values_carry_over():
    policy = Policy.from_keras(
        rotation_range=20,
        width_shift_range=2.0,
        height_shift_range=0.1,
        zoom_range=[0.8, 1.2],
        shear_range=5,
        brightness_range=[0.9, 1.1],
        channel_shift_range=9,
        fill_mode="constant",
        cval=7,
        vertical_flip=True,
        data_format="channels_last",
        dtype="float32",
    )
    assert policy == Policy(
        rotation=20,
        width_shift=2,
        height_shift=0.1,
        zoom=(0.8, 1.2),
        shear=5,
        brightness=(0.9, 1.1),
        channel_shift=9,
        fill_mode="constant",
        cval=7,
        vertical_flip=True,
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"rotation": 20}, "rotation: ImageDataGenerator has no such argument; did you mean rotation_range"),
        ({"rescale": 1 / 255}, r"rescale: .* put keras\.layers\.Rescaling\(0\.0039.*\) before the model"),
        ({"validation_split": 0.2}, "validation_split: .* kfg.load"),
        ({"samplewise_center": True}, r"samplewise_center: .*\.Normalization"),
        ({"width_shift_range": [-3, 3]}, "width_shift_range: .* lists are not supported"),
        ({"height_shift_range": 1.5}, "height_shift_range: expected a fraction below 1 or whole pixels"),
        ({"fill_mode": "mirror"}, "fill_mode must be one of"),
    ],
)
def test_what_is_not_understood_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        Policy.from_keras(**arguments)
    if "fill_mode" not in arguments:
        with pytest.raises(InputError):
            Policy.from_keras(**arguments)


def test_a_flip_is_the_same_picture():
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 9, 3), dtype=np.uint8)
    flipped = {
        ours.tobytes()
        for epoch in range(20)
        for ours in Policy.from_keras(horizontal_flip=True).apply(
            image, np.zeros(1), seed=0, epoch=epoch, positions=np.arange(1)
        )
    }
    theirs = {
        GENERATOR(horizontal_flip=True)
        .random_transform(image[0].astype(np.float32), seed=seed)
        .astype(np.uint8)
        .tobytes()
        for seed in range(20)
    }
    assert flipped == theirs and len(theirs) == 2
