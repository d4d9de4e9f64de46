"""Augmentation policies for single classes, given by class name, because settings do not know the labels yet."""

import dataclasses
from collections.abc import Mapping, Sequence

from kfg.augment.policies import ClassTargeted, Policy
from kfg.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByName:
    """A policy for some classes by name, and one for all others; `labelled` turns it into a ClassTargeted.

    Args:
        default: Policy, or its settings as a dict, for the classes that are not listed.
        by_class: class name -> Policy, or its settings as a dict.
    Raises:
        ValueError: by_class is not a dict, or a value cannot be made into a Policy.
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
    """Return the policy to train with, with labels in place of class names.

    Args:
        policy: one Policy for all classes, or a ByName.
        classes: class names in the order of the labels.
        others: class name -> Policy, which replaces the policy that the class has in `policy`.
    Returns:
        A Policy, or a ClassTargeted if some classes have a policy of their own.
    Raises:
        InputError: a class name is unknown.
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
        raise InputError(f"policy: no class {unknown[0]!r}; choose from {', '.join(classes[:5])}{more}")
    if not by_class:
        return given.default
    numbers = {name: label for label, name in enumerate(classes)}
    return ClassTargeted(default=given.default, by_class={numbers[name]: one for name, one in by_class.items()})
