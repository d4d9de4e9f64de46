"""Models in models as one graph, and the heat that Grad-CAM then shows."""

import keras
import numpy as np
import pytest
from keras import layers

from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.models.flattening import flatten


def trunk():
    x = images = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.Conv2D(4, 3, padding="same", name="side")(x)
    return keras.Model(images, layers.ReLU(name="out")(layers.Add(name="sum")([x, y])), name="trunk")


def functional():
    images = keras.Input((16, 16, 3))
    x = trunk()(layers.Rescaling(1 / 255, name="scale")(images), training=False)
    x = layers.Dense(5, name="conv")(layers.GlobalAveragePooling2D(name="pool")(x))  # a name that is there twice
    return keras.Model(images, layers.Dense(3, activation="softmax", name="answer")(x))


def sequential():
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")])
    return keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), trunk(), head])


@pytest.mark.parametrize("build", [functional, sequential])
def test_it_answers_alike_and_has_heat(build):
    keras.utils.set_random_seed(0)
    model = build()
    for layer in model.layers:
        if layer.name == "trunk":
            layer.get_layer("norm").set_weights([np.full(4, value) for value in (1.5, 0.2, 0.1, 2.0)])
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    flat = flatten(model)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(np.asarray(flat(images, training=False)), expected, atol=1e-6)
    assert gradcam.has_maps(model)
    heat = gradcam.heatmaps(model, images, expected.argmax(axis=1))
    assert heat.shape == (3, 16, 16) and 0 <= heat.min() <= heat.max() == 1
    np.testing.assert_array_equal(heat, gradcam.heatmaps(flat, images, expected.argmax(axis=1)))


def test_of_two_models_side_by_side_the_first_keeps_its_names_and_a_shared_layer_stays_one():
    images, shared = keras.Input((16, 16, 3)), layers.Dense(2, name="shared")
    maps = [layers.GlobalAveragePooling2D()(one(images)) for one in (trunk(), functional_of("second", filters=7))]
    both = layers.Add()([layers.Rescaling(0.5)(shared(layers.Dense(6)(one))) for one in maps])
    flat = flatten(keras.Model(images, both))
    assert flat.get_layer("conv").filters == 4 and flat.get_layer("conv_2").filters == 7
    assert [layer.name for layer in flat.layers].count("shared") == 1
    pictures = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    expected = keras.Model(images, both)(pictures)
    np.testing.assert_allclose(np.asarray(flat(pictures)), np.asarray(expected), atol=1e-6)


def functional_of(name, *, filters):
    images = keras.Input((16, 16, 3))
    return keras.Model(images, layers.Conv2D(filters, 3, name="conv")(images), name=name)


def test_a_flat_model_comes_back_itself():
    model = trunk()
    assert flatten(model) is model


def test_a_model_of_its_own_class_has_no_maps():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.net = trunk()

        def call(self, images):
            return self.net(images)

    assert flatten(model := Mine()) is model and not gradcam.has_maps(model)


def test_the_way_that_kerass_guide_writes_transfer_learning():
    """Arithmetic on tensors and a Lambda stand beside the trunk."""
    images = keras.Input((16, 16, 3))
    x = layers.Lambda(lambda pixels: pixels * 2.0)(images / 127.5 - 1)
    x = layers.GlobalAveragePooling2D()(trunk()(x, training=False))
    model = keras.Model(images, layers.Dense(3, activation="softmax")(x))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(flatten(model)(pixels)), np.asarray(model(pixels)), atol=1e-6)
    assert gradcam.has_maps(model) and gradcam.heatmaps(model, pixels, [0, 1]).shape == (2, 16, 16)


def test_what_grad_cam_cannot_read_is_said_or_has_no_maps():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(3, 3)

        def call(self, images):
            return self.conv(images)

    assert not gradcam.has_maps(Mine())
    images = keras.Input((None, None, 3))
    net = keras.Model(images, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(images))))
    with pytest.raises(InputError, match="takes images of any size"):
        gradcam.seen(net)
