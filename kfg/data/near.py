"""Pairs of 64-bit hashes that differ in few bits: all of them, without comparing each hash with each other one.

The hashes are cut into BANDS pieces. Where two differ in at most d bits, one of their pieces differs in at most
d // BANDS bits, so whoever looks up every piece with up to so many bits flipped meets every pair: multi-index hashing.

Faiss has such an index, too, but returns all pairs of, say, the frames of a film, which need gigabytes; and it takes
several times as long (`python tools/bench.py near`).

Source: Norouzi, Punjani, Fleet 2012, "Fast search in Hamming space with multi-index hashing".
"""

import concurrent.futures
import dataclasses
import itertools
import os
from collections.abc import Iterator

import numpy as np

BANDS, WIDTH = 3, 21  # pieces, and bits of each; the 64th bit is in no piece, and still no pair is missed
BLOCK = 256  # hashes looked up at a time: what they are looked up by, 0.5 MB, stays in a processor's cache
CROWD = 1 << 15  # a hash that meets more than so many is compared with all: frames of one film are met three times


@dataclasses.dataclass(frozen=True, eq=False)
class _Band:
    """One piece of all hashes.

    Args:
        keys: int64 (N,), the piece of each hash.
        order: int64 (N,), positions of the hashes by key.
        hashes: uint64 (N,), the hashes in this order: those that are met with one key lie side by side.
        starts: int64 (2^WIDTH + 1,), where the positions of a key begin in `order`.
        filled: bool (2^WIDTH,), whether a key has any.
    """

    keys: np.ndarray
    order: np.ndarray
    hashes: np.ndarray
    starts: np.ndarray
    filled: np.ndarray


def pairs(hashes: np.ndarray, *, bits: int, most: int) -> Iterator[np.ndarray]:
    """Find the pairs that differ in at most `bits` bits.

    Args:
        hashes: uint64 (N,).
        bits: of 64; from 12 on, three bits are flipped in each piece, which takes seven times as long.
        most: earlier hashes that each hash is paired with, the nearest, of equally near ones the first.
    Yields:
        int64 (P, 3): earlier position, later position, differing bits; by later position and nearness; those of a
        block of hashes at a time.
    """
    flips, bands = _flips(bits // BANDS), [_band(hashes, number) for number in range(BANDS)]

    def block(start):
        crowded, met = _met(hashes, bands, flips, start, bits)
        with_all = [_with_all(hashes, row, bits, most) for row in crowded.tolist()]
        return _nearest(np.concatenate([met, *with_all]), most)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(block, range(0, len(hashes), BLOCK))


def _flips(most) -> np.ndarray:
    """Return every int64 below 2^WIDTH that has at most so many bits."""
    chosen = (places for count in range(most + 1) for places in itertools.combinations(range(WIDTH), count))
    return np.array([sum(1 << place for place in places) for places in chosen], dtype=np.int64)


def _band(hashes, number) -> _Band:
    keys = ((hashes >> np.uint64(WIDTH * number)) & np.uint64((1 << WIDTH) - 1)).astype(np.int64)
    counts = np.bincount(keys, minlength=1 << WIDTH)
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = np.argsort(keys, kind="stable")
    return _Band(keys, order, hashes[order], starts, counts > 0)


def _met(hashes, bands, flips, start, bits):
    """Return of a block the positions that meet too many, and the pairs of the others: (earlier, later, bits)."""
    stop = min(start + BLOCK, len(hashes))
    looked_up = [_look_up(band, flips, start, stop) for band in bands]
    meetings = sum(np.bincount(rows, weights=counts, minlength=stop - start) for rows, _, counts in looked_up)
    crowded = meetings > np.minimum(CROWD, np.arange(start, stop) // 8)  # there, comparing with all is less work
    found = [np.zeros((0, 3), dtype=np.int64)]
    for band, (rows, firsts, counts) in zip(bands, looked_up, strict=True):
        kept = ~crowded[rows]
        rows, firsts, counts = rows[kept], firsts[kept], counts[kept]
        found.append(_near_enough(hashes, band, start + np.repeat(rows, counts), _stretches(firsts, counts), bits))
    found = np.concatenate(found)
    once = np.unique(found[:, 0] * len(hashes) + found[:, 1], return_index=True)[1]  # met in one band, or in more
    return start + np.flatnonzero(crowded), found[once]


def _look_up(band, flips, start, stop):
    """Return of each key that the block's hashes have with flipped bits, and that is filled: row, first, count."""
    keys = (band.keys[start:stop, None] ^ flips).ravel()
    hit = np.flatnonzero(band.filled.take(keys))
    keys = keys[hit]
    firsts = band.starts[keys]
    return hit // len(flips), firsts, band.starts[keys + 1] - firsts


def _stretches(firsts, counts) -> np.ndarray:
    """Return the numbers of stretches, one after the other.

    Example:
        >>> _stretches(np.array([5, 0]), np.array([3, 2])).tolist()
        [5, 6, 7, 0, 1]
    """
    return np.arange(counts.sum()) + np.repeat(firsts - np.cumsum(counts) + counts, counts)


def _near_enough(hashes, band, later, at, bits) -> np.ndarray:
    """Return (earlier, later, bits) of the pairs that are near, and in this order; `at` are places in the band."""
    distances = np.bitwise_count(hashes[later] ^ band.hashes[at])
    near = np.flatnonzero(distances <= bits)
    earlier, later, distances = band.order[at[near]], later[near], distances[near].astype(np.int64)
    found = np.stack([earlier, later, distances], axis=1)
    return found[earlier < later]


def _with_all(hashes, row, bits, most) -> np.ndarray:
    """Return (earlier, later, bits) of the nearest earlier hashes, by comparing with every one."""
    distances = np.bitwise_count(hashes[:row] ^ hashes[row])
    near = np.flatnonzero(distances <= bits)
    near = near[np.argsort(distances[near], kind="stable")[:most]]
    return np.stack([near, np.full(len(near), row), distances[near].astype(np.int64)], axis=1)


def _nearest(found, most) -> np.ndarray:
    """Return the first `most` pairs of each later position, the nearest first."""
    found = found[np.lexsort((found[:, 0], found[:, 2], found[:, 1]))]
    begins = np.flatnonzero(np.diff(found[:, 1], prepend=-1))
    rank = np.arange(len(found)) - np.repeat(begins, np.diff(begins, append=len(found)))
    return found[rank < most]
