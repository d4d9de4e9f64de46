"""Find the number format in which a net trains fastest by timing its costliest layers, each alone.

To time steps of the whole net, its graph has to be traced and optimised, which takes 20 s for ResNet-50 in each format.
Convolutions and dense layers take most of a step, and which format is faster shows in a few of them.
"""

import collections
import dataclasses
import time

import keras
import tensorflow as tf

from kfg.models.catalogue import layer_macs

LAYERS = 4  # different layers that are timed; they stand for the others
STEPS = 3


@dataclasses.dataclass(frozen=True)
class Layer:
    """One or several equal layers of a net.

    Args:
        layer: one of them.
        count: how many there are.
        cost: multiply-accumulates of all of them for an image.
    """

    layer: keras.layers.Layer
    count: int
    cost: int


def costliest(model) -> list[Layer]:
    """Return the costliest of the different convolutions and dense layers of a flat model, at most LAYERS of them.

    Layers are equal if they have inputs and kernels of the same shapes, and the same strides.
    """
    found = collections.defaultdict(list)
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            shape = (tuple(layer.input.shape[1:]), tuple(layer.kernel.shape), getattr(layer, "strides", ()))
            found[shape].append(layer)
    alike = [Layer(layers[0], len(layers), len(layers) * layer_macs(layers[0])) for layers in found.values()]
    return sorted(alike, key=lambda one: one.cost, reverse=True)[:LAYERS]


def seconds(layers: list[Layer], *, images: int, limit: float) -> float:
    """Return how long forward and backward passes of layers take in the dtype policy that is set, each by itself.

    Args:
        images: number of random images.
        limit: seconds after which no further pass of a layer is begun; one at least is timed.
    """
    return sum(one.count * _seconds(one.layer, images, limit) for one in layers)


def _seconds(layer, images, limit) -> float:
    settings = {name: value for name, value in layer.get_config().items() if name != "dtype"}
    copy = type(layer).from_config(settings)
    x = tf.random.stateless_uniform((images, *layer.input.shape[1:]), seed=(0, 0), dtype=copy.compute_dtype)

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.cast(copy(x), tf.float32))
        return tape.gradient(loss, [x, copy.kernel])

    copy.build(x.shape)
    step = tf.function(gradients).get_concrete_function(x)  # called itself, it would warn of many tracings
    step(x)  # allocates
    took = []
    while not took or (len(took) < STEPS and sum(took) < limit):
        started = time.perf_counter()
        for gradient in step(x):
            gradient.numpy()
        took.append(time.perf_counter() - started)
    return min(took)
