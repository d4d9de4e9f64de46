"""Make extra images of some classes, as study imagenet20 did for its weak classes (500, later 650 more)."""

from collections.abc import Sequence

import numpy as np

from kfg.augment import draws

_POOL, _PASSES, _CHANGES = 1, 2, 3  # purpose numbers for derived seeds; a copy must not repeat its source's own draws
_CHUNK = 256  # images changed at a time


def materialise(
    images, labels: np.ndarray, *, count: int, classes: Sequence[int] | None, seeds_per_class: int, policy, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make extra images of some classes by changing the images of a small pool from these classes.

    The steps are those of the study: draw up to `seeds_per_class` images of each class without replacement, then pass
    over this pool, shuffled anew for each pass, and change every image, until `count` images are made.

    Args:
        images: uint8 (N, H, W, 3), or anything with len() and gather(positions) -> uint8 (B, H, W, 3).
        labels: int32 (N,).
        count: int >= 0, number of images to make.
        classes: labels to draw from; None: every class that has images, as in the control arm `uniform`.
        seeds_per_class: int >= 1; of a class with fewer images, all are in the pool.
        policy: Policy or ClassTargeted.
        seed: int in [0, 2^64). The pool of a class does not depend on which other classes are listed.
    Returns:
        uint8 (count, H, W, 3), the new images; int32 (count,), their labels; int64 (count,), the positions of their
        sources in `images`. A copy belongs to the group and part of its source.
    Raises:
        ValueError: a listed class has no images, or a number is out of range.
    Example:
        >>> from kfg.augment.policies import Policy
        >>> images, labels = np.zeros((6, 4, 4, 3), np.uint8), np.array([0, 0, 1, 1, 1, 2], np.int32)
        >>> extra, extra_labels, sources = materialise(
        ...     images, labels, count=5, classes=[1, 2], seeds_per_class=2, policy=Policy(rotation=45), seed=0)
        >>> extra.shape, extra_labels.tolist(), sources.tolist()
        ((5, 4, 4, 3), [1, 2, 1, 1, 1], [3, 5, 4, 3, 4])
    """
    labels = np.asarray(labels)
    if len(images) != len(labels):
        raise ValueError(f"labels must be as many as the {len(images)} images, got {len(labels)}")
    if count < 0 or seeds_per_class < 1:
        raise ValueError(f"count must be >= 0 and seeds_per_class >= 1, got {count} and {seeds_per_class}")
    pool = seed_pool(labels, classes=classes, seeds_per_class=seeds_per_class, seed=seed)
    sources, passes = _schedule(pool, count, draws.derived_seed(seed, _PASSES))
    gather = getattr(images, "gather", None) or np.asarray(images).__getitem__
    extra = np.empty((count, *gather(pool[:1]).shape[1:]), dtype=np.uint8)
    changes = draws.derived_seed(seed, _CHANGES)
    for number in range(passes[-1] + 1 if count else 0):
        rows = np.flatnonzero(passes == number)
        for part in (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)):
            positions = sources[part]
            extra[part] = policy.apply(
                gather(positions), labels[positions], seed=changes, epoch=number, positions=positions
            )
    return extra, labels[sources].astype(np.int32), sources


def seed_pool(labels: np.ndarray, *, classes: Sequence[int] | None, seeds_per_class: int, seed: int) -> np.ndarray:
    """Return the int64 positions of the pool that extra images are made from, sorted by class.

    The arguments are those of `materialise`.
    """
    labels = np.asarray(labels)
    pool = []
    for label in np.unique(labels if classes is None else classes):
        members = np.flatnonzero(labels == label)
        if not len(members):
            raise ValueError(f"classes: class {label} has no images to draw from")
        pool.append(draws.shuffled(draws.derived_seed(seed, _POOL), epoch=0, positions=members)[:seeds_per_class])
    if not pool:
        raise ValueError("classes: there is no class to draw from")
    return np.concatenate(pool)


def _schedule(pool, count, seed):
    """Return for each image to make its source's position and the number of the pass over the pool, int64 (count,)."""
    passes = np.arange(count) // len(pool)
    orders = [draws.shuffled(seed, epoch=number, positions=pool) for number in range(-(-count // len(pool)))]
    return np.concatenate([*orders, np.empty(0, np.int64)])[:count], passes
