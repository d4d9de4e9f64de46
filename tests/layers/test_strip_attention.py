import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.layers.strip_attention import StripAttention

MOMENTUM, EPSILON = 0.9, 1e-5


def maps(shape=(3, 8, 8, 6), seed=0):
    return np.random.default_rng(seed).random(shape, dtype="float32")


def moved(layer, x):
    """Build a layer and set its weights to others than the initial ones."""
    layer(x)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0.5, 0.4, w.shape) ** 2 + 0.1 for w in layer.get_weights()])
    return layer


def one_by_one(layer, x, *, training):
    """Do what the layer does with a convolution and a normalisation of Keras called on strip after strip."""
    kernel, bias, gamma, beta, mean, variance = layer.get_weights()
    convolution = keras.layers.Conv2D(1, 1)
    convolution.build(x.shape)
    convolution.set_weights([kernel.reshape(1, 1, -1, 1), bias.reshape(1)])
    norm = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)
    norm.build((None, None, None, 1))
    norm.set_weights([w.reshape(1) for w in (gamma, beta, mean, variance)])
    axis = 1 if layer.axis == "height" else 2
    strips = tf.split(x, layer.strips, axis=axis)
    scores = [tf.reduce_mean(tf.nn.relu(norm(convolution(s), training=training)), axis=(1, 2, 3)) for s in strips]
    weights = tf.nn.softmax(tf.stack(scores, axis=1))
    largest = tf.reduce_max(weights, axis=1, keepdims=True)
    boosted, suppressed = [], []
    for i, strip in enumerate(strips):
        own = weights[:, i, None, None, None]
        boosted.append(strip + layer.alpha * own * strip)
        suppressed.append(strip * tf.where(own == largest[:, :, None, None], layer.beta, 1.0))
    return (tf.concat(boosted, axis), tf.concat(suppressed, axis), weights), (norm, convolution)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("axis", "strips", "shape"),
    [
        ("height", 4, (3, 8, 6, 5)),
        ("width", 2, (3, 8, 6, 5)),
        ("height", 3, (2, 6, 4, 3)),
        ("width", 8, (2, 3, 8, 4)),
    ],
)
def test_equals_a_loop_over_strips_with_its_gradients_and_statistics(axis, strips, shape, training):
    x = tf.constant(maps(shape))
    layer = moved(StripAttention(strips, axis=axis, alpha=0.7, beta=0.3, momentum=MOMENTUM, epsilon=EPSILON), x)
    factors = [maps(shape, seed) for seed in (2, 3)]

    def mixed(outputs):  # a number that depends on every place of both maps
        return sum(tf.reduce_sum(y * f) for y, f in zip(outputs[:2], factors, strict=True))

    with tf.GradientTape() as tape:
        tape.watch(x)
        expected, (norm, convolution) = one_by_one(layer, x, training=training)
        total = mixed(expected)
    wanted = tape.gradient(total, [x, convolution.kernel.value, norm.gamma.value, norm.beta.value])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=training)
        total = mixed(outputs)
    found = tape.gradient(total, [x, layer.kernel.value, layer.bn_gamma.value, layer.bn_beta.value])
    for a, b in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.ravel(a), np.ravel(b), rtol=2e-4, atol=2e-5)
    statistics = [float(layer.moving_mean.numpy()), float(layer.moving_variance.numpy())]
    np.testing.assert_allclose(statistics, [norm.moving_mean.numpy()[0], norm.moving_variance.numpy()[0]], rtol=1e-5)


def test_one_normalisation_of_the_whole_map_is_something_else():
    x = maps() * np.linspace(0.1, 3, 8, dtype="float32")[None, :, None, None]  # strips of unlike statistics
    layer = moved(StripAttention(4), x)
    kernel, bias, gamma, beta = (w.numpy() for w in layer.weights[:4])
    scores = x @ kernel + bias
    whole = gamma * (scores - scores.mean()) / np.sqrt(scores.var() + EPSILON) + beta
    pooled = np.maximum(whole, 0).reshape(3, 4, -1).mean(axis=2)
    weights = np.exp(pooled) / np.exp(pooled).sum(axis=1, keepdims=True)
    assert np.abs(np.asarray(layer(x, training=True)[2]) - weights).max() > 0.01


