import logging
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.layers.crop_and_resize import CropAndResize
from kfg.training import fit, precision, processor


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
    with pytest.raises(InputError, match=r"'double' is not one of float32, bfloat16"), precision.scope("double"):
        pass


@pytest.fixture
def deterministic():
    tf.config.experimental.enable_op_determinism()


def dense(jit_compile):
    """Return a net without convolutions."""
    layers = [
        keras.Input((4, 4, 3)),
        keras.layers.Flatten(),
        keras.layers.Dense(2, activation="softmax", dtype="float32"),
    ]
    model = keras.Sequential(layers, name="xla" if jit_compile else "plain")
    fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=0.1), jit_compile=jit_compile)
    return model


def pooling(jit_compile):
    """Return a net whose gradient XLA has in no deterministic form."""
    layers = [
        keras.Input((4, 4, 3)),
        keras.layers.Conv2D(2, 3, padding="same"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(2, activation="softmax", dtype="float32"),
    ]
    model = keras.Sequential(layers)
    fit.compile_classifier(model, optimizer=keras.optimizers.Adam(learning_rate=0.1), jit_compile=jit_compile)
    return model


def cropping(jit_compile):
    """Return a net that cuts a box, out of each image, as MMAL-Net does."""
    images = keras.Input((4, 4, 3))
    box = keras.layers.Dense(4, trainable=False)(keras.layers.GlobalAveragePooling2D()(images))
    x = keras.layers.Flatten()(CropAndResize((2, 2))([images, box]))
    answer = keras.layers.Dense(2, activation="softmax", dtype="float32")(x)
    model = keras.Model(images, answer)
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=0.1), jit_compile=jit_compile)
    return model


@pytest.fixture
def with_bfloat16(monkeypatch):
    monkeypatch.setattr(processor, "instructions", lambda: frozenset({"avx2", "avx512f", "avx512_bf16"}))


@pytest.mark.usefixtures("with_bfloat16")
def test_choose_measures_every_candidate_and_takes_the_fastest(monkeypatch):
    options = precision.candidates(dense(False))
    chosen, jit_compile, rates = precision.choose(dense, options, batch_size=4)
    assert set(rates) == {"float32", "float32+xla", "bfloat16"} and min(rates.values()) > 0
    assert rates[f"{chosen}{'+xla' if jit_compile else ''}"] == max(rates.values())
    for fastest in rates:

        def rate(model, batch_size, *, seconds, fastest=fastest):
            name = keras.config.dtype_policy().compute_dtype + ("+xla" if model.name == "xla" else "")
            return 2.0 if name == fastest else 1.0

        monkeypatch.setattr(precision, "training_rate", rate)
        chosen, jit_compile, _ = precision.choose(dense, options, batch_size=4)
        assert f"{chosen}{'+xla' if jit_compile else ''}" == fastest


def test_xla_is_timed_on_whole_batches(monkeypatch):
    timed = []
    monkeypatch.setattr(precision, "training_rate", lambda model, batch_size, seconds: timed.append(batch_size) or 1.0)
    precision.choose(dense, [("float32", False), ("float32", True)], batch_size=100)
    assert timed == [100, 100]


@pytest.mark.parametrize("batch_size, images", [(100, precision.PROBE_IMAGES), (2, 2)])
@pytest.mark.parametrize("fastest", ["float32", "bfloat16"])
def test_number_formats_are_timed_on_a_few_images_in_layers_alone(monkeypatch, fastest, batch_size, images):
    timed = []

    def seconds(layers, *, images, limit):
        name = keras.config.dtype_policy().compute_dtype
        timed.append((name, [one.layer.name for one in layers], images))
        return 1.0 if name == fastest else 2.0

    monkeypatch.setattr(precision.probing, "seconds", seconds)
    options = [("float32", False), ("bfloat16", False)]
    found = precision.choose(pooling, options, batch_size=batch_size)
    assert found[:2] == (fastest, False) and found[2] == {
        name: images if name == fastest else images / 2 for name in ("float32", "bfloat16")
    }
    names = timed[0][1]
    assert names and timed == [("float32", names, images), ("bfloat16", names, images)]


