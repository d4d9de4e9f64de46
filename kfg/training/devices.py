"""The devices of this machine that one training may use: `--devices all|N`."""

import tensorflow as tf

from kfg.errors import InputError

ALL = "all"


def here() -> tuple[str, ...]:
    """Return the names of the devices that nets are trained on here: the GPUs or, where there is none, the processor.

    TensorFlow is not set to work by this, so that the memory of a GPU can still be looked after, see
    `kfg.training.precision.prepare_devices`. All cores of a processor are one device, unless a program has cut it.

    Example:
        >>> len(here()) >= 1 and here()[0] in ("GPU:0", "CPU:0")
        True
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    count = sum(map(_parts, tf.config.list_physical_devices(kind)))
    return tuple(f"{kind}:{number}" for number in range(count))


def _parts(physical) -> int:
    """Return how many logical devices a physical one was cut into."""
    return len(tf.config.get_logical_device_configuration(physical) or (None,))


def chosen(text) -> tuple[str, ...]:
    """Return the devices that `--devices` asks for: the first N of those that are here, or all.

    Args:
        text: "all", or a number from 1 up.
    Returns:
        their names, one at least.
    Raises:
        InputError: neither, or more than there are; the message says what is there.
    """
    found, text = here(), str(text).strip()
    if text == ALL:
        return found
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise InputError(f"--devices: expected all, or a number from 1 up, got {text!r}")
    if int(text) > len(found):
        cores = "; no GPU, and all cores of a processor are one device" if found[0].startswith("CPU") else ""
        raise InputError(f"--devices {text}: TensorFlow finds {len(found)} here ({', '.join(found)}){cores}")
    return found[: int(text)]


def check_batch(devices: tuple[str, ...], batch_size: int) -> None:
    """Refuse a batch of which some of the devices would never get an image.

    Raises:
        InputError: fewer images than devices.
    """
    if batch_size < len(devices):
        raise InputError(
            f"--devices: {len(devices)} cannot share a batch of {batch_size} images; take fewer, or a larger batch_size"
        )


def told(devices: tuple[str, ...], *, batch_size: int, learning_rate: float) -> str:
    """Say what several devices do with a batch, and what becomes of the learning rate.

    Args:
        batch_size: images of a step, of all devices together.
        learning_rate: of the training, before any schedule.
    Example:
        >>> told(("GPU:0", "GPU:1"), batch_size=33, learning_rate=2e-4)
        'Devices: GPU:0, GPU:1. They share each batch of 33 images, 16 or 17 on each; the learning rate of 0.0002 \
stays, as a step still learns from 33 images.'
    """
    least, most = batch_size // len(devices), -(-batch_size // len(devices))
    share = f"{least}" if least == most else f"{least} or {most}"
    return (
        f"Devices: {', '.join(devices)}. They share each batch of {batch_size} images, {share} on each; the learning "
        f"rate of {learning_rate:.6g} stays, as a step still learns from {batch_size} images."
    )
