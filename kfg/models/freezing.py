"""Freeze parts of a classifier by the name of a policy, and count the parameters that are trained."""

import contextlib
import math
import re

from keras import layers

from kfg.errors import InputError
from kfg.models import backbones

POLICIES = ("none", "all", "head", "last-block+bn", "stages:N", "re:REGEX")
BATCH_NORM = ("frozen", "stats", "train", "fixed")
# beginnings of layer names that belong to a residual, dense or plain block in the trunks
BLOCK = re.compile(r"(conv\d+_block\d+|block_?\d+[a-z]?|block\d+_\d+|expanded_conv_\d+|.*_stage_\d+_block_\d+)_")
UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}


def apply(model, policy: str, *, batch_norm: str = "frozen") -> None:
    """Freeze parts of a flat classifier, which must be compiled afterwards. Earlier freezing is undone.

    Dropout and stochastic depth in frozen parts stay active in training, as in torch.

    Args:
        model: classifier of `kfg.models.backbones`, which consists of trunk, layer "features" and head.
        policy: "none" (nothing is frozen), "all" (all is frozen), "head" (only the head is trained), "last-block+bn"
            (trained are the trunk's last block, gamma and beta of every batch normalisation, and the head, as in study
            cub200), "stages:N" (trained are the head and the trunk's last N stages), "re:REGEX" (trained are the layers
            with a match in their name).
        batch_norm: what frozen batch normalisation does in training. "frozen": the same as in inference; "stats": gamma
            and beta stay the same, but it normalises by the statistics of the batch and updates the moving averages,
            as torch's frozen modules do in train(); "train": gamma and beta are trained, too; "fixed": as "frozen", and
            batch normalisation in the trained part works as in inference as well, because the statistics of small
            batches do harm. A saved model does not keep "stats".
    Raises:
        InputError: the policy or mode is unknown, N or the expression is invalid, or the trunk has no such parts.
    """
    if batch_norm not in BATCH_NORM:
        raise InputError(f"batch_norm: {batch_norm!r} is not one of {', '.join(BATCH_NORM)}")
    trained = _trained(model, policy)
    if batch_norm == "fixed":
        trained -= {id(layer) for layer in model.layers if isinstance(layer, layers.BatchNormalization)}
    for layer in model.layers:
        # Set twice, to undo "stats", too: on TensorFlow, setting the same value again does not reach the variables.
        layer.trainable = False
        layer.trainable = True
        if id(layer) in trained:
            continue
        if not isinstance(layer, layers.BatchNormalization) or batch_norm in ("frozen", "fixed"):
            layer.trainable = False
        elif batch_norm == "stats":
            # the flag of the layer decides about statistics, the flags of its variables about gradients
            for variable in layer.trainable_variables:
                variable.trainable = False


def _trained(model, policy) -> set[int]:
    """Return the Python ids of the layers that are trained."""
    kind, _, argument = policy.partition(":")
    if policy == "none":
        chosen = model.layers
    elif policy == "all":
        chosen = []
    elif kind == "re" and argument:
        chosen = _matching(model, argument)
    else:
        chosen = _by_place(model, policy, kind, argument)
    return {id(layer) for layer in chosen}


def _by_place(model, policy, kind, argument):
    trunk, head = _parts(model)
    if policy == "head":
        return head
    if policy == "last-block+bn":
        return [*_last_block(model, trunk), *(x for x in trunk if isinstance(x, layers.BatchNormalization)), *head]
    if kind == "stages" and argument:
        return [*_last_stages(model, trunk, argument), *head]
    raise InputError(f"freeze: {policy!r} is not one of {', '.join(POLICIES)}")


def _parts(model):
    names = [layer.name for layer in model.layers]
    if "features" not in names:
        raise InputError(f"freeze: {model.name} has no layer 'features' between trunk and head")
    # in ConvNeXt the layer "features" has weights; it belongs to the trunk
    end = names.index("features") + 1
    return model.layers[:end], model.layers[end:]