@pytest.mark.parametrize(("axis", "others"), [("height", (2, 3)), ("width", (1, 3))])
def test_weights_sum_to_one_and_one_strip_of_k_changes(axis, others):
    x = maps((5, 8, 8, 6)) + 0.1
    boosted, suppressed, weights = (np.asarray(y) for y in moved(StripAttention(4, axis=axis), x)(x))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    changed = (suppressed != x).any(axis=others)
    assert changed.sum(axis=1).tolist() == [2] * 5  # 8 / 4 of the 8 rows or columns
    strips = changed.reshape(5, 4, 2).all(axis=2)
    assert strips.argmax(axis=1).tolist() == weights.argmax(axis=1).tolist()
    assert (boosted > x).all()


def test_all_strips_that_tie_are_suppressed_and_the_comparison_has_no_gradient():
    x = tf.ones((2, 4, 4, 3))
    layer = StripAttention(4, beta=0.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        suppressed = layer(x)[1]
    np.testing.assert_array_equal(suppressed, 0.5 * np.ones((2, 4, 4, 3)))
    np.testing.assert_array_equal(tape.gradient(suppressed, x), 0.5 * np.ones((2, 4, 4, 3)))


def test_without_boost_and_suppression_the_map_passes():
    boosted, suppressed, _ = StripAttention(2, alpha=0.0, beta=1.0)(maps())
    np.testing.assert_array_equal(boosted, maps())
    np.testing.assert_array_equal(suppressed, maps())


def test_frozen_it_keeps_its_statistics_and_uses_them():
    layer = moved(StripAttention(4), maps())
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(maps(), training=True)[2], layer(maps(), training=False)[2])
    for a, b in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_half_precision_weighs_strips_in_float32():
    layer = StripAttention(4, dtype="mixed_bfloat16")
    boosted, suppressed, weights = layer(maps(), training=True)
    assert [y.dtype.name for y in (boosted, suppressed, weights)] == ["bfloat16", "bfloat16", "float32"]
    assert {w.dtype for w in layer.weights} == {"float32"}
    np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1, rtol=1e-6)


def test_counts_of_the_three_stages():
    layers = [StripAttention(k) for k in (8, 4, 2)]
    for layer, shape in zip(layers, [(56, 56, 512), (28, 28, 1024), (14, 14, 2048)], strict=True):
        layer.build((None, *shape))
    assert sum(w.numpy().size for layer in layers for w in layer.trainable_weights) == 3_593


@pytest.mark.parametrize("axis", ["height", "width"])
def test_saved_and_loaded_it_answers_the_same(axis, tmp_path):
    inputs = keras.Input((8, 8, 6))
    model = keras.Model(inputs, StripAttention(4, axis=axis, alpha=0.2, beta=0.1, name="strips")(inputs))
    moved(model.get_layer("strips"), maps())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("strips").get_config() == model.get_layer("strips").get_config()
    for a, b in zip(loaded(maps()), model(maps()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strips": 0}, "strips: must be at least 1, got 0"),
        ({"axis": "depth"}, "strip_axis: 'depth' is not one of height, width"),
        ({"alpha": -1}, "alpha: must be at least 0"),
        ({"beta": 1.5}, "beta: must be from 0 to 1, got 1.5"),
        ({"momentum": 1}, "momentum: must be from 0 to below 1"),
    ],
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        StripAttention(**{"strips": 2, **arguments})


def test_a_side_that_does_not_split_is_refused():
    with pytest.raises(InputError, match="image_size: a map with 7 cells in height cannot be split into 2 strips"):
        StripAttention(2)(maps((1, 7, 8, 3)))
    StripAttention(2, axis="width")(maps((1, 7, 8, 3)))
