import keras
import numpy as np
import pytest

from kfg.errors import InputError
from kfg.training.coupled import CoupledSGD

GRADIENTS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def steps(optimizer):
    variable = keras.Variable(np.array([1.0, -2.0, 0.5], "float32"))
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return variable.numpy()


def test_the_decay_goes_through_the_momentum_as_in_torch():
    weights, velocity = np.array([1.0, -2.0, 0.5]), 0
    for gradient in GRADIENTS:  # torch.optim.SGD's lines
        velocity = 0.9 * velocity + gradient + 0.1 * weights
        weights = weights - 0.2 * velocity
    found = steps(CoupledSGD(learning_rate=0.2, momentum=0.9, decay=0.1))
    np.testing.assert_allclose(found, weights, rtol=1e-5)
    beside = steps(keras.optimizers.SGD(learning_rate=0.2, momentum=0.9, weight_decay=0.1))
    assert abs(beside - weights).max() > 0.05


def test_it_comes_back_from_its_configuration():
    optimizer = CoupledSGD(learning_rate=0.2, momentum=0.9, decay=0.1)
    back = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(back, CoupledSGD)
    np.testing.assert_array_equal(steps(back), steps(optimizer))
    with pytest.raises(InputError, match="decay: must be at least 0, got -1"):
        CoupledSGD(decay=-1)
