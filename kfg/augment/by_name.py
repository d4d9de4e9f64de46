"""Policies of classes by their names, as settings have them: labels are known only with the data."""

import dataclasses
from collections.abc import Mapping, Sequence

from kfg.augment.policies import ClassTargeted, Policy
from kfg.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByName:
    """Another policy for some classes, by name; `labelled` makes the ClassTargeted of it.

    Args:
        default: Policy, or its settings as a dict, of the classes not listed.
        by_class: class name -> Policy, or its settings.
    Raises:
        ValueError: by_class is no dict, or what should be a policy is none.
    """

    default: Policy = dataclasses.field(default_factory=Policy)
    by_class: dict[str, Policy]

    def __post_init__(self):
        if not isinstance(self.by_class, dict):
            raise ValueError(f"by_class: expected {{'class name': {{'rotation': 45}}}}, got {self.by_class!r}")
        object.__setattr__(self, "default", _policy("default", self.default))
        made = {name: _policy(f"by_class: {name}", value) for name, value in self.by_class.items()}
        object.__setattr__(self, "by_class", made)


def _policy(where, value) -> Policy:
    if isinstance(value, Policy):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected settings like {{'rotation': 45}}, got {value!r}")
    try:
        return Policy(**value)
    except (TypeError, ValueError) as error:  # a TypeError names an unknown setting
        raise ValueError(f"{where}: {error}") from error


def labelled(policy: Policy | ByName, classes: Sequence[str], *, others: Mapping[str, Policy] | None = None):
    """Return the policy to train with, its classes as labels.

    Args:
        policy: of all classes, or by name.
        classes: names in the order of labels.
        others: class name -> Policy, instead of the class's own.
    Returns:
        Policy, or ClassTargeted where classes differ.
    Raises:
        InputError: a class that is not there.
    Example:
        >>> turned = ByName(by_class={"cobra": {"rotation": 45}})
        >>> labelled(turned, ["anchor", "cobra"]).by_class[1].rotation
        45
    """
    given = policy if isinstance(policy, ByName) else ByName(default=policy, by_class={})
    by_class = {**given.by_class, **(others or {})}
    unknown = [name for name in by_class if name not in classes]
    if unknown:
        more = ", ..." if len(classes) > 5 else ""
        raise InputError(f"policy: no class {unknown[0]!r}; there are {', '.join(classes[:5])}{more}")
    if not by_class:
        return given.default
    numbers = {name: label for label, name in enumerate(classes)}
    return ClassTargeted(default=given.default, by_class={numbers[name]: one for name, one in by_class.items()})
