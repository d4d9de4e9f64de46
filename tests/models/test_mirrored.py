"""Answers averaged with those on the mirror image, and trunks side by side: what the proven remedy is made of."""

import keras
import numpy as np
import pytest
from _awake import awake
from keras import layers

from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.models import backbones, builders, mirrored, opinions, saved

SIZE = (64, 64)


@pytest.fixture(scope="module")
def two(tiny_trunk):
    """Return a classifier on two trunks whose layers have the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backbones.BACKBONES, "other", backbones.BACKBONES[tiny_trunk])
        yield net(0, second="other")


def net(seed, *, num_classes=3, **options):
    keras.utils.set_random_seed(seed)
    options |= {"num_classes": num_classes, "image_size": SIZE, "weights": "none"}
    return awake(backbones.classifier("tiny", **options))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)


def answers(model, images):
    return model(images, training=False).numpy()


def test_the_features_of_two_trunks_stand_one_after_the_other(two, images):
    features = answers(keras.Model(two.input, two.get_layer("features").output), images)
    assert features.shape == (3, 8 + 8)
    first, second = (
        answers(keras.Model(two.input, two.get_layer(f"features_of_{name}").output), images)
        for name in ("tiny", "other")
    )
    np.testing.assert_array_equal(features, np.concatenate([first, second], axis=1))
    assert features.std(axis=0).max() > 1e-2 and np.abs(first - second).max() > 1e-2
    assert len(backbones.ends_of_trunks(two)) == 2
    assert backbones.ends_of_trunks(net(0)) == []


def test_the_mean_is_answered_saved_and_taken_apart_again(two, images, tmp_path):
    both, alone = mirrored.averaged(two), answers(two, images)
    turned = answers(two, images[:, :, ::-1])
    assert np.abs(alone - turned).max() > 1e-3  # else the mean shows nothing
    np.testing.assert_allclose(answers(both, images), (alone + turned) / 2, atol=1e-6)
    assert [weight.shape for weight in both.weights] == [weight.shape for weight in two.weights]
    both.save(tmp_path / "both.keras")
    again = saved.load(tmp_path / "both.keras")
    np.testing.assert_allclose(answers(again, images), (alone + turned) / 2, atol=1e-6)
    np.testing.assert_allclose(answers(mirrored.plain(again), images), alone, atol=1e-6)
    assert mirrored.plain(two) is two


def test_the_heat_of_two_trunks_and_of_averaged_answers_is_that_of_the_image_itself(two, images):
    heat = gradcam.heatmaps(two, images, [0, 1, 2])
    assert heat.shape == (3, *SIZE) and heat.max() == 1
    np.testing.assert_allclose(gradcam.heatmaps(mirrored.averaged(two), images, [0, 1, 2]), heat, atol=1e-5)


FEATURES = {
    "pooled": lambda maps: layers.GlobalAveragePooling2D(name="features")(maps),
    "of a hidden layer": lambda maps: layers.Dense(2, kernel_initializer="ones", name="features")(
        layers.Flatten()(maps)
    ),
    "scaled": lambda maps: layers.Rescaling(2.0, name="features")(layers.GlobalAveragePooling2D()(maps)),
}


def seeing(channel, features):
    """Return a net whose class 0 is all that is bright in one channel."""
    images = keras.Input((16, 20, 3))
    maps = layers.Conv2D(1, 1, use_bias=False, name="maps")(layers.Rescaling(1 / 255)(images))
    logits = layers.Dense(2, name="head")(FEATURES[features](maps))
    model = keras.Model(images, layers.Activation("softmax")(logits))
    model.get_layer("maps").set_weights([np.eye(3, dtype=np.float32)[channel].reshape(1, 1, 3, 1)])
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([np.ones_like(kernel) * (9, 0), bias])
    return model


@pytest.mark.parametrize("features", FEATURES)
def test_the_heat_of_a_second_opinion_is_that_of_both_trunks(features):
    image = np.zeros((1, 16, 20, 3), np.uint8)
    image[:, :, :8, 0] = image[:, :, 12:, 2] = 255  # red on the left, blue on the right
    red, blue = seeing(0, features), seeing(2, "pooled")
    alone = gradcam.heatmaps(red, image, [0])[0]
    assert (alone[:, :8].min(), alone[:, 8:].max()) == (1, 0)
    for both in (opinions.averaged(red, blue), opinions.averaged(blue, red)):
        assert len(backbones.ends_of_trunks(both)) == 2
        heat = gradcam.heatmaps(both, image, [0])[0]
        assert heat[:, :8].min() > 0 and heat[:, 12:].min() > 0 and heat[:, 8:12].max() == 0


def small_convnext(**options):
    return keras.src.applications.convnext.ConvNeXt([1, 1, 1, 1], [8, 12, 16, 20], name="mini", **options)


def test_the_last_maps_of_convnext_are_found_before_its_normalised_features(two, monkeypatch):
    mini = backbones.Backbone(builders.convnext(small_convnext), 64, 32, ())
    monkeypatch.setitem(backbones.BACKBONES, "convnext-mini", mini)
    options = {"num_classes": 3, "image_size": SIZE, "weights": "none"}
    convnext = backbones.classifier("convnext-mini", **options)
    ends = backbones.ends_of_trunks(opinions.averaged(convnext, net(0)))
    assert [end.name for end in ends] == ["mini_stage_3_block_0_add", "block6_relu"]


def test_two_opinions_are_averaged_and_taken_apart_again(two, images):
    other = net(1)
    both = opinions.averaged(two, other)
    alone = [answers(model, images) for model in (two, other)]
    mean = np.sqrt(alone[0] * alone[1])
    half = answers(both, images)
    np.testing.assert_allclose(half, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    mean = alone[0] ** 0.75 * alone[1] ** 0.25
    quarter = answers(opinions.averaged(two, other, share=0.25), images)
    np.testing.assert_allclose(quarter, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    assert np.abs(quarter - half).max() > 1e-3
    for part, expected in zip(opinions.apart(both), alone, strict=True):
        np.testing.assert_allclose(answers(part, images), expected, atol=1e-6)
    assert len(backbones.ends_of_trunks(both)) == 3  # all of them speak in the heat map
    heat = gradcam.heatmaps(both, images, [0, 1, 2])
    assert heat.shape == (3, *SIZE) and heat.max() == 1
    with pytest.raises(InputError, match="has no second opinion"):
        opinions.apart(two)
    with pytest.raises(InputError, match="second: expected a model"):
        opinions.averaged(two, net(0, num_classes=2))
