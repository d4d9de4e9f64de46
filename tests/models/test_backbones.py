import json
import re

import keras
import numpy as np
import pytest
from _awake import awake

from kfg.errors import InputError
from kfg.exporting import saved_model
from kfg.models import builders, heads, preprocessing
from kfg.models.backbones import BACKBONES, classifier, trunk
from kfg.models.catalogue import shapes_only

SIDE = 64


@pytest.fixture(scope="module")
def photographs():
    return np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


def small_convnext(**options):
    return keras.src.applications.convnext.ConvNeXt([1, 2, 1, 1], [8, 12, 16, 20], name="convnext_mini", **options)


def test_every_trunk_of_the_issue_is_there():
    families = "vgg16 vgg16-fc vgg19 resnet50 resnet101 inception-v3 inception-resnet-v2 densenet121 densenet169 "
    families += "densenet201 mobilenet-v2 mobilenet-v3-small mobilenet-v3-large efficientnetv2-s convnext-tiny "
    families += "convnext-base efficientnet-lite0 efficientnet-lite1 efficientnet-lite2 "
    families += " ".join(f"efficientnet-b{i} efficientnetv2-b{i}" for i in range(4))
    assert set(BACKBONES) == set(families.split())


@pytest.mark.parametrize("name", BACKBONES)
def test_flat_with_its_taps_at_an_eighth_a_sixteenth_and_a_32nd(name):
    side = 299 if name.startswith("inception") else SIDE
    net = shapes_only(lambda: trunk(name, image_size=(side, side), weights="none"))
    assert not [layer.name for layer in net.layers if isinstance(layer, keras.Model)]
    assert (net.name, net.input.name) == (name, "images")
    sides = [net.get_layer(tap).output.shape[1] for tap in BACKBONES[name].taps]
    assert sides == ([35, 17, 8] if name.startswith("inception") else [8, 4, 2])
    assert [end for end in BACKBONES[name].stages if goes_around(net, end)] == []


def goes_around(net, name) -> bool:
    """Return whether some path from images to output misses the layer; freezing by stages relies on none."""
    config = {layer["config"]["name"]: json.dumps(layer["inbound_nodes"]) for layer in net.get_config()["layers"]}
    todo, seen = [net.layers[-1].name], {name}
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += re.findall(r'"keras_history": \["([^"]+)"', config[here])
    return "images" in seen


def test_a_path_around_a_layer_is_found():
    net = shapes_only(lambda: trunk("resnet50", image_size=(32, 32), weights="none"))
    assert goes_around(net, "conv2_block1_1_conv")


def test_a_classifier_survives_saving_and_export(photographs, tmp_path):
    keras.utils.set_random_seed(0)
    model = classifier("mobilenet-v3-small", num_classes=3, image_size=(SIDE, SIDE), weights="none")
    for variable in model.trainable_variables:  # off their initial values
        variable.assign(variable + keras.random.normal(variable.shape, stddev=0.01))
    expected = np.asarray(awake(model)(photographs))
    assert expected.std(axis=0).max() > 1e-3  # else the comparisons show nothing
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    assert model.get_layer("features").output.dtype == "float32"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(photographs)), expected)
    assert saved_model.save(model, tmp_path / "export", classes=("a", "b", "c"), samples=photographs).serve < 1e-4


