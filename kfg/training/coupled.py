"""SGD with torch's weight decay, which goes through the momentum."""

import keras

from kfg.errors import InputError
from kfg.training.optimizers import SGD


@keras.saving.register_keras_serializable(package="kfg")
class CoupledSGD(SGD):
    """SGD with two rates whose decay is added to the gradient: g += decay * w, of every variable that is trained.

    An L2 penalty of decay / 2 on every kernel, bias, gamma and beta does the same; as an optimiser it also reaches
    the layers of a ready-made trunk, and leaves the loss cross-entropy alone. Keras's own `weight_decay` takes
    rate * decay * w off the weight beside the gradient: under momentum another method.

    Keras's momentum gathers rate * gradient, torch's the gradient alone; the two part while a schedule moves the rate.

    Args:
        decay: float >= 0.
        arguments: of keras.optimizers.SGD; trunk_multiplier and head as for `optimizers.rates`.
    Raises:
        InputError: a negative decay.
    Source: torch.optim.SGD.
    """

    def __init__(self, *, decay: float = 0.0, **arguments):
        super().__init__(**arguments)
        if decay < 0:
            raise InputError(f"decay: at least 0, got {decay}")
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + self.decay * variable, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}
