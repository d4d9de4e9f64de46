"""From a validation confusion matrix to extra training images for the classes that the model recalls worst.

The study looked at its test matrix, made 500 extra images of the three worst classes, trained again and saw test
accuracy rise. But two things help whichever classes are chosen: training on more images, and training a second time.
Hence there are three arms from the same seeds: `none`, `uniform` (as many extra images, drawn over all classes) and
`targeted`. Weak classes are found on the validation images, the gain is measured on the test images.
"""

import dataclasses
import logging
import pathlib

import numpy as np

from kfg.augment.copies import materialise
from kfg.augment.policies import Policy
from kfg.data.part import Part
from kfg.errors import InputError
from kfg.evaluation import confusion
from kfg.evaluation.predict import Predictions
from kfg.files import read_json, write_json
from kfg.names import shortened
from kfg.runs import run_files

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """The treatment in one arm of a comparison.

    Args:
        extra: classes of which extra images are made: "" (none), "all" or "weak".
        augmented: classes that are augmented on the fly: "" (none), "all", "weak", or "but takers": all except the
            classes that the weak ones are most often mistaken for.
        neutral: whether the answers are corrected for the change that extra images make to the classes' shares.
        adjusted: whether the loss is adjusted to the classes' numbers of images.
        mirrored: whether the answers on an image and its mirror image are averaged.
    """

    extra: str = ""
    augmented: str = ""
    neutral: bool = False
    adjusted: bool = False
    mirrored: bool = False

    @property
    def aimed(self) -> bool:
        """Whether the arm needs to know the weak classes."""
        return self.extra == "weak" or self.augmented in ("weak", "but takers")


ARMS = {
    "none": Arm(),
    "uniform": Arm(extra="all"),
    "targeted": Arm(extra="weak"),
    "targeted-policy": Arm(augmented="weak"),
    "augmented": Arm(augmented="all"),  # the study speaks of blindly augmenting the whole set, but never ran it
    "prior-neutral": Arm(extra="weak", neutral=True),
    "weaker": Arm(augmented="but takers"),
    "mirrored": Arm(mirrored=True),
    "adjusted": Arm(adjusted=True),
}
COMPARED = ("none", "uniform", "targeted")  # always compared; other arms if they were run
MOST = 1_000_000  # most extra images in a round
NAMED = 8  # most classes named in a line for the screen


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """A round of extra images: `count` images, made from at most `seeds_per_class` originals of each class.

    Raises:
        ValueError: a number out of range; a policy that is not a Policy.
    """

    count: int
    policy: Policy
    seeds_per_class: int = 100

    def __post_init__(self):
        for name in ("count", "seeds_per_class"):
            value = getattr(self, name)
            if not (isinstance(value, int) and 1 <= value <= MOST):
                raise ValueError(f"{name}: expected a whole number from 1 to {MOST}, got {value!r}")
        if not isinstance(self.policy, Policy):
            raise ValueError(f"policy: expected its settings like {{'rotation': 45}}, got {self.policy!r}")


def as_round(value, *, like: Round) -> Round:
    """Return a Round unchanged, or make one from settings; settings not named, also of the policy, are as in `like`.

    Raises:
        ValueError: neither a Round nor a dict; an unknown name; a value that Round or Policy refuses.
    Example:
        >>> made = as_round({"count": 9, "policy": {"shear": 5}}, like=Round(count=500, policy=Policy(rotation=45)))
        >>> made.count, made.policy.rotation, made.policy.shear, made.seeds_per_class
        (9, 45, 5, 100)
    """
    if isinstance(value, Round):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"rounds: expected each like {{'count': 500}}, got {value!r}")
    policy = value.get("policy")
    try:
        if isinstance(policy, dict):
            value = {**value, "policy": dataclasses.replace(like.policy, **policy)}
        return dataclasses.replace(like, **value)
    except (TypeError, ValueError) as error:  # a TypeError names an unknown setting
        raise ValueError(f"rounds: {error}") from error


def weak_on_validation(val: Predictions, *, count: int, min_support: int) -> np.ndarray:
    """Return the `count` classes with the lowest validation recall, the lowest first.

    Args:
        val: a model's answers on the validation images.
        count: the most classes to return.
        min_support: validation images that a class needs to be considered.
    Returns:
        int64 (K,), K <= count, class numbers.
    Raises:
        InputError: no class has enough validation images.
    """
    matrix = confusion.confusion_matrix(val.labels, val.probabilities.argmax(axis=1), len(val.classes))
    weak = confusion.weak_classes(matrix, n=count, min_support=min_support)
    if not len(weak):
        check_support(int(matrix.sum(axis=1).max()), min_support)
    return weak


