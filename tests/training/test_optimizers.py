"""Two rates in one optimiser, against second implementations in NumPy and against Keras itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.training import optimizers


def small_model(head="head"):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="trunk"),
            keras.layers.BatchNormalization(name="bn"),
            keras.layers.Dense(2, name=head),
        ]
    )


def gradients(model, step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=v.shape).astype("float32") for v in model.trainable_variables]


def applied(model, optimizer, steps=3):
    for step in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients(model, step)], model.trainable_variables)
    return [v.numpy() for v in model.trainable_variables]


def adamw(weight, grads, *, rate, decay, decay_vectors):
    """Loshchilov & Hutter's algorithm 2, with Keras's epsilon outside the bias correction."""
    weight, m, v = weight.astype(np.float64), 0.0, 0.0
    for t, gradient in enumerate(grads, start=1):
        if decay_vectors or weight.ndim > 1:
            weight = weight - rate * decay * weight
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient.astype(np.float64) ** 2
        weight = weight - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
    return weight


@pytest.mark.parametrize("multiplier, decay_vectors", [(0.1, False), (0.1, True), (1.0, False), (0.0, False)])
def test_adamw_is_the_papers_with_each_variables_own_rate(multiplier, decay_vectors):
    model = small_model()
    before = [v.numpy() for v in model.trainable_variables]
    paths = [v.path for v in model.trainable_variables]
    settings = {"decay_vectors": decay_vectors, "trunk_multiplier": multiplier}
    after = applied(model, optimizers.rates("adamw", learning_rate=0.01, weight_decay=0.5, **settings))
    for i, (path, weight, found) in enumerate(zip(paths, before, after, strict=True)):
        expected = adamw(
            weight,
            [gradients(model, step)[i] for step in range(3)],
            decay=0.5,
            decay_vectors=decay_vectors,
            rate=0.01 if "/head/" in path else 0.01 * multiplier,
        )
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6, err_msg=path)
    if multiplier == 0:
        assert all(np.array_equal(a, b) for a, b in zip(before[:4], after[:4], strict=True))


@pytest.mark.parametrize(
    "name, plain, arguments",
    [
        ("sgd", keras.optimizers.SGD, {}),
        ("sgd", keras.optimizers.SGD, {"momentum": 0.9}),
        ("sgd", keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
        ("adam", keras.optimizers.Adam, {"amsgrad": True}),
        ("adam", keras.optimizers.Adam, {"epsilon": 1e-8}),
        ("adamw", keras.optimizers.AdamW, {"weight_decay": 0.3}),
        ("sgd", keras.optimizers.SGD, {"weight_decay": 0.3, "clipnorm": 0.1}),
    ],
)
def test_with_one_rate_and_all_weights_decayed_it_is_keras(name, plain, arguments):
    ours = applied(small_model(), optimizers.rates(name, learning_rate=0.1, decay_vectors=True, **arguments))
    theirs = applied(small_model(), plain(learning_rate=0.1, **arguments))
    rounding = 1e-6 if name == "sgd" else 2e-5  # Keras takes 0.001 for 1 - beta_2, the kernel 1 less 0.999 in float32
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding / 10)


@pytest.mark.parametrize(
    "name, arguments, kernel",
    [
        ("adam", {}, "ResourceApplyAdam"),
        ("sgd", {"momentum": 0.9}, "ResourceApplyKerasMomentum"),
        ("sgd", {}, "ResourceApplyGradientDescent"),
    ],
)
def test_a_step_is_one_operation_for_each_variable(name, arguments, kernel):
    model, optimizer = small_model(), optimizers.rates(name, learning_rate=0.1, **arguments)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        optimizer.apply([tf.ones(v.shape) for v in model.trainable_variables], model.trainable_variables)

    graph = step.get_concrete_function().graph
    changes = [one.type for one in graph.get_operations() if "Assign" in one.type or "Apply" in one.type]
    assert changes == [kernel] * len(model.trainable_variables) + ["AssignVariableOp"]  # that counts the steps


def test_adamw_without_any_decay_is_adam():
    ours = applied(small_model(), optimizers.rates("adamw", learning_rate=0.1, weight_decay=0))
    for a, b in zip(ours, applied(small_model(), optimizers.rates("adam", learning_rate=0.1)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_biases_and_batch_norm_do_not_decay_unless_asked():
    def decayed(decay_vectors):
        model = small_model()
        for variable in model.trainable_variables:
            variable.assign(np.ones(variable.shape))
        optimizer = optimizers.rates("sgd", learning_rate=0.5, weight_decay=0.2, decay_vectors=decay_vectors)
        optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
        return [float(v.numpy().ravel()[0]) for v in model.trainable_variables]

    kernel_bias_gamma_beta = pytest.approx([0.9, 1, 1, 1, 0.9, 1])
    assert decayed(False) == kernel_bias_gamma_beta
    assert decayed(True) == pytest.approx([0.9] * 6)


def test_the_one_rate_moves_both():
    model = small_model()
    optimizer = optimizers.rates("sgd", learning_rate=1.0, trunk_multiplier=0.1)
    ones = [keras.ops.ones(v.shape) for v in model.trainable_variables]
    before = [v.numpy() for v in model.trainable_variables]
    optimizer.apply(ones, model.trainable_variables)
    optimizer.learning_rate = 0.5
    optimizer.apply(ones, model.trainable_variables)
    moved = [float((b - v.numpy()).ravel()[0]) for b, v in zip(before, model.trainable_variables, strict=True)]
    assert moved == pytest.approx([0.15] * 4 + [1.5] * 2, rel=1e-5)


def test_saved_with_its_model_it_goes_on_as_if_it_had_not_been(tmp_path):
    def trained(model, times):
        x, y = np.ones((4, 4), "float32"), np.zeros((4, 2), "float32")
        for _ in range(times):
            model.train_on_batch(x, y)
        return model

    def compiled():
        model = small_model()
        model.compile(
            optimizer=optimizers.rates("adamw", learning_rate=0.1, trunk_multiplier=0.2, weight_decay=0.1), loss="mse"
        )
        return model

    whole = trained(compiled(), 4)
    trained(compiled(), 2).save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.optimizer, optimizers.Adam) and loaded.optimizer.trunk_multiplier == 0.2
    for a, b in zip(whole.get_weights(), trained(loaded, 2).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "name, arguments, named",
    [
        ("lion", {}, "lion"),
        ("adamw", {}, "weight_decay: must be given"),
        ("adam", {"trunk_multiplier": -1}, "trunk_multiplier"),
        ("sgd", {"weight_decay": -0.1}, "weight_decay"),
    ],
)
def test_a_wrong_argument_is_named(name, arguments, named):
    with pytest.raises(InputError, match=named):
        optimizers.rates(name, learning_rate=0.1, **arguments)


def test_a_head_that_is_not_there_is_said_before_all_is_trained_at_the_trunks_rate():
    model = small_model(head="classifier")
    with pytest.raises(InputError, match="head or hidden"):
        optimizers.rates("adam", learning_rate=0.1, trunk_multiplier=0.1).build(model.trainable_variables)
    optimizers.rates("adam", learning_rate=0.1, trunk_multiplier=0.1, head=("class",)).build(model.trainable_variables)
    optimizers.rates("adam", learning_rate=0.1).build(model.trainable_variables)
