"""Choose number format and compiler for training, by name or by timing the candidates on this machine."""

import contextlib
import logging
import math
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.training import probing, processor

logger = logging.getLogger(__name__)

# name -> Keras dtype policy. Weights stay float32 in all of them.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
CHOICES = (*POLICIES, "auto")
# words in XLA's errors: it lacks tf.image.crop_and_resize, and a deterministic form of some gradients
NOT_IN_XLA = (
    "Detected unsupported operations",
    "deterministic XLA implementation",
    "have a deterministic implementation",
)
PROBE_STEPS = 3
PROBE_IMAGES = 8  # so small a step already shows which number format is faster; larger steps cost seconds
PROBE_SECONDS = 0.4  # after this time no further step of a candidate is timed, so that the choice takes seconds
LAYER_SECONDS = 0.1  # the same for each layer that is timed alone


@contextlib.contextmanager
def scope(precision: str):
    """Build the layers in a `with` block with `precision`; afterwards the previous dtype policy is restored.

    Raises:
        InputError: the name is unknown.
    Example:
        >>> with scope("bfloat16"):
        ...     keras.layers.Dense(2).compute_dtype
        'bfloat16'
    """
    if precision not in POLICIES:
        raise InputError(f"precision: {precision!r} is not one of {', '.join(CHOICES)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def device() -> str:
    """Return the name of the device that training runs on."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return "CPU"


def uses_tf32() -> bool:
    """Return whether this machine rounds float32 products to TensorFloat-32: NVIDIA GPUs from compute capability 8."""
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    capable = any(one.get("compute_capability", (8, 0)) >= (8, 0) for one in details)
    return capable and tf.config.experimental.tensor_float_32_execution_enabled()


def prepare_devices() -> None:
    """Let TensorFlow take GPU memory as it needs it, not all at once; to be called before the first operation."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def candidates(model) -> list[tuple[str, bool]]:
    """Return the pairs (precision, jit_compile) that may be the fastest for a net on this device, to be timed.

    On a CPU, bfloat16 is left out if the processor has no instructions for it. It is also left out for nets with
    depthwise convolutions, which are slower in bfloat16 even with such instructions: EfficientNet-Lite0 then trained
    38 images/s in float32 and 25 in bfloat16.
    """
    if tf.config.list_physical_devices("GPU"):
        return [("float32", False), ("float32", True), ("float16", False), ("float16", True)]
    formats = [("float32", False)]
    depthwise = any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers)
    if processor.may_gain_by_bfloat16() and not depthwise:
        formats.append(("bfloat16", False))
    # With XLA the optimiser's update is one pass over the weights, and this update is half of the time of fruit3's MLP.
    # But XLA's convolutions are slow on a CPU: 6 images/s against 33, and 15 s to compile.
    convolutions = any(len(weight.shape) == 4 for weight in model.weights)
    return formats if convolutions else [*formats, ("float32", True)]


def choose(build, options, *, batch_size: int) -> tuple[str, bool, dict[str, float]]:
    """Time each candidate on random images and return the fastest.

    A single candidate is taken without a measurement. If the candidates are number formats only, the net's costliest
    layers are timed, each alone, see kfg.training.probing. If XLA is among them, or if the net has no such layers,
    training steps of the whole net are timed. A candidate with an operation that XLA cannot compile is then left out,
    which is logged. Such operations are the crops of MMAL-Net, and the gradient of max-pooling, which has no
    deterministic form in XLA.

    Args:
        build: function jit_compile -> compiled model; called inside each option's scope.
        options: pairs (precision, jit_compile) to time, as `candidates` returns them.
        batch_size: number of images of a training step.
    Returns:
        (precision, jit_compile, images/s of each candidate that ran: of training steps, or of the timed layers).
    """
    if len(options) == 1:
        return *options[0], {}
    layers = [] if any(xla for _, xla in options) else probing.costliest(build(False))
    if layers:
        rates = _rates_of_layers(layers, options, min(batch_size, PROBE_IMAGES))
    else:
        rates = _rates_of_steps(build, options, batch_size)
    precision, jit_compile = max(rates, key=rates.get)
    rates = {label(*option): rate for option, rate in rates.items()}
    logger.info("precision %s of %s", label(precision, jit_compile), rates)
    return precision, jit_compile, rates


def _rates_of_steps(build, options, batch_size) -> dict[tuple[str, bool], float]:
    """Return the images/s of training steps, on batches of the real size: XLA saves time per step, not per image."""
    rates = {}
    for option in options:
        precision, jit_compile = option
        try:
            with scope(precision):
                rates[option] = training_rate(build(jit_compile), batch_size, seconds=PROBE_SECONDS)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not (jit_compile and any(words in error.message for words in NOT_IN_XLA)):
                raise
            logger.warning("precision %s is left out, because XLA cannot compile this network", label(*option))
    return rates


def _rates_of_layers(layers, options, images) -> dict[tuple[str, bool], float]:
    rates = {}
    for option in options:
        with scope(option[0]):
            rates[option] = images / probing.seconds(layers, images=images, limit=LAYER_SECONDS)
    return rates


def label(precision: str, jit_compile: bool) -> str:
    """Return a name for a candidate, such as "float32" or "float32+xla"."""
    return f"{precision}{'+xla' if jit_compile else ''}"


def training_rate(model, batch_size: int, *, seconds: float = math.inf) -> float:
    """Return the images/s of a compiled model's training steps. Arguments as for `training_pace`."""
    return training_pace(model, batch_size, seconds=seconds)[0]


def training_pace(model, batch_size: int, *, seconds: float = math.inf) -> tuple[float, float]:
    """Time a compiled model's training steps on random images; this changes its weights.

    Args:
        model: the compiled model.
        batch_size: number of images of a step.
        seconds: after this time no further step is begun; at least one step is timed.
    Returns:
        The images/s of the steps, and the seconds of the first one, which is not among them: it traces the graph.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, *model.input_shape[1:]), dtype=np.uint8)
    labels = rng.integers(0, model.output_shape[-1], batch_size).astype(np.int32)
    started = time.perf_counter()
    model.train_on_batch(images, labels)  # the first step traces the graph and allocates memory
    first, took = time.perf_counter() - started, []
    while not took or (len(took) < PROBE_STEPS and sum(took) < seconds):
        started = time.perf_counter()
        model.train_on_batch(images, labels)
        took.append(time.perf_counter() - started)
    return batch_size / statistics.median(took), first