def check_support(most: int, min_support: int) -> None:
    """Raise InputError if the class with the most validation images, `most`, has fewer than `min_support`."""
    if most < min_support:
        raise InputError(
            f"min_support: no class has {min_support} validation images (the largest has {most}), and fewer are too "
            "few to tell which classes are weak; add images, enlarge the validation part with --set val_fraction, or "
            f"set --set min_support={most}"
        )


def extra_images(training: Part, *, arm: str, rounds, weak, seed: int) -> Part:
    """Make the extra training images for one arm.

    Args:
        training: the training images.
        arm: a key of ARMS.
        rounds: sequence of Round.
        weak: class numbers, used by arms with extra images of weak classes; other arms ignore them.
        seed: int; each round draws with a seed derived from it.
    Returns:
        Part of M images; M = 0 for arms without extra images.
    Raises:
        InputError: an unknown arm.
    """
    if arm not in ARMS:
        raise InputError(f"arm: {arm!r} is not one of {', '.join(ARMS)}")
    none = np.empty((0, *training.store.shape[1:]), np.uint8)
    extra = Part(none, [], classes=training.classes, name=training.name, origin=training.origin)
    for number, one in enumerate(rounds if ARMS[arm].extra else ()):
        extra = extra + copies_of(
            training,
            classes=list(weak) if ARMS[arm].extra == "weak" else None,
            count=one.count,
            policy=one.policy,
            pool=one.seeds_per_class,
            seed=seed * 1000 + number,
        )
    return extra


def strong_takers(val: Predictions, weak) -> list[int]:
    """Return the classes that the weak ones are most often mistaken for: at most one for each, and no weak class.

    Args:
        val: a model's answers on the validation images.
        weak: class numbers.
    """
    found = set()
    for label in weak:
        taken = np.bincount(val.predicted[val.labels == label], minlength=len(val.classes))
        taken[list(weak)] = 0
        if taken.any():
            found.add(int(taken.argmax()))
    return sorted(found)


def copies_of(part: Part, *, classes, count: int, policy, pool: int, seed: int) -> Part:
    """Make randomly changed copies of the images of some classes.

    Args:
        part: the images.
        classes: class numbers; None for all classes with images.
        count: number of copies to make.
        policy: the random changes.
        pool: the most images of each class from which copies are made.
        seed: int >= 0.
    Returns:
        Part of `count` images; each belongs to the group of its source.
    Raises:
        ValueError: a class without images; a number out of range.
    """
    images, labels, sources = materialise(
        part.store, part.labels, count=count, classes=classes, seeds_per_class=pool, policy=policy, seed=seed
    )
    paths = [f"{part.paths[source]} (copy {number})" for number, source in enumerate(sources)]
    return Part(
        images,
        labels,
        classes=part.classes,
        paths=paths,
        name=part.name,
        groups=part.groups[sources],
        root=part.root,
        origin=part.origin,
    )


def write_weak(workdir, weak, val: Predictions, *, min_support: int) -> dict:
    """Write which classes a run targets, and which had too few validation images to be judged.

    Args:
        workdir: the run folder.
        weak: class numbers, from `weak_on_validation`.
        val, min_support: the arguments with which they were found.
    Returns:
        The content of the file: `weak` and `not_judged`, each [{"id", "name", "support"}], and `min_support`.
    """
    support = np.bincount(val.labels, minlength=len(val.classes))

    def described(ids):
        return [{"id": int(i), "name": val.classes[i], "support": int(support[i])} for i in ids]

    few = np.flatnonzero(support < min_support)
    content = {"weak": described(weak), "not_judged": described(few), "min_support": min_support}
    write_json(pathlib.Path(workdir) / run_files.WEAK, content)
    return content


def read_weak(workdir) -> dict:
    """Read what `write_weak` wrote. Files of earlier versions do not say which classes were not judged."""
    content = read_json(pathlib.Path(workdir) / run_files.WEAK)
    return content if isinstance(content, dict) else {"weak": content, "not_judged": [], "min_support": None}


def weak_lines(content: dict, *, named: int | None = NAMED) -> list[str]:
    """Return lines on which classes are weak and, if there are any, which were not judged.

    Args:
        content: the result of `write_weak`.
        named: the most classes not judged to name; None for all.
    Example:
        >>> few = [{"name": "cow", "support": 2}, {"name": "palm", "support": 7}]
        >>> weak_lines({"weak": [{"name": "cobra"}], "not_judged": few, "min_support": 8}, named=1)
        ['weak classes: cobra', 'not judged, because they have fewer than 8 validation images: cow 2 and 1 more']
    """
    lines = ["weak classes: " + ", ".join(one["name"] for one in content["weak"])]
    few = sorted(content["not_judged"], key=lambda one: one["support"])
    if few:
        some = shortened([f"{one['name']} {one['support']}" for one in few], count=named or len(few))
        lines.append(f"not judged, because they have fewer than {content['min_support']} validation images: {some}")
    return lines
