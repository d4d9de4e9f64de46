"""Pairs of near hashes: the same ones that a comparison of each with each finds, whatever way they are met."""

import collections
import tracemalloc

import numpy as np
import pytest

from kfg.data import fingerprints, near


def by_comparing_all(hashes, bits, most):
    """Each hash with every earlier one, as (earlier, later, bits); the nearest, of equally near ones the first."""
    found = []
    for later in range(len(hashes)):
        distances = np.bitwise_count(hashes[:later] ^ hashes[later])
        earlier = np.flatnonzero(distances <= bits)
        nearest = earlier[np.argsort(distances[earlier], kind="stable")[:most]]
        found += [(one, later, distances[one]) for one in nearest.tolist()]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def by_lookup(hashes, bits=8, most=32):
    return np.concatenate([np.zeros((0, 3), np.int64), *near.pairs(hashes, bits=bits, most=most)])


def flipped(hashes, counts, rng):
    """Flip so many bits of each hash, each one once."""
    places = np.argsort(rng.random((len(hashes), 64)), axis=1)
    chosen = np.where(np.arange(64) < np.array(counts)[:, None], np.uint64(1) << places.astype(np.uint64), np.uint64(0))
    return hashes ^ np.bitwise_xor.reduce(chosen, axis=1)


def planted(count, rng):
    """Random hashes, and a tenth as many again that differ from one of them in 0 to 12 bits; anywhere among them."""
    hashes = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    counts = np.arange(count // 10) % 13
    return rng.permutation(np.concatenate([hashes, flipped(hashes[: count // 10], counts, rng)])), counts


@pytest.mark.parametrize("count", [10, 255, 256, 257, 8000])
def test_planted_pairs_are_met_as_by_comparing_all(count):
    hashes, counts = planted(count, np.random.default_rng(count))
    found = by_lookup(hashes)
    assert found.tolist() == by_comparing_all(hashes, 8, 32).tolist()
    assert len(found) == (counts <= 8).sum()  # 64 random bits meet by chance once in 4 thousand million pairs


def test_every_way_to_lie_in_the_pieces_is_met():
    """Eight bits apart, in any shares over the pieces and the bit that is in none; the hardest is 3 + 3 + 2."""
    rng, base = np.random.default_rng(0), np.uint64(0x123456789ABCDEF0)
    others = []
    for first in range(9):
        for second in range(9 - first):
            for last in range(2):
                third = 8 - last - first - second
                if third < 0:
                    continue
                places = [63] * last
                for piece, many in enumerate((first, second, third)):
                    places += (21 * piece + rng.permutation(21)[:many]).tolist()
                others.append(base ^ np.uint64(sum(1 << place for place in places)))
    far = rng.integers(0, 1 << 64, 2000, dtype=np.uint64)  # so that no hash is compared with all
    found = by_lookup(np.concatenate([far, [base], others]))
    assert {tuple(row) for row in found.tolist()} >= {
        (2000, 2001 + i, int(np.bitwise_count(base ^ one))) for i, one in enumerate(others)
    }


@pytest.mark.parametrize("crowd", [near.CROWD, 0, 100])
@pytest.mark.parametrize("most", [1, 5, 32])
def test_frames_of_a_film_keep_their_nearest(crowd, most, monkeypatch):
    monkeypatch.setattr(near, "CROWD", crowd)
    rng = np.random.default_rng(3)
    film = flipped(np.full(60, 0xABCDEF, np.uint64), rng.integers(0, 7, 60), rng)
    hashes = np.concatenate([planted(1500, rng)[0], film, planted(1500, rng)[0]])
    found = by_lookup(hashes, most=most)
    assert found.tolist() == by_comparing_all(hashes, 8, most).tolist()
    assert max(collections.Counter(found[:, 1].tolist()).values()) == most


@pytest.mark.parametrize("bits", [0, 2, 3, 5, 8])
def test_any_distance_up_to_eight(bits):
    hashes, _ = planted(3000, np.random.default_rng(9))
    assert by_lookup(hashes, bits).tolist() == by_comparing_all(hashes, bits, 32).tolist()


def test_no_hash_and_one_hash_have_no_pair():
    assert by_lookup(np.zeros(0, np.uint64)).shape == (0, 3)
    assert by_lookup(np.zeros(1, np.uint64)).shape == (0, 3)


def test_equal_hashes_cost_no_memory_for_each_pair():
    hashes = np.zeros(6000, np.uint64)  # 18 million pairs, which as rows of three numbers would be 432 MB
    tracemalloc.start()
    found = by_lookup(hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == sum(min(i, 32) for i in range(6000)) and peak < 200e6


def test_groups_of_planted_photographs_are_those_of_comparing_all(monkeypatch):
    rng = np.random.default_rng(4)
    hashes, _ = planted(4000, rng)
    thumb = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    prints = [
        fingerprints.Fingerprint(str(i), sha256=str(i), phash=one, thumb=thumb) for i, one in enumerate(hashes.tolist())
    ]
    groups = fingerprints.group(prints, range(len(prints)))
    monkeypatch.setattr(near, "pairs", lambda hashes, *, bits, most: [by_comparing_all(hashes, bits, most)])
    assert groups.tolist() == fingerprints.group(prints, range(len(prints))).tolist()
    assert len(set(groups.tolist())) == 4400 - sum(i % 13 <= 8 for i in range(400))


def alike(hashes):
    """Fingerprints of files with different bytes and one thumbnail."""
    thumb = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return [fingerprints.Fingerprint(str(i), sha256=str(i), phash=one, thumb=thumb) for i, one in enumerate(hashes)]


def grouped_plainly(hashes, known, pairs):
    """Groups in the way that the docstring of `group` says, with each pair of sets compared anew."""
    sets = [{k for k, other in enumerate(known) if other == one} for one in known]
    for i, j, _ in pairs.tolist():
        if max((hashes[a] ^ hashes[b]).bit_count() for a in sets[i] for b in sets[j]) <= fingerprints.GROUP_BITS:
            joined = sets[i] | sets[j]
            sets = [joined if joined & one else one for one in sets]
    return [min(one) for one in sets]


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_grow_and_are_refused_are_those_of_comparing_all(seed):
    rng = np.random.default_rng(seed)
    hashes = flipped(np.zeros(120, np.uint64), rng.integers(0, 9, 120), rng).tolist()
    prints, known = alike(hashes), rng.integers(0, 100, 120).tolist()
    pairs = fingerprints.near_pairs(prints)
    found = fingerprints.group(prints, known).tolist()
    assert found == grouped_plainly(hashes, known, pairs)
    assert 1 < len(set(found)) < len(set(known)) and len(pairs) > 500


def test_two_sets_that_may_not_be_joined_are_compared_once_and_in_blocks(monkeypatch):
    half = 1000
    hashes = [0] * half + [0xFF] * (half - 1) + [0xFFFF]  # two sets that are near, but for the last image
    pairs = np.array([(i, half + i, 8) for i in range(half - 1)])
    compared, count_bits = [], np.bitwise_count
    monkeypatch.setattr(np, "bitwise_count", lambda bits: compared.append(bits.size) or count_bits(bits))
    groups = fingerprints.group(alike(hashes), [0] * half + [1] * half, pairs=pairs)
    assert groups.tolist() == [0] * half + [half] * half
    assert sum(compared) <= half * half and max(compared) <= fingerprints.HASH_PAIRS
    assert len(compared) == 1  # an excess in the first block ends the comparison
