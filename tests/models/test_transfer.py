"""Weights go from one net to another of the same kind only, or not at all."""

import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models.transfer import begin_from


def net(name, bias):
    own = {"bias_initializer": keras.initializers.Constant(bias)}
    layers = [keras.Input((4,)), keras.layers.Dense(3, name="trunk", **own), keras.layers.Dense(2, name="head", **own)]
    return keras.Sequential(layers, name=name)


def test_a_net_of_the_same_layers_and_another_name_lends_nothing(tmp_path):
    """MMAL-Net adds no layer with weights to its trunk, so a plain trunk's weights would fit it."""
    net("trunk", 1.0).save(tmp_path / "model.keras")
    model = net("mmal-trunk", 0.0)
    with pytest.raises(InputError, match=r"model\.keras: is another network than mmal-trunk: it is trunk"):
        begin_from(model, tmp_path / "model.keras", replaced=lambda name: name == "head")
    assert not np.any(model.get_layer("trunk").bias)
    model = net("trunk", 0.0)
    begin_from(model, tmp_path / "model.keras", replaced=lambda name: name == "head")
    assert np.all(model.get_layer("trunk").bias == 1) and not np.any(model.get_layer("head").bias)
