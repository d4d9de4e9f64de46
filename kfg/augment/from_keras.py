"""Translate ImageDataGenerator's arguments to kfg: Keras 3 dropped the class, but much code was written for it."""

from kfg.errors import InputError
from kfg.names import suggestion

SAME = {  # argument of ImageDataGenerator -> setting of Policy that takes the same values
    "rotation_range": "rotation", "width_shift_range": "width_shift", "height_shift_range": "height_shift",
    "shear_range": "shear", "zoom_range": "zoom", "channel_shift_range": "channel_shift",
    "brightness_range": "brightness", "horizontal_flip": "horizontal_flip", "vertical_flip": "vertical_flip",
    "fill_mode": "fill_mode", "cval": "cval",
}  # fmt: skip
PAIRS = ("zoom_range", "brightness_range")
SHIFTS = ("width_shift_range", "height_shift_range")
OF_THE_DATA = "it scales images by statistics of the data; add a keras.layers.Normalization to the model"
UNSUPPORTED = {  # argument of ImageDataGenerator -> (its default, which is accepted; what to do for another value)
    "rescale": (None, "images stay in [0, 255]; put keras.layers.Rescaling({value!r}) before the model"),
    "preprocessing_function": (None, "put it into the model, or into an object with `apply` as kfg.Policy has it"),
    "validation_split": (0.0, "use kfg.load(folder, val=...), which divides without leaks"),
    "featurewise_center": (False, OF_THE_DATA), "featurewise_std_normalization": (False, OF_THE_DATA),
    "samplewise_center": (False, OF_THE_DATA), "samplewise_std_normalization": (False, OF_THE_DATA),
    "zca_whitening": (False, OF_THE_DATA), "zca_epsilon": (1e-6, OF_THE_DATA),
    "data_format": (None, "the channels come last"), "interpolation_order": (1, "it is bilinear"),
    "dtype": (None, "images are uint8"),
}  # fmt: skip
HARMLESS = {"data_format": "channels_last", "dtype": "float32"}  # values that are accepted, because kfg does the same


def settings(arguments: dict) -> dict:
    """Return the settings of a Policy that does the same as these arguments of ImageDataGenerator.

    Args:
        arguments: name -> value.
    Raises:
        InputError: ImageDataGenerator has no such argument, or kfg does this in another way; the message says how.
    Example:
        >>> settings({"rotation_range": 20, "zoom_range": [0.9, 1.1], "rescale": None})
        {'rotation': 20, 'zoom': (0.9, 1.1)}
    """
    found = {}
    for name, value in arguments.items():
        if name in SAME:
            found[SAME[name]] = _value(name, value)
        elif name not in UNSUPPORTED:
            raise InputError(
                f"{name}: ImageDataGenerator has no such argument; {suggestion(name, [*SAME, *UNSUPPORTED])}"
            )
        else:
            default, instead = UNSUPPORTED[name]
            if value not in (default, HARMLESS.get(name)):
                raise InputError(f"{name}: kfg does not do this to images; {instead.format(value=value)}")
    return found


def _value(name, value):
    if name in PAIRS and isinstance(value, (list, tuple)):
        return tuple(value)
    if name in SHIFTS:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise InputError(
                f"{name}: expected a fraction below 1 or whole pixels, got {value!r}; lists are not supported"
            )
        if isinstance(value, float) and value >= 1:  # ImageDataGenerator takes floats from 1 up as pixels
            if value != int(value):
                raise InputError(f"{name}: expected a fraction below 1 or whole pixels, got {value!r}")
            return int(value)
    return value
