"""Which images an epoch shows when rare classes are to come more often.

Not independent draws: each class gets its share of the epoch to within one image, and shows all its images before
it shows one again. So an epoch of few images is as even as it can be, and is a pure function of (seed, epoch).
"""

import numpy as np

from kfg.augment import draws
from kfg.errors import InputError

# name -> a class's share of an epoch from its number of images, up to a factor
SHARES = {"balanced": lambda counts: (counts > 0).astype(float), "square-root": lambda counts: np.sqrt(counts)}
_CLASSES, _ORDER, _WITHIN = 4, 5, 6  # purposes of derived seeds; kfg.augment.copies has 1 to 3


def check_name(name: str) -> None:
    """Raise InputError unless `name` is a key of SHARES."""
    if name not in SHARES:
        raise InputError(f"sampling: {name!r} is none of {', '.join(SHARES)}")


def epoch_keys(labels: np.ndarray, sampling: str, *, seed: int, epoch: int) -> np.ndarray:
    """Return the N images of one epoch, in the order they are shown.

    Key k is image k % N, shown for the (k // N + 1)-th time in this epoch: no two keys of an epoch are equal, so an
    image that comes twice can be augmented in two ways.

    Args:
        labels: int array (N,).
        sampling: "balanced": every class that has images is shown equally often; "square-root": as often as the
            square root of its number of images.
        seed: int in [0, 2^64).
        epoch: int >= 0.
    Returns:
        int64 (N,), keys >= 0.
    Raises:
        InputError: an unknown name.
    Source: Kang et al. 2020, arXiv:1910.09217, section 3 (there independent draws).
    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1])
        >>> labels[epoch_keys(labels, "balanced", seed=0, epoch=0) % 8].tolist()
        [0, 0, 0, 1, 1, 1, 0, 1]
    """
    check_name(sampling)
    labels = np.asarray(labels)
    count = len(labels)
    shares = SHARES[sampling](np.bincount(labels))
    # systematic: each class gets its expected number rounded up or down, by one draw for all
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
    """Return `wanted` keys: whole passes over `members`, then some of them in an order of this epoch's."""
    passes, rest = divmod(int(wanted), len(members))
    some = draws.shuffled(draws.derived_seed(seed, _WITHIN), epoch=epoch, positions=members)[:rest]
    return np.concatenate([*(members + count * number for number in range(passes)), some + count * passes])
