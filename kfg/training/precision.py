"""Number format and compiler for training: chosen by name, or by timing both on this machine."""

import contextlib
import logging
import time

import keras
import numpy as np
import tensorflow as tf

from kfg.errors import InputError

logger = logging.getLogger(__name__)

# name -> Keras dtype policy. Weights stay float32 in all of them.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
CHOICES = (*POLICIES, "auto")
# in XLA's refusals: it has no tf.image.crop_and_resize, and nothing deterministic for some gradients
NOT_IN_XLA = (
    "Detected unsupported operations",
    "deterministic XLA implementation",
    "have a deterministic implementation",
)
PROBE_STEPS = 3
PROBE_IMAGES = 32  # a step this small already shows which number format is faster; larger ones cost seconds


@contextlib.contextmanager
def scope(precision: str):
    """Build layers inside with `precision`; the previous policy comes back afterwards.

    Raises:
        InputError: an unknown name.
    Example:
        >>> with scope("bfloat16"):
        ...     keras.layers.Dense(2).compute_dtype
        'bfloat16'
    """
    if precision not in POLICIES:
        raise InputError(f"precision: {precision!r} is none of {', '.join(CHOICES)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def device() -> str:
    """Return the name of the device training runs on."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return "CPU"


def uses_tf32() -> bool:
    """Return whether float32 products are rounded to TensorFloat-32 here: NVIDIA GPUs from compute capability 8."""
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    capable = any(one.get("compute_capability", (8, 0)) >= (8, 0) for one in details)
    return capable and tf.config.experimental.tensor_float_32_execution_enabled()


def prepare_devices() -> None:
    """Let TensorFlow take GPU memory as it needs it, not all at once. Call before the first operation."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def candidates(model) -> list[tuple[str, bool]]:
    """Return the (precision, jit_compile) worth timing on this device for a net."""
    if tf.config.list_physical_devices("GPU"):
        return [("float32", False), ("float32", True), ("float16", False), ("float16", True)]
    formats = [("float32", False), ("bfloat16", False)]
    # XLA makes the optimiser's update one pass over the weights, which is half of fruit3's MLP, but its convolutions
    # are slow on a CPU: 6 images/s against 33, and 15 s to compile
    convolutions = any(len(weight.shape) == 4 for weight in model.weights)
    return formats if convolutions else [*formats, ("float32", True)]


def choose(build, options, *, batch_size: int) -> tuple[str, bool, dict[str, float]]:
    """Time training steps of each candidate on random images and return the fastest.

    Depthwise convolutions lose by half precision on a CPU and dense ones gain, so only a measurement tells. A
    candidate with an operation that XLA cannot compile is left out, which is logged: MMAL-Net's crops, and
    max-pooling's gradient, of which XLA has no deterministic form.

    Args:
        build: function jit_compile -> compiled model; called inside each option's scope.
        options: (precision, jit_compile) to time, as `candidates` names them.
        batch_size: images of a training step.
    Returns:
        (precision, jit_compile, images/s of each candidate that runs).
    """
    rates = {}
    # XLA's gain is one of steps, not of images: only the real batch shows it
    images = batch_size if any(xla for _, xla in options) else min(batch_size, PROBE_IMAGES)
    for option in options:
        precision, jit_compile = option
        try:
            with scope(precision):
                rates[option] = training_rate(build(jit_compile), images)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not (jit_compile and any(words in error.message for words in NOT_IN_XLA)):
                raise
            logger.warning("precision %s left out: XLA cannot compile this net", label(*option))
    precision, jit_compile = max(rates, key=rates.get)
    rates = {label(*option): rate for option, rate in rates.items()}
    logger.info("precision %s of %s", label(precision, jit_compile), rates)
    return precision, jit_compile, rates


def label(precision: str, jit_compile: bool) -> str:
    """Return the name of a way to train, as "float32" or "float32+xla"."""
    return f"{precision}{'+xla' if jit_compile else ''}"


def training_rate(model, batch_size: int) -> float:
    """Return the images/s of a compiled model's training steps on random images; this changes its weights."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, *model.input_shape[1:]), dtype=np.uint8)
    labels = rng.integers(0, model.output_shape[-1], batch_size).astype(np.int32)
    model.train_on_batch(images, labels)  # traces and allocates
    seconds = []
    for _ in range(PROBE_STEPS):
        started = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - started)
    return batch_size / sorted(seconds)[PROBE_STEPS // 2]