def test_convnext_opened_up_answers_as_keras_does_and_survives_saving(photographs, tmp_path):
    nested = small_convnext(include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg")
    rng = np.random.default_rng(0)
    nested.set_weights([rng.normal(0, 0.2, value.shape) for value in nested.get_weights()])
    flat = builders.convnext(small_convnext)((SIDE, SIDE))
    flat.set_weights(nested.get_weights())
    expected = np.asarray(nested(photographs))
    assert expected.std() > 0.1
    np.testing.assert_allclose(np.asarray(flat(photographs)), expected, atol=1e-4)
    assert flat.get_layer("convnext_mini_stage_1_block_1_add").output.shape == (None, 8, 8, 12)
    flat.save(tmp_path / "flat.keras")
    loaded = keras.saving.load_model(tmp_path / "flat.keras")
    np.testing.assert_array_equal(np.asarray(loaded(photographs)), np.asarray(flat(photographs)))


def test_convnext_normalises_its_features_not_its_map():
    net = shapes_only(lambda: trunk("convnext-tiny", image_size=(SIDE, SIDE), weights="none"))
    assert net.output.shape == (None, 2, 2, 768)
    assert net.layers[-1].name == "convnext_tiny_stage_3_block_2_add"


@pytest.mark.parametrize(
    ("name", "application", "preprocess"),
    [
        ("vgg16", keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
        ("mobilenet-v2", keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
    ],
)
def test_preprocessing_is_that_of_keras(name, application, preprocess, photographs):
    net = trunk(name, image_size=(SIDE, SIDE), weights="none")
    plain = application(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    plain.set_weights(net.get_weights())
    expected = np.asarray(plain(preprocess(photographs.astype("float32"))))
    np.testing.assert_allclose(np.asarray(net(photographs)), expected, rtol=1e-3, atol=1e-4 * expected.max())
    # the contrary: scaled once more, it answers something else, without complaint
    assert abs(np.asarray(net(photographs / 255)) - expected).max() > 0.1 * expected.max()


def test_precision_of_the_trunk_leaves_preprocessing_and_head_in_float32():
    def build():
        keras.config.set_dtype_policy("mixed_bfloat16")  # of this thread
        return classifier("mobilenet-v2", num_classes=3, image_size=(SIDE, SIDE), weights="none")

    model = shapes_only(build)
    assert model.get_layer("Conv1").compute_dtype == "bfloat16"
    for name in ("preprocess", "features", "head", "probabilities"):
        assert model.get_layer(name).compute_dtype == "float32", name


def test_vgg16_fc_takes_other_sizes_than_its_own_and_the_studys_head():
    head = heads.hidden(units=256)
    net = shapes_only(lambda: classifier("vgg16-fc", num_classes=3, image_size=(300, 300), weights="none", head=head))
    assert net.get_layer("block5_pool").output.shape == (None, 9, 9, 512)
    assert net.get_layer("fc1").kernel.shape == (7 * 7 * 512, 4096)
    assert net.get_layer("features").output.shape == (None, 4096)
    assert [net.get_layer(f"fc{number}_dropout").rate for number in (1, 2)] == [0.5, 0.5]  # as in torch


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet18"}, "backbone: 'resnet18' is not one of vgg16"),
        ({"image_size": (64, 31)}, "image_size: resnet50 needs at least 32 pixels on each side, got 64 x 31"),
        ({"name": "inception-v3"}, "at least 75 pixels"),
        ({"num_classes": 1}, "classes: must be at least 2, got 1"),
        ({"weights": "imagnet"}, "weights: imagnet: no such file; give imagenet, none or a file"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    arguments = {"name": "resnet50", "num_classes": 3, "image_size": (SIDE, SIDE), "weights": "none", **arguments}
    with pytest.raises(InputError, match=message):
        shapes_only(lambda: classifier(arguments.pop("name"), **arguments))


def test_an_efficientnet_with_another_normalisation_is_refused():
    normalization = keras.layers.Normalization()
    net = keras.Sequential([keras.Input((32, 32, 3)), normalization])
    fine = preprocessing.IMAGENET_MEAN, preprocessing.IMAGENET_STD
    normalization.set_weights([*map(np.float32, fine), np.int32(0)])
    builders.check_normalization(net, "fine.h5")
    normalization.set_weights([np.zeros(3), np.ones(3), np.int32(0)])
    with pytest.raises(InputError, match=r"other\.h5: its first layer subtracts 0, 0, 0 instead of the ImageNet mean"):
        builders.check_normalization(net, "other.h5")
