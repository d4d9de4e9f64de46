"""Choose the images of an epoch so that rare classes are shown more often.

The images are not drawn independently: each class gets its share of the epoch to within one image, and all images of a
class are shown before one is shown again. So even an epoch of few images is balanced as well as possible, and it is a
pure function of (seed, epoch).
"""

import numpy as np

from kfg.augment import draws
from kfg.errors import InputError

# name -> function (images per class) -> share of each class in an epoch, up to a common factor
SHARES = {"balanced": lambda counts: (counts > 0).astype(float), "square-root": lambda counts: np.sqrt(counts)}
_CLASSES, _ORDER, _WITHIN = 4, 5, 6  # purpose numbers for derived seeds; kfg.augment.copies uses 1 to 3


def check_name(name: str) -> None:
    """Raise InputError unless `name` is a key of SHARES."""
    if name not in SHARES:
        raise InputError(f"sampling: {name!r} is not one of {', '.join(SHARES)}")


def epoch_keys(labels: np.ndarray, sampling: str, *, seed: int, epoch: int) -> np.ndarray:
    """Return keys for the N images of one epoch, in the order in which they are shown.

    Key k stands for image k % N, shown for the (k // N + 1)-th time in this epoch. No two keys of an epoch are equal,
    so an image that is shown twice can be augmented in two ways.

    Args:
        labels: int array (N,).
        sampling: "balanced": every class that has images is shown equally often; "square-root": as often as the
            square root of its number of images.
        seed: int in [0, 2^64).
        epoch: int >= 0.
    Returns:
        int64 (N,), keys >= 0.
    Raises:
        InputError: `sampling` is unknown.
    Source: Kang et al. 2020, arXiv:1910.09217, section 3 (which draws images independently).
    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1])
        >>> labels[epoch_keys(labels, "balanced", seed=0, epoch=0) % 8].tolist()
        [0, 0, 0, 1, 1, 1, 0, 1]
    """
    check_name(sampling)
    labels = np.asarray(labels)
    count = len(labels)
    shares = SHARES[sampling](np.bincount(labels))
    # systematic sampling: each class gets its expected number, rounded up or down by one random number for all
    start = draws.uniforms(draws.derived_seed(seed, _CLASSES), epoch=epoch, positions=np.zeros(1), count=1)[0, 0]
    edges = np.floor(np.cumsum(shares) / shares.sum() * count + start).astype(np.int64)
    edges[-1] = count  # a rounding error must not lose the last image
    wanted = np.diff(edges, prepend=0)
    chosen = [
        _from_class(np.flatnonzero(labels == label), wanted[label], count, seed, epoch)
        for label in np.flatnonzero(wanted)
    ]
    return draws.shuffled(draws.derived_seed(seed, _ORDER), epoch=epoch, positions=np.concatenate(chosen))


def _from_class(members, wanted, count, seed, epoch):
    """Return `wanted` keys of one class: whole passes over `members`, then some drawn for this epoch."""
    passes, rest = divmod(int(wanted), len(members))
    some = draws.shuffled(draws.derived_seed(seed, _WITHIN), epoch=epoch, positions=members)[:rest]
    return np.concatenate([*(members + count * number for number in range(passes)), some + count * passes])


def spread(labels, count: int) -> np.ndarray:
    """Return int64 positions of up to `count` images from as many classes as possible.

    The first image of each class comes first, then the second of each class, and so on.

    Example:
        >>> spread(np.array([0, 0, 0, 0, 1, 2, 2]), 4).tolist(), spread(np.arange(100), 3).tolist()
        ([0, 4, 5, 1], [0, 49, 99])
    """
    order = np.argsort(labels, kind="stable")
    _, first, classes = np.unique(labels[order], return_index=True, return_inverse=True)
    dealt = order[np.lexsort((classes, np.arange(len(order)) - first[classes]))]
    among = dealt[: max(count, len(first))]
    return among[np.linspace(0, len(among) - 1, min(count, len(among))).astype(np.int64)]
