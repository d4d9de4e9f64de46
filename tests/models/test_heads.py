import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.models import heads


def on(features, head, classes=3):
    inputs = keras.Input((features,))
    return keras.Model(inputs, head(inputs, classes))


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


@pytest.mark.parametrize(
    ("features", "head", "count"),
    [
        (2048, heads.hidden(units=256), 525_315),
        (4096, heads.hidden(units=256), 1_049_603),
        (1408, heads.linear(), 4_227),
    ],
)
def test_the_fruit3_studys_heads_have_its_counts(features, head, count):
    model = on(features, head)
    assert model.count_params() == count
    assert model.layers[-1].name == "head"


def test_dropout_stands_where_asked_and_only_there():
    assert kinds(on(4, heads.linear())) == ["Dense"]
    assert kinds(on(4, heads.linear(dropout=0.2))) == ["Dropout", "Dense"]
    assert kinds(on(4, heads.hidden(units=2, dropout=0.5))) == ["Dense", "Dropout", "Dense"]
    head = heads.activated("relu", dropout=0.5, features_dropout=0.3)
    model = on(4, head)
    assert kinds(model) == ["Dropout", "Dense", "ReLU", "Dropout"]
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.3, 0.5]


@pytest.mark.parametrize(("activation", "expected"), [("relu", [2, 0]), ("leaky_relu", [2, -0.03])])
def test_the_cub200_studys_activation_acts_on_the_logits_with_torchs_slope(activation, expected):
    model = on(1, heads.activated(activation, dropout=0.2), classes=2)
    model.get_layer("head").set_weights([np.array([[2.0, -3.0]]), np.zeros(2)])
    np.testing.assert_allclose(np.asarray(model(np.ones((1, 1)), training=False))[0], expected, rtol=1e-6)


def test_an_unknown_activation_is_refused():
    with pytest.raises(InputError, match="activation: 'gelu' is not one of relu, leaky_relu"):
        heads.activated("gelu", dropout=0.2)
