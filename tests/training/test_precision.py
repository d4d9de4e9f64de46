import logging

import keras
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.layers.crop_and_resize import CropAndResize
from kfg.training import fit, precision


def test_scope_sets_the_policy_and_puts_the_old_one_back():
    before = keras.config.dtype_policy().name
    with precision.scope("bfloat16"):
        assert keras.layers.Dense(2).compute_dtype == "bfloat16"
        assert keras.layers.Dense(2).variable_dtype == "float32"
    assert keras.config.dtype_policy().name == before


def test_scope_puts_the_old_policy_back_after_an_error():
    before = keras.config.dtype_policy().name
    with pytest.raises(RuntimeError), precision.scope("bfloat16"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == before


def test_unknown_names_are_listed():
    with pytest.raises(InputError, match=r"'double' is none of float32, bfloat16"), precision.scope("double"):
        pass


def test_choose_measures_every_candidate_and_takes_the_fastest(monkeypatch):
    def build(jit_compile):
        layers = [
            keras.Input((4, 4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", dtype="float32"),
        ]
        model = keras.Sequential(layers)
        fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=0.1))
        return model

    chosen, jit_compile, rates = precision.choose(build, batch_size=4)
    assert set(rates) == {"float32", "bfloat16"} and min(rates.values()) > 0
    assert rates[chosen] == max(rates.values()) and jit_compile is False
    for fastest in rates:

        def rate(model, batch_size, fastest=fastest):
            return 2.0 if keras.config.dtype_policy().compute_dtype == fastest else 1.0

        monkeypatch.setattr(precision, "training_rate", rate)
        assert precision.choose(build, batch_size=4)[0] == fastest


def cropping(jit_compile):
    """Return a net that cuts a box, out of each image, as MMAL-Net does."""
    images = keras.Input((4, 4, 3))
    box = keras.layers.Dense(4, trainable=False)(keras.layers.GlobalAveragePooling2D()(images))
    x = keras.layers.Flatten()(CropAndResize((2, 2))([images, box]))
    answer = keras.layers.Dense(2, activation="softmax", dtype="float32")(x)
    model = keras.Model(images, answer, name="xla" if jit_compile else "plain")
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.1), jit_compile=jit_compile)
    return model


def test_a_candidate_that_xla_cannot_compile_is_left_out_in_a_line(monkeypatch, caplog):
    def forward(model, batch_size):
        # not Keras's step: with deterministic operations, as another test may have asked for, Keras leaves XLA out
        tf.function(model, jit_compile=model.name == "xla")(tf.zeros((batch_size, 4, 4, 3)))
        return 1.0

    monkeypatch.setattr(precision, "training_rate", forward)
    monkeypatch.setattr(precision, "candidates", lambda: [("float32", True), ("float32", False)])
    with caplog.at_level(logging.WARNING):
        chosen, jit_compile, rates = precision.choose(cropping, batch_size=2)
    assert (chosen, jit_compile, list(rates)) == ("float32", False, ["float32"])
    assert caplog.messages == ["precision float32+xla left out: XLA cannot compile this net"]


@pytest.mark.parametrize("jit_compile, message", [(True, "Incompatible shapes"), (False, precision.NOT_IN_XLA)])
def test_another_invalid_argument_is_raised(monkeypatch, jit_compile, message):
    def fails(model, batch_size):
        raise tf.errors.InvalidArgumentError(None, None, message)

    monkeypatch.setattr(precision, "candidates", lambda: [("float32", jit_compile), ("float32", False)])
    monkeypatch.setattr(precision, "training_rate", fails)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        precision.choose(lambda jit_compile: None, batch_size=2)
