"""SGD with weight decay as in torch, where the decay is part of the gradient and passes through the momentum."""

import keras

from kfg.errors import InputError
from kfg.training.optimizers import SGD


@keras.saving.register_keras_serializable(package="kfg")
class CoupledSGD(SGD):
    """SGD with two learning rates, in which each trained variable's decay is added to its gradient: g += decay * w.

    An L2 penalty of decay / 2 on every kernel, bias, gamma and beta would do the same. But an optimiser also covers the
    layers of a ready-made trunk, and does not change the loss. Keras's own `weight_decay` subtracts rate * decay * w
    from the weight, apart from the gradient, which is another method if there is momentum.

    One difference to torch is left: Keras's momentum accumulates rate * gradient, torch's the gradient alone. The two
    differ while a schedule changes the rate.

    Args:
        decay: float >= 0.
        arguments: further arguments, those of keras.optimizers.SGD, and trunk_multiplier and head as for
            `optimizers.rates`.
    Raises:
        InputError: the decay is negative.
    Source: torch.optim.SGD.
    """

    def __init__(self, *, decay: float = 0.0, **arguments):
        super().__init__(**arguments)
        if decay < 0:
            raise InputError(f"decay: must be at least 0, got {decay}")
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + self.decay * variable, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}
