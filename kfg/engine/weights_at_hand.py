"""Make sure that the pretrained weights for a command's rows are on this machine, before anything is trained."""

import functools

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
        for setting in ("backbone", "second_backbone"):
            name = getattr(config, setting, None)
            if name and name not in backbones.BACKBONES:
                raise InputError(f"{prefix}{setting}={name}: expected one of {', '.join(backbones.BACKBONES)}")


def _trunk(config) -> tuple:
    """Return name, second name, image size and weights of a Config's trunk; without a trunk both names are ""."""
    name, second = getattr(config, "backbone", getattr(config, "net", "")), getattr(config, "second_backbone", "")
    return (name, second, config.image_size, config.weights) if name in backbones.BACKBONES else ("", "", (), "none")


def _refusal(name, second, image_size, weights, max_params) -> str:
    """Return why a trunk cannot be trained, or "". Weights are not loaded, so whether a file fits is not known."""
    try:
        if name and max_params is not None:
            build = functools.partial(backbones.classifier, num_classes=2, image_size=image_size, weights="none")
            freezing.check_budget(shapes_only(lambda: build(name, second=second)), max_params)
        backbones.weights_file(name, weights)
        if second and str(weights) != "none":
            backbones.weights_file(second)
    except InputError as error:
        return str(error)
    return ""
