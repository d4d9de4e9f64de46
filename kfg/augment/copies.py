"""Materialised extra images: study imagenet20's repair of its weak classes (its 500, later 650 more)."""

from collections.abc import Sequence

import numpy as np

from kfg.augment import draws

_POOL, _PASSES, _CHANGES = 1, 2, 3  # purposes of derived seeds; a copy must not repeat its source's online draws
_CHUNK = 256  # images in hand at a time


def materialise(
    images, labels: np.ndarray, *, count: int, classes: Sequence[int] | None, seeds_per_class: int, policy, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make extra images of some classes from a small pool of their own.

    The study's steps: draw up to `seeds_per_class` images of each class without replacement, then pass over that
    pool, shuffled anew each pass, changing every image, until `count` are made.

    Args:
        images: uint8 (N, H, W, 3), or anything with len() and gather(positions) -> uint8 (B, H, W, 3).
        labels: int32 (N,).
        count: int >= 0, images to make.
        classes: labels to draw from; None means every class that has images: the `uniform` control arm.
        seeds_per_class: int >= 1; a class with fewer gives all it has.
        policy: Policy or ClassTargeted.
        seed: int in [0, 2^64). A class's pool does not depend on which others are listed.
    Returns:
        uint8 (count, H, W, 3); int32 (count,) labels; int64 (count,) positions of the sources in `images`: a copy
        belongs to its source's group and part.
    Raises:
        ValueError: a listed class without images, or a number out of range.
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
    """Return the int64 positions that extra images are made from, class by class; arguments as `materialise`."""
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
    """Return int64 (count,) positions and the pass that each belongs to."""
    passes = np.arange(count) // len(pool)
    orders = [draws.shuffled(seed, epoch=number, positions=pool) for number in range(-(-count // len(pool)))]
    return np.concatenate([*orders, np.empty(0, np.int64)])[:count], passes
