"""SGD, Adam and AdamW with two learning rates, one for the trunk and one for the head.

There is one optimiser object with one `learning_rate`, that of the head; the trunk's rate is a fixed multiple of it. So
schedules, ReduceLROnPlateau, the history and the checkpoint can treat it like any other optimiser.
(`keras.optimizers.MultiOptimizer` has no `learning_rate`, which all of them read.)

A step (except for `amsgrad`) is that of Keras, computed by one kernel of TensorFlow for each variable. Keras builds it
from up to thirty operations, each of which reads and writes the whole variable, and all of which are traced again for
each training.
"""

import keras
import tensorflow as tf

from kfg.errors import InputError

HEAD = ("head", "hidden")  # beginnings of the layer names in kfg.models.heads


class _TwoRates:
    """A mixin for Keras optimisers that scales the rate of each variable, and applies the weight decay itself.

    Keras's own decay does not support a rate per variable or a choice by path, so its `weight_decay` stays None.
    """

    def __init__(self, *, trunk_multiplier=1.0, head=HEAD, weight_decay=None, decay_vectors=False, **arguments):
        super().__init__(**arguments)
        if trunk_multiplier < 0:
            raise InputError(f"trunk_multiplier: must be at least 0, got {trunk_multiplier}")
        if (weight_decay or 0) < 0:
            raise InputError(f"weight_decay: must be at least 0, got {weight_decay}")
        self.trunk_multiplier, self.head = trunk_multiplier, tuple(head)
        self.decoupled_decay, self.decay_vectors = weight_decay or 0.0, decay_vectors

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        in_head = [is_head(variable.path, head=self.head) for variable in variables]
        if self.trunk_multiplier != 1 and not any(in_head):
            raise InputError(
                f"head: there is no layer with trainable weights whose name starts with {' or '.join(self.head)}"
            )
        self.multipliers = tuple(1.0 if own else self.trunk_multiplier for own in in_head)

    def update_step(self, gradient, variable, learning_rate):
        rate = learning_rate * self.multipliers[self._get_variable_index(variable)]
        if self.decoupled_decay and (self.decay_vectors or len(variable.shape) > 1):
            self.assign_sub(variable, variable * self.decoupled_decay * rate)
        super().update_step(gradient, variable, rate)

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay": self.decoupled_decay,
            "trunk_multiplier": self.trunk_multiplier,
            "head": list(self.head),
            "decay_vectors": self.decay_vectors,
        }


class _OneKernelSGD(keras.optimizers.SGD):
    """keras.optimizers.SGD whose step is one operation."""

    def update_step(self, gradient, variable, learning_rate):
        rate, gradient = (tf.cast(value, variable.dtype) for value in (learning_rate, gradient))
        if not self.momentum:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[self._get_variable_index(variable)].value.handle,
            lr=rate,
            grad=gradient,
            momentum=tf.constant(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )


class _OneKernelAdam(keras.optimizers.Adam):
    """keras.optimizers.Adam whose step is one operation."""

    def apply(self, grads, trainable_variables=None):
        self._terms = None  # the first variable of a step has them computed, for all
        super().apply(grads, trainable_variables)
        self._terms = None

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        if self._terms is None:
            betas = (self.beta_1, self.beta_2)
            self._terms = adam_terms(self.iterations.value + 1, betas=betas, epsilon=self.epsilon)
        index = self._get_variable_index(variable)
        means = (self._momentums[index].value, self._velocities[index].value)
        adam_step(gradient, variable, *means, rate=learning_rate, terms=self._terms)


@keras.saving.register_keras_serializable(package="kfg")
class SGD(_TwoRates, _OneKernelSGD):
    """keras.optimizers.SGD with the arguments of `rates`."""


@keras.saving.register_keras_serializable(package="kfg")
class Adam(_TwoRates, _OneKernelAdam):
    """keras.optimizers.Adam with the arguments of `rates`; with `weight_decay` it is AdamW."""


OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": Adam}


def adam_terms(step, *, betas: tuple[float, float], epsilon: float) -> dict[str, tf.Tensor]:
    """Return what a step of Adam needs that is the same for all variables.

    Args:
        step: number of the step, from 1.
        betas: how much of the moving means of gradients and of their squares stays.
        epsilon: what is added to the root of the mean square; "epsilon hat" in the source.
    Returns:
        float32 scalars, by the names that the operation ResourceApplyAdam gives them.
    Source: Kingma and Ba 2015, arXiv:1412.6980, end of section 2.
    """
    first, second = (tf.constant(beta, tf.float32) for beta in betas)
    step = tf.cast(step, tf.float32)
    powers = {"beta1_power": tf.pow(first, step), "beta2_power": tf.pow(second, step)}
    return {**powers, "beta1": first, "beta2": second, "epsilon": tf.constant(epsilon, tf.float32)}


def adam_step(gradient, variable, mean, square, *, rate, terms: dict) -> None:
    """Take a step of Adam by one operation: change a variable, and the moving means that go with it.

    Args:
        gradient: float tensor of the variable's shape.
        variable, mean, square: tf.Variable of equal shape and dtype: what is trained, and the moving means of its
            gradients and of their squares.
        rate: the learning rate.
        terms: what `adam_terms` returns for the step.
    """
    given = {**terms, "lr": rate, "grad": gradient}
    given = {name: tf.cast(value, variable.dtype) for name, value in given.items()}
    tf.raw_ops.ResourceApplyAdam(var=variable.handle, m=mean.handle, v=square.handle, **given)


def rates(
    name: str,
    *,
    learning_rate: float,
    trunk_multiplier: float = 1.0,
    head: tuple[str, ...] = HEAD,
    weight_decay: float | None = None,
    decay_vectors: bool = False,
    **arguments,
) -> keras.optimizers.Optimizer:
    """Make an optimiser with one rate for the head and a multiple of it for the trunk.

    Args:
        name: a key of OPTIMIZERS; "adamw" is "adam" with a weight decay, which must be given.
        learning_rate: float > 0, the rate of the head, which schedules change and histories show.
        trunk_multiplier: float >= 0, ratio of the trunk's rate to the head's.
        head: a variable belongs to the head if a layer on its path has a name that starts with one of these words.
        weight_decay: float >= 0, decoupled: in every step w -= rate * weight_decay * w, with the rate of w. None: 0.
        decay_vectors: whether variables with one axis (biases, and gamma and beta of batch norm) decay, too.
        arguments: further arguments of the Keras class, such as `momentum`, `nesterov`, `epsilon`, `clipnorm`.
    Raises:
        InputError: the name is unknown or a value is out of range; or, when training starts, no variable belongs to the
            head.
    Source: Loshchilov & Hutter 2019, arXiv:1711.05101 (decoupled decay).
    Example:
        >>> optimizer = rates("adamw", learning_rate=0.5, trunk_multiplier=0.1, weight_decay=0.05)
        >>> float(optimizer.learning_rate), optimizer.trunk_multiplier
        (0.5, 0.1)
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer: {name!r} is not one of {', '.join(OPTIMIZERS)}")
    if name == "adamw" and weight_decay is None:
        raise InputError("weight_decay: must be given for adamw")
    return OPTIMIZERS[name](
        learning_rate=learning_rate,
        trunk_multiplier=trunk_multiplier,
        head=head,
        weight_decay=weight_decay,
        decay_vectors=decay_vectors,
        **arguments,
    )


def is_head(path: str, *, head: tuple[str, ...] = HEAD) -> bool:
    """Return whether the variable with the Keras path `path` belongs to the head.

    Example:
        >>> is_head("head_dense/kernel"), is_head("conv_head/kernel"), is_head("net/head/bias")
        (True, False, True)
    """
    return any(layer.startswith(tuple(head)) for layer in path.split("/")[:-1])
