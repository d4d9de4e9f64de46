"""Answers averaged with those on the mirror image, and trunks side by side: what the proven remedy is made of."""

import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.evaluation import gradcam
from kfg.models import backbones, mirrored, opinions, saved

SIZE = (32, 32)


@pytest.fixture(scope="module")
def two():
    keras.utils.set_random_seed(0)
    return backbones.classifier(
        "efficientnet-lite0", num_classes=3, image_size=SIZE, weights="none", second="mobilenet-v3-small"
    )


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)


def test_the_features_of_two_trunks_stand_one_after_the_other(two, images):
    features = keras.Model(two.input, two.get_layer("features").output).predict(images, verbose=0)
    assert features.shape == (3, 1280 + 576)
    first, second = (
        keras.Model(two.input, two.get_layer(f"features_of_{name}").output).predict(images, verbose=0)
        for name in ("efficientnet-lite0", "mobilenet-v3-small")
    )
    np.testing.assert_array_equal(features, np.concatenate([first, second], axis=1))
    assert len(backbones.ends_of_trunks(two)) == 2
    one = backbones.classifier("efficientnet-lite0", num_classes=3, image_size=SIZE, weights="none")
    assert backbones.ends_of_trunks(one) == []


def test_the_mean_is_answered_saved_and_taken_apart_again(two, images, tmp_path):
    both = mirrored.averaged(two)
    expected = (two.predict(images, verbose=0) + two.predict(images[:, :, ::-1], verbose=0)) / 2
    np.testing.assert_allclose(both.predict(images, verbose=0), expected, atol=1e-6)
    assert [weight.shape for weight in both.weights] == [weight.shape for weight in two.weights]
    both.save(tmp_path / "both.keras")
    again = saved.load(tmp_path / "both.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), expected, atol=1e-6)
    alone = mirrored.plain(again)
    np.testing.assert_allclose(alone.predict(images, verbose=0), two.predict(images, verbose=0), atol=1e-6)
    assert mirrored.plain(two) is two


def test_the_heat_of_two_trunks_and_of_averaged_answers_is_that_of_the_image_itself(two, images):
    heat = gradcam.heatmaps(two, images, [0, 1, 2])
    assert heat.shape == (3, *SIZE) and heat.max() <= 1
    np.testing.assert_allclose(gradcam.heatmaps(mirrored.averaged(two), images, [0, 1, 2]), heat, atol=1e-5)


@pytest.mark.parametrize("first, second", [("convnext-tiny", "efficientnet-lite0"), ("efficientnet-lite0", "vgg16-fc")])
def test_the_heat_of_a_second_opinion_is_that_of_both_trunks(first, second, images):
    nets = [backbones.classifier(name, num_classes=3, image_size=SIZE, weights="none") for name in (first, second)]
    both = opinions.averaged(*nets)
    assert len(backbones.ends_of_trunks(both)) == 2
    assert gradcam.heatmaps(both, images, [0, 1, 2]).shape == (3, *SIZE)


def test_two_opinions_are_averaged_and_taken_apart_again(two, images):
    keras.utils.set_random_seed(1)
    other = backbones.classifier("mobilenet-v3-small", num_classes=3, image_size=SIZE, weights="none")
    both = opinions.averaged(two, other)
    alone = [model.predict(images, verbose=0) for model in (two, other)]
    mean = np.sqrt(alone[0] * alone[1])
    np.testing.assert_allclose(both.predict(images, verbose=0), mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    mean = alone[0] ** 0.75 * alone[1] ** 0.25
    quarter = opinions.averaged(two, other, share=0.25).predict(images, verbose=0)
    np.testing.assert_allclose(quarter, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    for part, expected in zip(opinions.apart(both), alone, strict=True):
        np.testing.assert_allclose(part.predict(images, verbose=0), expected, atol=1e-6)
    assert len(backbones.ends_of_trunks(both)) == 3  # all of them speak in the heat map
    assert gradcam.heatmaps(both, images, [0, 1, 2]).shape == (3, *SIZE)
    with pytest.raises(InputError, match="has no second opinion"):
        opinions.apart(two)
    small = backbones.classifier("mobilenet-v3-small", num_classes=2, image_size=SIZE, weights="none")
    with pytest.raises(InputError, match="second: expected a model"):
        opinions.averaged(two, small)
