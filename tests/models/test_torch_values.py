import keras
import numpy as np
import pytest

from kfg.models import baselines, fbsd, heads, torch_values


@pytest.mark.parametrize("shape", [(400, 300), (5, 5, 16, 300)])
def test_a_kernel_is_uniform_within_one_over_the_root_of_its_inputs(shape):
    inputs = int(np.prod(shape[:-1]))
    values = np.asarray(torch_values.of(inputs)["kernel_initializer"](shape)) * inputs**0.5
    assert 0.99 < values.max() <= 1 and -1 <= values.min() < -0.99
    np.testing.assert_allclose([values.mean(), values.std()], [0, 3**-0.5], atol=0.01)


def test_a_bias_is_uniform_within_the_same_bound():
    values = np.asarray(torch_values.of(400)["bias_initializer"]((50_000,))) * 20
    np.testing.assert_allclose([values.min(), values.max(), values.std()], [-1, 1, 3**-0.5], atol=0.01)


def cnn():
    return baselines.fruit3_cnn(num_classes=3, image_size=(20, 20))


def mlp():
    return baselines.fruit3_mlp(num_classes=300, image_size=(10, 10), units=300)


def retail():
    return baselines.retail258_cnn(num_classes=3, image_size=(20, 20))


def hidden_head():
    features = keras.Input((50,))
    return keras.Model(features, heads.hidden(units=20)(features, 3))


def fbsd_net():
    return fbsd.classifier("efficientnet-lite0", num_classes=3, image_size=(256, 256), weights="none", width=32)


@pytest.mark.parametrize(
    "build, names",
    [
        (cnn, ("conv1", "conv2", "dense1", "dense2", "probabilities")),
        (mlp, ("dense1", "probabilities")),
        (retail, ("conv1", "conv2", "dense1", "dense2", "probabilities")),
        (hidden_head, ("hidden", "head")),
        (fbsd_net, ("head_stage3_conv1", "head_stage5_hidden", "head_concat_logits")),
    ],
)
def test_nets_of_studies_in_torch_begin_with_them(build, names):
    model = build()
    for layer in map(model.get_layer, names):
        kernel = np.asarray(layer.kernel)
        bound = np.prod(kernel.shape[:-1]) ** -0.5
        assert 0.9 * bound < np.abs(kernel).max() <= bound, layer.name
        if layer.use_bias:
            assert 0.2 * bound < np.abs(np.asarray(layer.bias)).max() <= bound, layer.name


def test_two_layers_of_a_net_differ_and_a_seed_repeats_them():
    def kernels():
        keras.utils.set_random_seed(4)
        model = mlp()
        return [np.asarray(model.get_layer(name).kernel) for name in ("dense1", "probabilities")]

    first, again = kernels(), kernels()
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], first[1])
