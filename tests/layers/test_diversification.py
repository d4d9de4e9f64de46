import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from kfg.errors import InputError
from kfg.layers.diversification import Diversification

SHAPES = ((2, 6, 4, 5), (2, 3, 2, 5), (2, 2, 1, 5))


def maps(shapes=SHAPES, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def as_written(maps, *, strength=1.0):
    """Compute the module in float64 from its definition: two softmaxes for each pair."""
    maps = [np.float64(x) for x in maps]
    places = [x.reshape(len(x), -1, x.shape[-1]) for x in maps]
    results = [x.copy() for x in maps]
    for i, p in enumerate(places):
        for j in range(i + 1, len(places)):
            q = places[j]
            unit = [y / np.linalg.norm(y, axis=2, keepdims=True) for y in (p, q)]
            unlike = -np.einsum("bic,bjc->bij", *unit)
            results[j] += strength * np.einsum("bij,bic->bjc", special.softmax(unlike, axis=1), p).reshape(
                maps[j].shape
            )
            results[i] += strength * np.einsum("bij,bjc->bic", special.softmax(unlike, axis=2), q).reshape(
                maps[i].shape
            )
    return results


def with_softmaxes(maps):
    """Return the same in TensorFlow, for its gradients."""
    places = [tf.reshape(x, (len(x), -1, x.shape[-1])) for x in maps]
    received = [tf.zeros_like(p) for p in places]
    for i, p in enumerate(places):
        for j in range(i + 1, len(places)):
            q = places[j]
            unlike = -tf.matmul(tf.math.l2_normalize(p, -1), tf.math.l2_normalize(q, -1), transpose_b=True)
            received[j] += tf.matmul(tf.nn.softmax(unlike, axis=1), p, transpose_a=True)
            received[i] += tf.matmul(tf.nn.softmax(unlike, axis=2), q)
    return [x + tf.reshape(r, x.shape) for x, r in zip(maps, received, strict=True)]


@pytest.mark.parametrize(("gamma", "scale"), [(1.0, 1.0), (1.0, 0.001), (0.5, 0.4)])
def test_equals_the_definition(gamma, scale):
    found = Diversification(gamma=gamma, scale=scale)(maps())
    for a, b in zip(found, as_written(maps(), strength=gamma * scale), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_equal_those_through_two_softmaxes():
    x = [tf.constant(m) for m in maps()]
    factors = maps(seed=1)

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = sum(tf.reduce_sum(y * f) for y, f in zip(function(x), factors, strict=True))
        return tape.gradient(total, x)

    for a, b in zip(gradients(Diversification()), gradients(with_softmaxes), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_what_is_received_is_an_average_that_prefers_unlike_places():
    one, other = [1.0, 0.0], [0.0, 1.0]
    p = np.array([one, other], "float32").reshape(1, 2, 1, 2)
    q = np.array([one], "float32").reshape(1, 1, 1, 2)
    _, received = Diversification()([p, q])
    first, second = np.asarray(received).ravel() - np.array(one)
    assert first + second == pytest.approx(1)  # q got an average of p's places,
    assert second / first == pytest.approx(np.e)  # of which the unlike one weighs exp(0), the like one exp(-1)


def test_gamma_0_changes_nothing_and_scale_0001_next_to_nothing():
    for a, b in zip(Diversification(gamma=0.0)(maps()), maps(), strict=True):
        np.testing.assert_array_equal(a, b)
    changes = [
        np.abs(np.asarray(a) - b).max() for a, b in zip(Diversification(scale=0.001)(maps()), maps(), strict=True)
    ]
    assert 0 < max(changes) < 0.01


def test_it_computes_in_float32_in_half_precision_and_large_or_zero_maps_stay_finite():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = Diversification()
    finally:
        keras.config.set_dtype_policy("float32")
    extreme = [tf.constant(1e4 * m, dtype="bfloat16") for m in maps()]
    extreme[0] = tf.zeros_like(extreme[0])
    with tf.GradientTape() as tape:
        tape.watch(extreme)
        outputs = layer(extreme)
        total = sum(tf.reduce_sum(y) for y in outputs)
    assert {y.dtype.name for y in outputs} == {"float32"}
    assert all(np.isfinite(y).all() for y in outputs)
    assert all(np.isfinite(np.float32(g)).all() for g in tape.gradient(total, extreme))


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    inputs = [keras.Input(shape[1:]) for shape in SHAPES]
    model = keras.Model(inputs, Diversification(gamma=0.3, scale=0.5)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(loaded(maps()), model(maps()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_wrong_values_and_maps_are_refused():
    with pytest.raises(InputError, match="gamma and fdm_scale: must be at least 0, got -1"):
        Diversification(gamma=-1)
    with pytest.raises(InputError, match="maps: expected at least two with the same number of channels"):
        Diversification()(maps(((2, 2, 2, 3), (2, 2, 2, 4))))
