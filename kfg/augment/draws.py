"""Random numbers that are a function of (seed, epoch, position) and of nothing else.

Philox4x32-10 is a block cipher run in counter mode: it has no state, so it is safe in threads, and the numbers of an
image do not depend on the other images of its batch. It is written here in numpy because one call then serves a whole
batch (2 us per image); `numpy.random.Philox` needs a generator object per image.
"""

import numpy as np

_WORD = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85  # added to the two key words after every round
_ROUNDS = 10
_DERIVED = 0xFFFFFFFF  # counter word 2 in derived_seed; uniforms counts its blocks there, from 0


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Return the output of Philox4x32-10 for each counter.

    Args:
        counter: unsigned int array (..., 4), 32-bit words, the least significant first.
        key: two 32-bit words, the least significant first.
    Returns:
        uint64 array (..., 4) of 32-bit words.
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; test vectors of Random123.
    Example:
        >>> [hex(word) for word in philox(np.zeros(4, np.uint64), (0, 0))]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    k0, k1 = key
    for _ in range(_ROUNDS):
        low, high = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2  # 32 x 32 bits fit in 64
        c0 = (high >> _HALF) ^ c1 ^ np.uint64(k0)
        c2 = (low >> _HALF) ^ c3 ^ np.uint64(k1)
        c1, c3 = high & _WORD, low & _WORD
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def uniforms(seed: int, *, epoch: int, positions: np.ndarray, count: int) -> np.ndarray:
    """Return `count` numbers per position, uniform in (0, 1).

    Number j of a position does not depend on `count` or on the other positions.

    Args:
        seed: int in [0, 2^64), the key.
        epoch: int in [0, 2^32).
        positions: int64 array (B,), >= 0.
        count: int, numbers per position.
    Returns:
        float64 array (B, count), multiples of 2^-32 plus 2^-33.
    Raises:
        ValueError: a seed, epoch or position is out of range.
    Example:
        >>> uniforms(7, epoch=0, positions=np.array([5, 6]), count=2).round(3).tolist()
        [[0.339, 0.336], [0.803, 0.468]]
    """
    return (_words(seed, epoch, positions, count) + 0.5) * 2.0**-32


def shuffled(seed: int, *, epoch: int, positions: np.ndarray) -> np.ndarray:
    """Return the int64 positions in random order; the order of any two does not depend on the other positions.

    Args:
        seed, epoch, positions: as in `uniforms`.
    Example:
        >>> shuffled(1, epoch=0, positions=np.arange(5)).tolist()
        [2, 4, 1, 3, 0]
        >>> shuffled(1, epoch=0, positions=np.array([1, 2, 3])).tolist()
        [2, 1, 3]
    """
    words = _words(seed, epoch, positions, 2)
    positions = np.asarray(positions, dtype=np.int64)
    return positions[np.lexsort((positions, words[:, 1], words[:, 0]))]


def derived_seed(seed: int, purpose: int) -> int:
    """Return a new seed made from the user's seed, so that another use of it gets independent random numbers.

    Args:
        seed: int in [0, 2^64).
        purpose: int in [0, 2^32), a fixed number for each use; different numbers give unrelated seeds.
    """
    low, high, _, _ = philox(np.array([purpose, 0, _DERIVED, 0], np.uint64), _key(seed))
    return int(low) | int(high) << 32


def _key(seed):
    seed = int(seed)
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be in [0, 2^64), got {seed}")
    return seed & 0xFFFFFFFF, seed >> 32


def _words(seed, epoch, positions, count):
    """Return random 32-bit words as uint64 (B, count); the counter is (position low, position high, block, epoch)."""
    positions = np.asarray(positions, dtype=np.int64)
    if not 0 <= int(epoch) < 1 << 32:
        raise ValueError(f"epoch must be in [0, 2^32), got {epoch}")
    if positions.size and positions.min() < 0:
        raise ValueError(f"positions must be >= 0, got {positions.min()}")
    blocks = -(-count // 4)
    counter = np.empty((len(positions), blocks, 4), dtype=np.uint64)
    wide = positions.astype(np.uint64)[:, None]
    counter[..., 0], counter[..., 1] = wide & _WORD, wide >> _HALF
    counter[..., 2] = np.arange(blocks, dtype=np.uint64)
    counter[..., 3] = int(epoch)
    return philox(counter, _key(seed)).reshape(len(positions), 4 * blocks)[:, :count]
