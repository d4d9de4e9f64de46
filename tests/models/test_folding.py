"""Folded normalisations: the same answers from fewer layers."""

import keras
import numpy as np
import pytest
from keras import layers

from kfg.models import backbones, folding


def moved(model):
    """Move every weight off its initial value, so that no normalisation is the identity."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1.5, value.shape) for value in model.get_weights()])
    return model


def net(**settings):
    images = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, use_bias=settings.get("use_bias", False), name="conv")(images)
    x = layers.BatchNormalization(scale=settings.get("scale", True), center=settings.get("center", True), name="a")(x)
    x = layers.ReLU(max_value=6)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=settings.get("depth_multiplier", 1), name="depthwise")(x)
    x = layers.BatchNormalization(epsilon=1e-2, name="b")(x)
    return moved(keras.Model(images, layers.GlobalAveragePooling2D()(layers.Activation("tanh")(x))))


@pytest.mark.parametrize(
    "settings", [{}, {"use_bias": True}, {"scale": False}, {"center": False}, {"depth_multiplier": 2}]
)
def test_a_folded_net_answers_alike(settings):
    model, images = net(**settings), np.random.default_rng(1).uniform(0, 0.1, (2, 9, 9, 3)).astype(np.float32)
    folded = folding.fold(model)
    np.testing.assert_allclose(folded(images), model(images, training=False), rtol=1e-4, atol=1e-6)
    assert not [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert [layer.name for layer in folded.layers[1:]] == [layer.name for layer in model.layers[1:]]


def test_a_net_whose_layers_another_model_uses_is_folded_too():
    model, images = net(), np.random.default_rng(1).random((2, 9, 9, 3)).astype("float32")
    keras.Model(model.get_layer("conv").output, model.output)  # as for training the last layers alone
    folded = folding.fold(model)
    kinds = [type(layer) for layer in folded.layers]
    assert layers.BatchNormalization not in kinds and kinds.count(folding.Nothing) == 2
    np.testing.assert_allclose(folded(images), model(images), atol=1e-5)


def shared(end):
    """Return a net in which a convolution is followed by its normalisation, and both are called once more in `end`."""
    images = keras.Input((5, 5, 3))
    conv, norm = layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    first = norm(conv(images))
    return moved(keras.Model(images, end(first, conv, norm)))


ENDS = {
    "the convolution's second output is the model's": lambda first, conv, norm: conv(norm(conv(first))),
    "the convolution's output and the normalised one": lambda first, conv, norm: [conv(first), norm(conv(first))],
    "the normalisation takes something else, too": lambda first, conv, norm: norm(layers.ReLU()(first)),
    "another convolution has an activation": lambda first, conv, norm: layers.Add()(
        [first, norm(layers.Conv2D(3, 3, padding="same", activation="relu")(first))]
    ),
    "both calls are followed by the normalisation": lambda first, conv, norm: norm(conv(first)),
}


@pytest.mark.parametrize("name", ENDS)
def test_layers_that_are_called_twice_answer_alike(name):
    model, images = shared(ENDS[name]), np.random.default_rng(1).random((2, 5, 5, 3)).astype("float32")
    folded = folding.fold(model)
    for mine, own in zip(np.asarray(folded(images), object).flat, np.asarray(model(images), object).flat, strict=True):
        np.testing.assert_allclose(mine, own, rtol=1e-3)
    assert (folded is not model) is (name == "both calls are followed by the normalisation")


def test_a_model_of_tensors_in_another_one_is_folded_by_its_own_calls():
    model, images = net(), np.random.default_rng(1).random((2, 9, 9, 3)).astype("float32")
    conv, norm = model.get_layer("conv"), model.get_layer("a")
    part = keras.Model(model.input, [conv.output, norm.output])
    for mine, own in zip(folding.fold(part)(images), part(images), strict=True):
        np.testing.assert_allclose(mine, own, atol=1e-5)


def test_a_normalisation_that_others_look_behind_stays():
    images = keras.Input((5, 5, 3))
    x = layers.Conv2D(3, 1, name="shared")(images)
    y = layers.Add()([layers.BatchNormalization()(x), x])  # the convolution's own output is used too
    z = layers.BatchNormalization()(layers.Conv2D(3, 1, activation="relu")(y))  # a ReLU stands between
    model = moved(keras.Model(images, z))
    assert folding.fold(model) is model


@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-lite0", "mobilenet-v3-small", "resnet50"])
def test_trunks_with_weights_off_their_start_answer_alike(name):
    model = backbones.trunk(name, image_size=(32, 32), weights="none")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([value * rng.uniform(0.5, 2, value.shape) for value in layer.get_weights()])
            layer.moving_mean.assign(rng.uniform(-0.2, 0.2, layer.moving_mean.shape))
    images = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    folded, expected = folding.fold(model), np.asarray(model(images, training=False))
    assert folded is not model
    assert np.abs(expected).max() > 1e-3  # an answer that is all 0 would prove nothing
    np.testing.assert_allclose(folded(images, training=False), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_a_convolution_that_is_looked_at_otherwise_is_left():
    images = keras.Input((5, 5, 3))
    x = layers.Conv2D(3, 1)(images)
    y = layers.BatchNormalization()(x)
    for model in (keras.Model(images, keras.ops.add(y, x)), keras.Model(images, [x, y])):
        assert folding.fold(model) is model


def test_a_model_of_its_own_class_comes_back_itself():
    class Own(keras.Model):
        pass

    source = net()
    own = Own(source.input, source.output)
    assert folding.fold(own) is own