def test_steps_are_timed_where_no_layer_can_be_timed_alone(monkeypatch):
    def nested(jit_compile):
        images = keras.Input((4, 4, 3))
        return keras.Model(images, keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])(images))

    monkeypatch.setattr(precision, "training_rate", lambda *_, **__: 5.0)
    assert precision.choose(nested, [("float32", False), ("bfloat16", False)], batch_size=4)[2]["bfloat16"] == 5.0


@pytest.mark.usefixtures("with_bfloat16")
def test_on_a_cpu_xla_is_tried_on_nets_without_convolutions_only():
    assert ("float32", True) in precision.candidates(dense(False))
    assert precision.candidates(pooling(False)) == [("float32", False), ("bfloat16", False)]


@pytest.mark.parametrize("flags", [{"avx2"}, {"avx2", "avx512f"}, {"asimd", "fphp"}])
def test_a_format_that_the_processor_does_not_compute_is_not_tried(monkeypatch, flags):
    monkeypatch.setattr(processor, "instructions", lambda: frozenset(flags))
    assert precision.candidates(pooling(False)) == [("float32", False)]
    assert precision.candidates(dense(False)) == [("float32", False), ("float32", True)]


@pytest.mark.usefixtures("with_bfloat16")
def test_depthwise_convolutions_are_not_tried_in_half_precision():
    net = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.DepthwiseConv2D(3), keras.layers.Flatten()])
    assert precision.candidates(net) == [("float32", False)]


def test_one_candidate_is_taken_without_a_measurement():
    assert precision.choose(None, [("float32", False)], batch_size=8) == ("float32", False, {})


def test_the_measurement_ends_when_its_time_is_up():
    steps = []

    class Slow:
        input_shape, output_shape = (None, 2, 2, 3), (None, 2)

        def train_on_batch(self, images, labels):
            steps.append(len(images))

    assert precision.training_rate(Slow(), 4, seconds=0) > 0
    assert steps == [4, 4]  # the first traces


def test_the_first_step_which_traces_is_timed_apart(monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 22.0, 30.0, 32.0])
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    model = types.SimpleNamespace(input_shape=(None, 2, 2, 3), output_shape=(None, 2), train_on_batch=lambda *_: None)
    assert precision.training_pace(model, 8) == (4.0, 9.0)


@pytest.mark.parametrize("build", [cropping, pooling])
def test_a_candidate_that_xla_cannot_compile_is_left_out_in_a_line(deterministic, caplog, build):
    options = [("float32", True), ("float32", False)]
    with caplog.at_level(logging.WARNING):
        chosen, jit_compile, rates = precision.choose(build, options, batch_size=2)
    assert (chosen, jit_compile, list(rates)) == ("float32", False, ["float32"])
    assert caplog.messages == ["precision float32+xla is left out, because XLA cannot compile this network"]


@pytest.mark.parametrize("jit_compile, message", [(True, "Incompatible shapes"), (False, precision.NOT_IN_XLA[0])])
@pytest.mark.parametrize("kind", [tf.errors.InvalidArgumentError, tf.errors.UnimplementedError])
def test_another_refusal_is_raised(monkeypatch, jit_compile, message, kind):
    def fails(model, batch_size, seconds):
        raise kind(None, None, message)

    monkeypatch.setattr(precision, "training_rate", fails)
    with pytest.raises(kind, match=message):
        precision.choose(lambda jit_compile: None, [("float32", jit_compile), ("float32", True)], batch_size=2)


def test_xla_trains_to_the_same_weights_each_time(deterministic):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8), rng.integers(0, 2, 12)

    def weights(jit_compile):
        keras.utils.set_random_seed(1)
        model = dense(jit_compile)
        assert model.jit_compile is jit_compile
        model.fit(images, labels, batch_size=4, epochs=2, verbose=0)
        return model.get_weights()

    compiled = weights(True)
    np.testing.assert_equal(weights(True), compiled)
    for ours, plain in zip(compiled, weights(False), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4)
