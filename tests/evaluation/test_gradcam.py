"""Grad-CAM: the heat lies where the evidence is, for nets whose evidence is known."""

import io

import keras
import numpy as np
import pytest
from keras import layers

from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.models import backbones, convnets


def colour_net(*, split_softmax):
    """Return a net that gives class 0 to red and class 1 to blue: two maps, red and blue light, averaged."""
    images = keras.Input((16, 20, 3))
    x = layers.Conv2D(2, 1, use_bias=False, name="maps")(layers.Rescaling(1 / 255)(images))
    x = layers.GlobalAveragePooling2D()(layers.AveragePooling2D(4, name="pool")(x))
    if split_softmax:
        answer = layers.Activation("softmax")(layers.Dense(2, name="head")(x))
    else:
        answer = layers.Dense(2, activation="softmax", name="head")(x)
    model = keras.Model(images, answer)
    model.get_layer("maps").set_weights([np.float32([[[[1, 0], [0, 0], [0, 1]]]])])
    model.get_layer("head").set_weights([np.float32([[9, 0], [0, 9]]), np.zeros(2, np.float32)])
    return model


def red_left_blue_right():
    image = np.zeros((1, 16, 20, 3), np.uint8)
    image[:, :, :8, 0] = 255
    image[:, :, 12:, 2] = 255
    return image


@pytest.mark.parametrize("split_softmax", [True, False])
def test_the_heat_of_a_class_lies_on_its_colour(split_softmax):
    model, images = colour_net(split_softmax=split_softmax), np.repeat(red_left_blue_right(), 2, axis=0)
    red, blue = gradcam.heatmaps(model, images, [0, 1])
    assert red.shape == (16, 20)
    assert (red[:, :6].min(), red[:, 14:].max()) == (1, 0)
    assert (blue[:, 14:].min(), blue[:, :6].max()) == (1, 0)
    exact = gradcam.heatmaps(model, images, [0, 1], layer="maps")
    np.testing.assert_array_equal(exact[0], (images[0, :, :, 0] > 0).astype(np.float32))


def test_what_speaks_for_nothing_is_cold():
    assert gradcam.heatmaps(colour_net(split_softmax=True), np.zeros((1, 16, 20, 3), np.uint8), [0]).max() == 0


@pytest.mark.parametrize("name", ["convnet", "efficientnet-lite0", "mobilenet-v3-small", "densenet121"])
def test_the_models_of_kfg_have_heat_also_when_loaded(name, tmp_path):
    if name == "convnet":
        model = convnets.convnet(num_classes=3, image_size=(40, 37), width=0.05)
    else:
        model = backbones.classifier(name, num_classes=3, image_size=(64, 64), weights="none")
    images = np.random.default_rng(0).integers(0, 256, (2, *model.input_shape[1:]), dtype=np.uint8)
    heat = gradcam.heatmaps(model, images, [0, 2])
    assert heat.shape == images.shape[:3]
    assert heat.min() >= 0
    assert set(heat.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(gradcam.heatmaps(loaded, images, [0, 2]), heat, atol=1e-5)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no maps at 'head'"):
        gradcam.heatmaps(colour_net(split_softmax=True), red_left_blue_right(), [0], layer="head")
    flat = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    with pytest.raises(InputError, match="has no layer with maps"):
        gradcam.heatmaps(flat, np.zeros((1, 4, 4, 3), np.uint8), [0])


def test_the_sheet_shows_each_image_with_its_maps():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    maps = [{"truth: a": np.zeros((8, 8)), "said: b": np.ones((8, 8))}] * 4
    figure = gradcam.sheet(images, maps)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 12
    assert [axes.get_title(loc="left") for axes in shown[:3]] == ["", "truth: a", "said: b"]
    figure.savefig(io.BytesIO(), format="png")
    assert gradcam.overlay(images[0], np.ones((8, 8))).dtype == np.uint8
