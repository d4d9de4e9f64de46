"""Make sure that the pretrained weights for a command's rows are on this machine, before anything is trained."""

import functools

import keras

from kfg.engine.options import TRUNKS
from kfg.errors import InputError
from kfg.models import backbones, freezing
from kfg.models.catalogue import shapes_only


def check_files(jobs) -> None:
    """Check for every unfinished Job that its trunk is within the budget and its weights are here; download them.

    Args:
        jobs: all jobs of a command, so that none of them is refused hours later.
    Raises:
        InputError: the message names the first row that is refused, and the rows that could begin.
    """
    refusal = functools.cache(_refusal)  # cached, because rows, seeds and folds share trunks
    refused = {}
    for job in jobs:
        if not job.finished() and (reason := refusal(*_trunk(job.config), job.max_params)):
            refused.setdefault(job.row, reason)
    if refused:
        row, reason = next(iter(refused.items()))
        others = dict.fromkeys(job.row for job in jobs if job.row not in refused)
        raise InputError(f"row {row}: {reason}" + (f"; --rows {','.join(others)} can be run" if others else ""))


def check_names(configs, *, prefix: str = "--set ") -> None:
    """Check, before any image is read, that these Configs name known trunks.

    Args:
        prefix: text before the setting's name in an error message.
    Raises:
        InputError: an unknown trunk; the message has the setting, its value and the known trunks.
    """
    for config in configs:
        for setting in TRUNKS:
            name = getattr(config, setting, None)
            if name and name not in backbones.BACKBONES:
                raise InputError(f"{prefix}{setting}={name}: expected one of {', '.join(backbones.BACKBONES)}")


def _trunk(config) -> tuple:
    """Return the names of a Config's trunks, in the order of TRUNKS, image size and weights; ("", (), "none") if none.

    A net with one trunk may call it `net` instead of `backbone`.
    """
    first, *others = (getattr(config, setting, "") for setting in TRUNKS)
    first = first or getattr(config, "net", "")
    return ((first, *others), config.image_size, config.weights) if first in backbones.BACKBONES else ((), (), "none")


def _refusal(names, image_size, weights, max_params) -> str:
    """Return why trunks cannot be trained, or "". Weights are not loaded, so whether a file fits is not known."""
    first, *others = names or ("",)
    try:
        if first and max_params is not None:
            freezing.check_budget(shapes_only(lambda: classifier(*names, image_size=image_size)), max_params)
        backbones.weights_file(first, weights)
        for other in filter(None, others if str(weights) != "none" else ()):
            backbones.weights_file(other)
    except InputError as error:
        return str(error)
    return ""


def classifier(first, second, opinion, *, image_size, num_classes: int = 2):
    """Return a net with random weights that has as many parameters as the trained one."""
    build = functools.partial(backbones.classifier, num_classes=num_classes, image_size=image_size, weights="none")
    net = build(first, second=second)
    return keras.Model(net.input, [net.output, build(opinion)(net.input)]) if opinion else net