def _last_block(model, trunk):
    known = backbones.BACKBONES.get(model.name)
    if known and known.last_block:
        before, end = ([layer.name for layer in trunk].index(name) for name in known.last_block)
        return trunk[before + 1 : end + 1]
    prefixes = [match[0] for layer in trunk if layer.weights and (match := BLOCK.match(layer.name))]
    if not prefixes:
        raise InputError(f"freeze: {model.name} has no blocks; use head, stages:N or re:REGEX")
    return [layer for layer in trunk if layer.name.startswith(prefixes[-1])]


def _last_stages(model, trunk, argument):
    if model.name not in backbones.BACKBONES:
        raise InputError(f"freeze: stages:{argument} needs a model of kfg.models.backbones, not {model.name}")
    ends = backbones.BACKBONES[model.name].stages
    if not argument.isdecimal() or not 1 <= int(argument) <= len(ends):
        raise InputError(f"freeze: stages:{argument} must be from stages:1 to stages:{len(ends)} for {model.name}")
    if int(argument) == len(ends):
        return trunk
    # Layers are listed by depth, and every path passes the end of a stage: layers after it in the list come after it.
    end = [layer.name for layer in trunk].index(ends[-1 - int(argument)])
    return trunk[end + 1 :]


def _matching(model, expression):
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise InputError(f"freeze: re:{expression} is not a regular expression ({error})") from error
    chosen = [layer for layer in model.layers if pattern.search(layer.name)]
    if not any(layer.weights for layer in chosen):
        raise InputError(f"freeze: re:{expression} finds no layer of {model.name} that has weights")
    return chosen


def is_constant(model) -> bool:
    """Return whether a classifier's features stay constant in training: nothing before them is trained or random.

    Args:
        model: classifier of `kfg.models.backbones`, frozen by `apply`; without a layer "features" the answer is False.
    """
    if "features" not in [layer.name for layer in model.layers]:
        return False
    return not any(map(_changes, _parts(model)[0]))


def constant_until(model) -> str | None:
    """Return the name of the last layer up to which a classifier stays constant in training.

    All paths through the net pass this layer: it ends a stage, or it is the layer "features".

    Args:
        model: as for `is_constant`.
    Returns:
        None if the net learns from its first stage on, or if its stages are not known.
    """
    if is_constant(model):
        return backbones.FEATURES
    if backbones.ends_of_trunks(model):  # no stage of one trunk is passed by the other's paths
        return None
    known = backbones.BACKBONES.get(model.name)
    names = [layer.name for layer in model.layers]
    changing = [index for index, layer in enumerate(model.layers) if _changes(layer)]
    first = changing[0] if changing else len(names)
    ends = [end for end in (known.stages if known else ()) if end in names and names.index(end) < first]
    return ends[-1] if ends else None


def _changes(layer) -> bool:
    learns = bool(layer.trainable_variables)
    follows = isinstance(layer, layers.BatchNormalization) and layer.trainable  # batch statistics
    return learns or follows or getattr(layer, "rate", 0) > 0  # dropout, stochastic depth


def trainable_count(model) -> int:
    """Return the number of parameters that training changes.

    Example:
        >>> import keras
        >>> trainable_count(keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()]))
        12
    """
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def check_budget(model, budget: str | int) -> None:
    """Refuse a model with more parameters than allowed; frozen parameters and moving statistics count.

    Args:
        model: built Keras model.
        budget: int, or text such as "10M", "500k", "4263748".
    Raises:
        InputError: the model has more parameters, or the budget is not such a number.
    """
    allowed, count = parse_count(budget), model.count_params()
    if count > allowed:
        raise InputError(f"max-params: {model.name} has {count:,} parameters, but only {allowed:,} are allowed")


def parse_count(text: str | int) -> int:
    """Return a positive count that is written with an optional unit k, M or G.

    Raises:
        InputError: the text is not such a number.
    Example:
        >>> parse_count("1.5M")
        1500000
    """
    digits, unit = str(text), 1
    if digits[-1:] in UNITS:
        digits, unit = digits[:-1], UNITS[digits[-1:]]
    count = float("nan")
    with contextlib.suppress(ValueError):
        count = float(digits) * unit
    if not (1 <= count < math.inf and count == int(count)):
        raise InputError(f"max-params: expected a number of parameters like 10M, 500k or 4263748, got {text!r}")
    return int(count)
