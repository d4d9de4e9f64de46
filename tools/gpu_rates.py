"""For tools/gpu_check.py: images/s of training steps of four nets, with and without XLA, on one device and on all."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

CLASSES = 20
SAID = 200  # characters of an error that are kept
STEPS, WARM_UP, ROUNDS = 20, 5, 3  # steps that are timed together, before them, and how often; the median counts


@dataclasses.dataclass(frozen=True)
class Net:
    """A net that is timed.

    Args:
        build: function image_size -> Keras model, its weights drawn.
        image_size: (height, width) in pixels.
        batch: images of a step.
        tiny: image_size where only is to be seen that everything runs.
    """

    build: Callable
    image_size: tuple[int, int]
    batch: int
    tiny: tuple[int, int]


def _convnet(image_size):
    from kfg.models import convnets

    return convnets.convnet(num_classes=CLASSES, image_size=image_size, width=1.0 if image_size[0] > 40 else 0.05)


def _trunk(name):
    def build(image_size):
        from kfg.models import backbones

        return backbones.classifier(name, num_classes=CLASSES, image_size=image_size, weights="none")

    return build


def _fbsd(image_size):
    from kfg.models import fbsd

    options = {"image_size": image_size, "weights": "none"}
    if image_size[0] <= 64:
        return fbsd.classifier("efficientnet-lite0", num_classes=CLASSES, width=8, pool="gmp", **options)
    return fbsd.classifier("resnet50", num_classes=CLASSES, **options)


NETS = {
    "ConvNet 1": Net(_convnet, (68, 45), 64, (40, 37)),
    "EfficientNet-Lite0": Net(_trunk("efficientnet-lite0"), (256, 256), 32, (32, 32)),
    "ResNet-50": Net(_trunk("resnet50"), (224, 224), 32, (32, 32)),
    "FBSD": Net(_fbsd, (448, 448), 16, (64, 64)),
}


def measured(name: str, here: tuple[str, ...], *, tiny: bool) -> list[dict]:
    """Return a row for each net, with and without XLA, and on all devices where there are several.

    Args:
        name: "float32", "tf32" or "float16".
        here: names of the devices.
        tiny: one step of two small images; the larger nets in float32 alone, and XLA for ConvNet 1 in float32.
    """
    found = []
    for title, net in NETS.items():
        if tiny and title != "ConvNet 1" and name != "float32":
            continue
        with_xla = not tiny or (title == "ConvNet 1" and name == "float32")
        cases = [(xla, here[:1], 1) for xla in ((False, True) if with_xla else (False,))]
        if len(here) > 1:  # the batch of one device shared, as kfg does it; and as much for each
            cases += [(False, here, 1), (False, here, len(here))]
        for xla, devices, times in cases:
            batch = (2 if tiny else net.batch) * times
            rate, why = _tried(net, name, xla=xla, devices=devices, batch=batch, tiny=tiny)
            size = net.tiny if tiny else net.image_size
            found.append(
                {
                    "net": title, "image_size": list(size), "batch": batch, "format": name, "xla": xla,
                    "devices": len(devices), "images_per_second": rate, "left_out": why,
                }
            )  # fmt: skip
    return found


def _tried(net, name, **case) -> tuple[float | None, str]:
    """Return the images/s and "", or None and why there are none."""
    import tensorflow as tf

    from kfg.training import precision

    try:
        return round(rate(net, name, **case), 1), ""
    except tf.errors.ResourceExhaustedError:
        return None, "out of memory"
    except tf.errors.OpError as error:  # one of them: an operation that a GPU has in no deterministic form
        if case["xla"] and any(words in error.message for words in precision.NOT_IN_XLA):
            return None, "XLA cannot compile it"
        return None, said(error)


def said(error) -> str:
    """Return the first line of an error, or its kind if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:SAID]


def rate(net: Net, name: str, *, xla: bool, devices, batch: int, tiny: bool) -> float:
    """Return the images/s of training steps, the next batch fetched meanwhile.

    Args:
        name: number format.
        xla: whether XLA compiles the step.
        devices: names of those that share it.
        batch: images.
        tiny: one step, operation by operation if XLA does not compile it, which spares the tracing.
    """
    import keras

    from kfg.training import fit, precision
    from kfg.training.replicas import Replicas

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    with precision.scope("float16" if name == "float16" else "float32"):
        model = net.build(net.tiny if tiny else net.image_size)
    fit.compile_classifier(model, optimizer=keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9), jit_compile=xla)
    if len(devices) > 1:
        shared = Replicas(model, devices, compiled=fit.compile_classifier)
        model, batches = shared.net, shared.dealt(_batches(model, batch))
    else:
        model.run_eagerly, batches = tiny and not xla, _batches(model, batch)
    if tiny:
        return _timed(model, batches, 1, batch)
    model.fit(batches, steps_per_epoch=WARM_UP, shuffle=False, verbose=0)
    return float(np.median([_timed(model, batches, STEPS, batch) for _ in range(ROUNDS)]))


def _batches(model, batch):
    """Return one batch of random images over and over."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, *model.input_shape[1:]), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, batch).astype(np.int32)
    return tf.data.Dataset.from_tensors((images, labels)).repeat()


def _timed(model, batches, steps, batch) -> float:
    started = time.perf_counter()
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    return steps * batch / (time.perf_counter() - started)
