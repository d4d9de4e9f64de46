"""Grad-CAM: the heat lies where the evidence is, for nets whose evidence is known."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from keras import layers

from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.models import backbones, baselines, convnets, mmal
from kfg.models.copying import copied


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


def test_a_head_without_a_bias_has_the_heat_of_one_whose_bias_is_0():
    net = colour_net(split_softmax=False)
    kernel, _ = net.get_layer("head").get_weights()
    answer = layers.Dense(2, activation="softmax", use_bias=False)(net.get_layer("head").input)
    bare = keras.Model(net.inputs, answer)
    bare.layers[-1].set_weights([kernel])
    maps = [gradcam.heatmaps(one, red_left_blue_right(), [0]) for one in (bare, net)]
    np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize("form", ["functional", "sequential", "loaded"])
def test_the_heat_of_a_net_that_begins_with_a_crop_lies_in_what_it_sees(form, tmp_path):
    net, rim = colour_net(split_softmax=True), ((3, 5), (2, 8))
    if form == "sequential":
        model = keras.Sequential([keras.Input((24, 30, 3)), layers.Cropping2D(rim), *net.layers[1:]])
    else:
        model = copied(
            net,
            images=keras.Input((24, 30, 3)),
            call=lambda layer, x: layer(layers.Cropping2D(rim)(x) if x.shape[1:] == (24, 30, 3) else x),
        )
    if form == "loaded":
        model.save(tmp_path / "model.keras")
        model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    inner = red_left_blue_right()
    images = np.full((1, 24, 30, 3), 200, np.uint8)
    images[:, 3:19, 2:22] = inner
    expected = np.pad(gradcam.heatmaps(net, inner, [0]), ((0, 0), *rim))
    assert expected.max() == 1
    np.testing.assert_allclose(gradcam.heatmaps(model, images, [0]), expected, atol=1e-6)


def test_a_crop_inside_a_net_leaves_the_heat_on_the_whole_image():
    net = colour_net(split_softmax=True)
    cut = layers.Cropping2D(2)(net.get_layer("maps").output)
    answer = layers.Softmax()(net.get_layer("head")(layers.GlobalAveragePooling2D()(cut)))
    heat = gradcam.heatmaps(keras.Model(net.input, answer), red_left_blue_right(), [0], layer="maps")
    np.testing.assert_array_equal(heat[0], red_left_blue_right()[0, :, :, 0] > 0)


def test_what_speaks_for_nothing_is_cold():
    assert gradcam.heatmaps(colour_net(split_softmax=True), np.zeros((1, 16, 20, 3), np.uint8), [0]).max() == 0


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)


# one of each shape of net: the others have the same layers at their end, and were all read once, by hand
NETS = {
    "convnet": lambda: convnets.convnet(num_classes=3, image_size=(40, 37), width=0.05),
    "retail258": lambda: baselines.retail258_cnn(num_classes=3, image_size=(32, 36)),
    "efficientnet-lite0": lambda: transfer("efficientnet-lite0"),
    "mobilenet-v3-small": lambda: transfer("mobilenet-v3-small"),
}


def transfer(name):
    return backbones.classifier(name, num_classes=3, image_size=(64, 64), weights="none")


def check(model, tmp_path):
    """Check the heat's form, and that the model has the same heat when loaded."""
    images = np.random.default_rng(0).integers(0, 256, (3, *model.input_shape[1:]), dtype=np.uint8)
    heat = gradcam.heatmaps(model, images, [0, 1, 2])
    assert heat.shape == images.shape[:3] and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() == 1
    assert set(heat.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(gradcam.heatmaps(loaded, images, [0, 1, 2]), heat, atol=1e-5)


@pytest.mark.parametrize("name", list(NETS))
def test_the_models_of_kfg_have_heat_also_when_loaded(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = NETS[name]()
    check(model, tmp_path)
    assert gradcam.has_maps(model)


@pytest.mark.parametrize("name", ["fbsd", "mmal", "plain"])
def test_the_nets_with_attention_have_heat_also_when_loaded(name, attentive_net, tmp_path):
    check(attentive_net(name), tmp_path)


def test_the_maps_read_are_those_before_the_last_pooling(attentive_net, noise):
    model = attentive_net("plain")
    heat = gradcam.heatmaps(model, noise, [0, 1, 2])
    np.testing.assert_array_equal(heat, gradcam.heatmaps(model, noise, [0, 1, 2], layer="relu6"))
    assert (
        np.abs(heat - gradcam.heatmaps(model, noise, [0, 1, 2], layer="coarse")).max() > 0.1
    )  # 2 x 2 cells, not 4 x 4


def test_the_heat_of_fbsd_is_the_gradient_at_the_last_stages_boosted_map(attentive_net, noise):
    model, labels = attentive_net("fbsd"), [0, 1, 2]
    boosted = model.get_layer("head_stage5_strips").output[0]
    both = keras.Model(model.input, [boosted, model.get_layer("head_sum").output])
    images = tf.constant(noise, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps, logits = both(images, training=False)
        chosen = tf.gather(logits, labels, axis=1, batch_dims=1)
    weights = tape.gradient(chosen, maps).numpy().mean(axis=(1, 2), keepdims=True)
    cells = np.maximum((weights * maps.numpy()).sum(axis=-1, keepdims=True), 0)
    expected = tf.image.resize(cells, (128, 128)).numpy()[..., 0]
    assert expected.max() > 0
    most = np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-30)
    np.testing.assert_allclose(gradcam.heatmaps(model, noise, labels), expected / most, atol=1e-4)


def test_the_heat_of_mmal_lies_where_the_object_was_cut_out(attentive_net, noise):
    """What the raw image's branch, of the same layers, says of the object's image, put back by hand."""
    model, labels = attentive_net("mmal"), [0, 1, 2]
    noise[0, :60, 64:] //= 4
    boxes = mmal.located(model)(noise)["object"].numpy().astype(int)
    assert (boxes[:, 2:] - boxes[:, :2] < 127).any(axis=1).sum() >= 2  # not the whole image
    objects = keras.Model(model.input, model.get_layer("object").output)(noise)
    inside = gradcam.heatmaps(model.branch("raw"), objects, labels)
    heat = gradcam.heatmaps(model, noise, labels)
    assert inside.max() == 1
    for one, found, (y0, x0, y1, x1) in zip(inside, heat, boxes, strict=True):
        rows, columns = (np.linspace(0, 127, end - start + 1) for start, end in ((y0, y1), (x0, x1)))
        resampled = scipy.ndimage.map_coordinates(one, np.meshgrid(rows, columns, indexing="ij"), order=1)
        expected = np.zeros((128, 128))
        expected[y0 : y1 + 1, x0 : x1 + 1] = resampled / max(resampled.max(), 1e-30)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no feature maps at 'head'"):
        gradcam.heatmaps(colour_net(split_softmax=True), red_left_blue_right(), [0], layer="head")
    flat = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    with pytest.raises(InputError, match="has no layer with feature maps"):
        gradcam.heatmaps(flat, np.zeros((1, 4, 4, 3), np.uint8), [0])


def test_an_mlp_has_no_maps_though_its_preprocessing_has_an_images_shape():
    model = baselines.fruit3_mlp(num_classes=3, image_size=(8, 8), units=4)
    assert not gradcam.has_maps(model)
    with pytest.raises(InputError, match="fruit3-mlp has no layer with feature maps"):
        gradcam.heatmaps(model, np.zeros((1, 8, 8, 3), np.uint8), [0])


def test_the_overlay_mixes_image_and_colour_in_halves():
    drawn = gradcam.overlay(np.full((2, 1, 3), 100, np.uint8), np.array([[0.0], [1.0]]))
    cold, hot = (drawn[i, 0].astype(int) * 2 - 100 for i in (0, 1))  # the colour alone
    assert drawn.dtype == np.uint8
    assert cold[2] > cold[0] and hot[0] > hot[2]
