"""One training shared by several devices of a machine, which leads to the weights that one device would reach.

Each device has a copy of the net and computes its share of every batch; the gradients are added up before the step.
TensorFlow's MirroredStrategy and Keras's trainer do that; what they would do otherwise than one device is seen to here:

- A batch is cut into shares by this module, so that no batch reaches into the next epoch.
- Every image of a batch counts alike. Keras counts the mean of each share alike, however few images are in it.
- Batch normalisation that learns takes the statistics of the whole batch, which the devices exchange. On a share alone
  they would be noisier, each device would average its own, and only those of the first would be saved.
- Dropout draws other masks on each device. Keras lets all draw the same.
- In float16 a step is left out if the gradients of any device overflow. Keras looks at those of the first.

Source: Keras's guide "Multi-GPU distributed training with TensorFlow"; https://github.com/keras-team/keras/pull/20609
(the scale of the loss), https://github.com/keras-team/keras/pull/20612 (dropout).
"""

import functools
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kfg import keras_private
from kfg.models.flattening import all_layers

SEED = "seed_generator_state"  # the end of the path of a dropout layer's random state
APART = 1_000_003  # between the seeds of two devices
TIMED_STEPS = 3


@functools.cache  # TensorFlow gives every strategy keys of its own for what its devices exchange
def strategy(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """Return the strategy that keeps copies on these devices."""
    return tf.distribute.MirroredStrategy(list(devices))


class Replicas:
    """The copies of a model that train as one; `fit` is as the model's, which has learned when it returns.

    XLA is left out: it does not compile what the devices exchange.

    Args:
        model: compiled Keras model that can be built from its configuration, as all that can be saved.
        devices: names of two or more, as kfg.training.devices gives them.
        compiled: function (model, *, optimizer, loss) that compiles the copies, `fit.compile_classifier`.
    """

    def __init__(self, model, devices: tuple[str, ...], *, compiled):
        self.model, self.strategy = model, strategy(tuple(devices))
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        with self.strategy.scope():
            self.net = _copied(model)
            optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
            compiled(self.net, optimizer=optimizer, loss=model.loss)
            self.net.optimizer.build(self.net.trainable_variables)
        self.net.train_step = functools.partial(_step, self.net)
        keras_private.leave_out_symbolic_build(self.net)

    def fit(self, batches, *, validation_data, **settings) -> None:
        """Train the copies from where the model stands, and let it have what they learned.

        Args:
            batches, validation_data: tf.data, (images, labels); the batches are those of all devices together.
            settings: of Keras's `fit`; callbacks see the copies.
        """
        self._take()
        steps = int(validation_data.cardinality())
        self.net.fit(
            self.dealt(batches),
            validation_data=self.dealt(validation_data),
            validation_steps=steps if steps > 0 else None,
            **settings,
        )
        self._give()

    def dealt(self, batches: tf.data.Dataset) -> tf.distribute.DistributedDataset:
        """Return the batches with each cut into one share for each device, of sizes that differ by one at most.

        A batch of fewer images than devices leaves some with none.
        """
        count = self.strategy.num_replicas_in_sync

        def shares(*batch):
            total = tf.shape(batch[0], tf.int64)[0]

            def share(number):
                first, last = ((total * i + count - 1) // count for i in (number, number + 1))
                return tuple(part[first:last] for part in batch)

            return tf.data.Dataset.range(count).map(share)

        return self.strategy.distribute_datasets_from_function(lambda _: batches.flat_map(shares).prefetch(2 * count))

    def pace(self, batch_size: int) -> tuple[float, float]:
        """Return the images/s of training steps on random images, and the seconds of the first step, which traces.

        The model does not learn from them.
        """
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (batch_size, *self.net.input_shape[1:]), dtype=np.uint8)
        labels = rng.integers(0, self.net.output_shape[-1], batch_size).astype(np.int32)
        batches = self.dealt(tf.data.Dataset.from_tensors((images, labels)).repeat(2 * (1 + TIMED_STEPS)))
        self._take()
        began = time.perf_counter()
        self.net.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)  # traces and allocates
        started = time.perf_counter()
        self.net.fit(batches, steps_per_epoch=TIMED_STEPS, shuffle=False, verbose=0)
        return TIMED_STEPS * batch_size / (time.perf_counter() - started), started - began

    def _pairs(self):
        """Yield each variable of the copies with the model's."""
        theirs = [*self.model.variables, *self.model.optimizer.variables]
        return zip([*self.net.variables, *self.net.optimizer.variables], theirs, strict=True)

    def _take(self) -> None:
        for own, theirs in self._pairs():
            own.assign(theirs.numpy())
        for variable in self.net.variables:
            if variable.path.endswith(SEED):
                for number, state in enumerate(self.strategy.experimental_local_results(variable.value)):
                    state.assign_add(tf.constant([number * APART, 0], state.dtype))

        for layer in all_layers(self.net):
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # updates the copies of weights that it computes with

    def _give(self) -> None:
        for own, theirs in self._pairs():
            theirs.assign(own.numpy())


def _copied(model):
    """Return a model of the same layers and the same parts frozen, whose batch normalisation sees the whole batch."""
    net = type(model).from_config(model.get_config())
    for own, theirs in zip(net.weights, model.weights, strict=True):
        own.trainable = theirs.trainable  # a layer's configuration does not know of batch_norm="stats"
    for layer in all_layers(net):
        if hasattr(layer, "synchronized"):
            layer.synchronized = True
    return net


def _step(model, data):
    """Do what Keras's own training step does, on one device's share of a batch; see the module."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    context = tf.distribute.get_replica_context()
    count = ops.cast(ops.shape(x)[0], "float32")
    of_batch = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        # the mean of the share over the number of devices: Keras divides it, as the devices' gradients are added
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        mean = loss * context.num_replicas_in_sync
        learned = model.optimizer.scale_loss(mean * ops.cast(count / of_batch, loss.dtype))
    next(metric for metric in model.metrics if metric.name == "loss").update_state(mean, sample_weight=count)
    weights = model.trainable_weights
    gradients = tape.gradient(learned, weights)
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        gradients = _overflowing_together(gradients, context)
    model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _overflowing_together(gradients, context):
    """Return the gradients with an infinite one on every device if there is one on any."""
    finite = [ops.all(ops.isfinite(gradient)) for gradient in gradients if gradient is not None]
    overflown = ops.cast(ops.logical_not(ops.all(ops.convert_to_tensor(finite))), "float32")
    anywhere = context.all_reduce(tf.distribute.ReduceOp.SUM, overflown) > 0
    at = next(i for i, gradient in enumerate(gradients) if gradient is not None)
    return [ops.where(anywhere, np.inf, gradient) if i == at else gradient for i, gradient in enumerate(gradients)]
