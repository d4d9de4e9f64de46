import hashlib
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from kfg.errors import InputError
from kfg.models import backbones, pretrained, weights
from kfg.models.catalogue import shapes_only
from kfg.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD

SIDE = 32
NAME = "mobilenet-v3-small"


def moved(model):
    """Return the model with every float weight off its initial value."""
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(w + rng.normal(0, 0.02, w.shape)).astype(w.dtype) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def of_keras(tmp_path_factory):
    """A net of keras.applications and its file in the format of the published ones."""
    net = moved(keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)))
    path = tmp_path_factory.mktemp("weights") / pretrained.FILES[NAME].file
    net.save(path)
    return net, path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classifier of ours and its model.keras."""
    model = moved(backbones.classifier(NAME, num_classes=4, image_size=(SIDE, SIDE), weights="none"))
    path = tmp_path_factory.mktemp("run") / "model.keras"
    model.save(path)
    return model, path


def trunk(weights_of):
    return backbones.trunk(NAME, image_size=(SIDE, SIDE), weights=weights_of)


def features(model):
    return keras.Model(model.input, model.get_layer("features").output)


def test_a_file_of_keras_gives_the_net_of_keras(of_keras, images):
    net, path = of_keras
    np.testing.assert_allclose(np.asarray(trunk(path)(images)), np.asarray(net(images)), rtol=1e-5)


def test_a_run_gives_its_trunk_to_another_number_of_classes(run, images, tmp_path):
    model, path = run
    other = backbones.classifier(NAME, num_classes=7, image_size=(SIDE, SIDE), weights=path)
    np.testing.assert_array_equal(np.asarray(features(other)(images)), np.asarray(features(model)(images)))
    model.save_weights(tmp_path / "run.weights.h5")
    other = backbones.classifier(NAME, num_classes=7, image_size=(SIDE, SIDE), weights=tmp_path / "run.weights.h5")
    np.testing.assert_array_equal(np.asarray(features(other)(images)), np.asarray(features(model)(images)))


def test_a_lite_net_takes_a_run_too(images, tmp_path):
    model = moved(backbones.trunk("efficientnet-lite0", image_size=(SIDE, SIDE), weights="none"))
    model.save(tmp_path / "lite.keras")
    again = backbones.trunk("efficientnet-lite0", image_size=(SIDE, SIDE), weights=str(tmp_path / "lite.keras"))
    np.testing.assert_array_equal(np.asarray(again(images)), np.asarray(model(images)))


def test_efficientnet_from_a_file_is_what_keras_makes_of_the_download(images, tmp_path, monkeypatch):
    """Keras divides once more where `weights="imagenet"`, and only there."""
    net = moved(keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)))
    normalization = next(layer for layer in net.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD), np.int32(0)])
    net.save(tmp_path / "efficientnetb0_notop.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *args, **kwargs: str(tmp_path / "efficientnetb0_notop.h5"))
    expected = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(SIDE, SIDE, 3))
    ours = backbones.trunk("efficientnet-b0", image_size=(SIDE, SIDE), weights=tmp_path / "efficientnetb0_notop.h5")
    np.testing.assert_allclose(np.asarray(ours(images)), np.asarray(expected(images)), rtol=1e-3, atol=1e-5)
    # the contrary: the net that Keras builds for a path lacks the division
    assert abs(np.asarray(net(images)) - np.asarray(expected(images))).max() > 0.01


def test_imagenet_comes_from_the_cache_folder(of_keras, images, tmp_path, monkeypatch):
    net, path = of_keras
    (tmp_path / "models").mkdir()
    cached = tmp_path / "models" / path.name
    cached.write_bytes(path.read_bytes())
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refused)
    with pytest.raises(InputError, match=r"no_top_v2\.h5: is not the file that Keras publishes; remove it"):
        trunk("imagenet")
    assert cached.is_file()
    publish(monkeypatch, path)
    np.testing.assert_allclose(np.asarray(trunk("imagenet")(images)), np.asarray(net(images)), rtol=1e-5)


def refused(url, timeout):
    raise urllib.error.URLError("no route to host")


def publish(monkeypatch, path, folder=""):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(pretrained.FILES, NAME, pretrained.Published(folder, path.name, digest))


def test_a_download_arrives_whole_in_the_cache_folder(of_keras, tmp_path, monkeypatch):
    _, path = of_keras
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    publish(monkeypatch, path, folder=f"{path.parent}/")
    monkeypatch.setattr(pretrained, "SITE", "file://")
    found = pretrained.fetch(NAME)
    assert found == tmp_path / "models" / path.name
    assert found.read_bytes() == path.read_bytes()
    assert [p.name for p in found.parent.iterdir()] == [path.name]


def test_without_a_connection_one_line_says_where_the_file_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refused)
    with pytest.raises(InputError) as caught:
        trunk("imagenet")
    assert str(caught.value) == (
        "weights: weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5 could not be downloaded (no route to host); "
        f"put it into {tmp_path / 'models'}, or use --weights PATH|none"
    )


def test_a_download_of_something_else_leaves_nothing(of_keras, tmp_path, monkeypatch):
    _, path = of_keras
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "SITE", "file://")
    other = pretrained.Published(f"{path.parent}/", path.name, "0" * 32)
    monkeypatch.setitem(pretrained.FILES, NAME, other)
    with pytest.raises(InputError, match="another file"):
        pretrained.fetch(NAME)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("name", ["mobilenet-v2", "mobilenet-v3-large", "efficientnet-b3", "efficientnetv2-s", "vgg19"])
def test_the_files_are_those_of_keras(name, monkeypatch):
    class Asked(Exception):
        pass

    def asked(fname, origin, cache_subdir, file_hash=None):
        raise Asked(fname, origin, cache_subdir, file_hash or "")

    builders = {
        "mobilenet-v2": "MobileNetV2",
        "mobilenet-v3-large": "MobileNetV3Large",
        "efficientnet-b3": "EfficientNetB3",
        "efficientnetv2-s": "EfficientNetV2S",
        "vgg19": "VGG19",
    }
    monkeypatch.setattr(file_utils, "get_file", asked)
    build = getattr(keras.applications, builders[name])
    with pytest.raises(Asked) as caught:
        shapes_only(lambda: build(include_top=False, weights="imagenet", input_shape=(224, 224, 3)))
    ours = pretrained.FILES[name]
    url = f"{pretrained.SITE}{ours.folder}{ours.file}"
    assert caught.value.args == (ours.file, url, "models", ours.digest)


def test_every_trunk_of_keras_has_its_file():
    assert {name for name in backbones.BACKBONES if "lite" not in name} == set(pretrained.FILES)


def corrupt(path, suffix, change):
    damaged = path.with_name(f"damaged{suffix}")
    damaged.write_bytes(change(path.read_bytes()))
    return damaged


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not a file of Keras" * 9])
@pytest.mark.parametrize("kind", ["of_keras", "run"])
def test_a_damaged_file_is_one_line_with_its_name(kind, change, request):
    _, path = request.getfixturevalue(kind)
    damaged = corrupt(path, path.suffix, change)
    with pytest.raises(InputError, match=rf"^weights: .*damaged\{path.suffix}: not [^\n]*$"):
        trunk(damaged)


def test_the_weights_of_another_net_change_nothing(of_keras, run, tmp_path):
    other = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    other.save(tmp_path / "other.h5")
    other.save(tmp_path / "other.keras")
    model = trunk("none")
    before = model.get_weights()
    for name in ("other.h5", "other.keras"):
        with pytest.raises(InputError, match=rf"{name}: not the weights of {NAME}"):
            weights.load(model, tmp_path / name)
    wider = keras.applications.MobileNetV3Small(include_top=False, weights=None, alpha=1.5, input_shape=(SIDE, SIDE, 3))
    wider.save(tmp_path / "wider.h5")
    with pytest.raises(InputError, match=r"wider\.h5: not the weights of mobilenet-v3-small: .* has \[\("):
        weights.load(model, tmp_path / "wider.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(("name", "message"), [("gone.keras", "no such file"), ("net.pth", "neither .keras nor .h5")])
def test_no_file_and_no_such_format(name, message, tmp_path):
    (tmp_path / "net.pth").write_bytes(b"")
    with pytest.raises(InputError, match=message):
        trunk(tmp_path / name)
