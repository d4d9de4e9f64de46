"""Draws against Random123's vectors, TensorFlow's Philox, and the promise that they have no state."""

import numpy as np
import pytest

from kfg.augment import draws


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # kat_vectors of Random123: philox4x32 10
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_vectors(counter, key, expected):
    assert draws.philox(np.array(counter, np.uint64), key).tolist() == expected


def test_uniforms_are_tensorflows_philox_at_the_stated_counter():
    import tensorflow as tf

    seed, epoch, position, blocks = 0x0123456789ABCDEF, 41, (7 << 32) + 5, 3
    expected = [
        tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[4], key=[seed], counter=[position, block | epoch << 32], alg=1, dtype=tf.uint32
        ).numpy()
        for block in range(blocks)
    ]
    got = draws.uniforms(seed, epoch=epoch, positions=np.array([position]), count=4 * blocks)
    np.testing.assert_array_equal(got[0], (np.concatenate(expected) + 0.5) / 2**32)


def test_a_position_has_its_numbers_whoever_comes_with_it():
    positions = np.array([3, 1 << 40, 0, 17])
    whole = draws.uniforms(5, epoch=2, positions=positions, count=12)
    for row in range(len(positions)):
        np.testing.assert_array_equal(
            draws.uniforms(5, epoch=2, positions=positions[row : row + 1], count=5)[0], whole[row, :5]
        )
    others = [draws.uniforms(5, epoch=3, positions=positions, count=12)]
    others += [draws.uniforms(6, epoch=2, positions=positions, count=12)]
    others += [draws.uniforms(5 + (1 << 32), epoch=2, positions=positions, count=12)]
    for other in others:
        assert not np.isin(other, whole).any()


def test_uniforms_are_uniform_and_uncorrelated():
    values = draws.uniforms(0, epoch=0, positions=np.arange(20_000), count=12)
    assert values.min() > 0 and values.max() < 1
    np.testing.assert_allclose(values.mean(axis=0), 0.5, atol=5 * 12**-0.5 / 20_000**0.5)  # 5 standard errors
    correlation = np.corrcoef(values.T) - np.eye(12)
    assert np.abs(correlation).max() < 5 / 20_000**0.5


def test_shuffled_is_a_permutation_that_ignores_the_order_given():
    positions = np.arange(100, 400)
    order = draws.shuffled(1, epoch=0, positions=positions)
    assert sorted(order) == positions.tolist() and order.tolist() != positions.tolist()
    np.testing.assert_array_equal(draws.shuffled(1, epoch=0, positions=positions[::-1]), order)
    assert draws.shuffled(1, epoch=1, positions=positions).tolist() != order.tolist()
    kept = order[order < 200]  # leaving the others out leaves these in the same order
    np.testing.assert_array_equal(draws.shuffled(1, epoch=0, positions=np.arange(100, 200)), kept)


def test_derived_seeds_differ_by_purpose_and_seed():
    seeds = {draws.derived_seed(seed, purpose) for seed in range(50) for purpose in range(50)}
    assert len(seeds) == 2500 and all(0 <= seed < 1 << 64 for seed in seeds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, r"seed must be in \[0, 2\^64\), got -1"),
        ({"seed": 1 << 64}, "seed must be"),
        ({"epoch": -1}, r"epoch must be in \[0, 2\^32\), got -1"),
        ({"positions": np.array([4, -2])}, "positions must be >= 0, got -2"),
    ],
)
def test_numbers_out_of_range_are_named(change, message):
    arguments = {"seed": 0, "epoch": 0, "positions": np.array([0]), "count": 1, **change}
    with pytest.raises(ValueError, match=message):
        draws.uniforms(arguments.pop("seed"), **arguments)
