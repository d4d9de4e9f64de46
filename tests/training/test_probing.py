"""The costliest layers of a net, which are timed alone."""

import keras
import pytest
from keras import layers

from kfg.models import catalogue
from kfg.training import precision, probing


@pytest.fixture
def net():
    """Return a net with two equal convolutions, a cheaper third one, and a dense layer; and layers without kernels."""
    x = images = keras.Input((8, 8, 4))
    for name in ("first", "second"):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", name=name)(x)))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="third")(x)
    return keras.Model(images, layers.Dense(2, name="answer")(layers.Flatten()(x)))


def test_equal_layers_are_timed_once_and_counted(net):
    found = probing.costliest(net)
    assert [(one.layer.name, one.count) for one in found] == [("first", 2), ("third", 1), ("answer", 1)]
    assert sum(one.cost for one in found) == catalogue.macs(net)  # none is left out here


def test_the_costliest_come_first_and_are_few():
    x = images = keras.Input((4, 4, 2))
    for width in range(3, 13):
        x = layers.Conv2D(width, 3, padding="same", name=f"to{width}")(x)
    found = probing.costliest(keras.Model(images, x))
    assert [one.layer.name for one in found] == ["to12", "to11", "to10", "to9"]


def test_a_layer_called_several_times_counts_with_its_first_call():
    images = keras.Input((4, 4, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    (one,) = probing.costliest(keras.Model(images, shared(shared(images))))
    assert (one.layer.name, one.count) == ("shared", 1)


def test_the_layers_run_in_the_format_that_is_set_and_stay_as_they_were(net, monkeypatch):
    before, seen = net.get_weights(), []
    call = layers.Conv2D.call

    def noted(layer, x):
        seen.append(x.dtype.name)
        return call(layer, x)

    monkeypatch.setattr(layers.Conv2D, "call", noted)
    for name, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        with precision.scope(name):
            assert probing.seconds(probing.costliest(net), images=2, limit=0.0) > 0
        assert set(seen) == {dtype}
        seen.clear()
    assert all((one == other).all() for one, other in zip(before, net.get_weights(), strict=True))


def test_equal_layers_take_as_long_each(monkeypatch, net):
    ticks = iter(range(1000))
    monkeypatch.setattr(probing.time, "perf_counter", lambda: next(ticks))
    assert probing.seconds(probing.costliest(net), images=2, limit=10.0) == 2 + 1 + 1
