"""kfg.models.halves: a classifier's constant front, folded, and the rest, which learns."""

import functools

import keras
import numpy as np
import pytest

from kfg.models import backbones, freezing, halves
from kfg.training import precision

LITE = "efficientnet-lite0"
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1])


def classifier(policy="stages:2", name=LITE, second="", weights="none"):
    keras.utils.set_random_seed(1)
    made = backbones.classifier(name, num_classes=3, image_size=(32, 32), weights=weights, second=second)
    freezing.apply(made, policy, batch_norm="fixed")
    return made


@functools.cache
def built(name, second):
    """Return a net to which each test applies a policy of its own."""
    return backbones.classifier(name, num_classes=3, image_size=(32, 32), weights="none", second=second)


def compiled(model):
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def trained():
    """Return a net whose trunk has ImageNet's weights."""
    return classifier(weights="imagenet")


@pytest.mark.parametrize("until", ["block3b_add", "features"])
def test_front_and_rest_together_answer_as_the_whole(until, trained):
    model = trained
    maps = halves.front(model, until)(IMAGES)
    np.testing.assert_allclose(halves.rest(model, until)(maps), model(IMAGES), atol=1e-6)


@pytest.mark.usefixtures("untraced")
def test_learning_with_a_folded_front_is_learning(trained):
    plain, model = compiled(classifier(weights="imagenet")), trained
    fast = compiled(halves.learning(model))
    assert fast is not model and freezing.trainable_count(fast) == freezing.trainable_count(model)
    before = model.get_weights()
    losses = [one.train_on_batch(IMAGES, LABELS) for one in (plain, fast)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    moved = 0
    for layer, same in zip(model.layers, plain.layers, strict=True):
        for own, other in zip(layer.get_weights(), same.get_weights(), strict=True):
            np.testing.assert_allclose(own, other, atol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        moved += not np.array_equal(old, new)
    assert moved == len(model.trainable_variables) > 10


@pytest.mark.parametrize(
    ("policy", "name", "second", "until"),
    [
        ("stages:2", LITE, "", "block3b_add"),
        ("stages:1", LITE, "", "block5c_add"),
        ("all", LITE, "", "features"),
        ("none", LITE, "", None),
        ("stages:2", "efficientnet-b0", "", "block1a_project_bn"),  # drop-connect begins behind it
        ("re:^head", LITE, "mobilenet-v2", "features"),
        ("none", LITE, "mobilenet-v2", None),
        ("re:^block7", LITE, "mobilenet-v2", None),  # no stage of one trunk is passed by the other's paths
    ],
)
def test_the_front_ends_where_the_net_begins_to_change(policy, name, second, until):
    model = built(name, second)
    freezing.apply(model, policy, batch_norm="fixed")
    assert freezing.constant_until(model) == until


def test_a_net_that_learns_from_its_first_stage_on_stays_as_it_is():
    model = built(LITE, "")
    freezing.apply(model, "none", batch_norm="fixed")
    assert halves.learning(model) is model


def test_the_loss_of_a_net_in_float16_is_scaled_in_its_parts_too():
    with precision.scope("float16"):
        model = classifier("stages:2")
    for part in (halves.learning(model), halves.rest(model, "block3b_add")):
        assert isinstance(compiled(part).optimizer, keras.optimizers.LossScaleOptimizer)
