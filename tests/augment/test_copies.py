"""Extra images: who they are made from, how often, and that a seed settles it."""

import numpy as np
import pytest

from kfg.augment.copies import materialise, seed_pool
from kfg.augment.policies import ClassTargeted, Policy

COUNTS = {0: 150, 1: 40, 2: 300, 3: 120}
TURN = Policy(rotation=45, zoom=0.1, fill_mode="reflect")


def data():
    labels = np.repeat(list(COUNTS), list(COUNTS.values())).astype(np.int32)
    np.random.default_rng(0).shuffle(labels)
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 9, 12, 3), dtype=np.uint8)
    return images, labels


class Store:
    """As a cache on disk: len() and gather()."""

    def __init__(self, images):
        self.images, self.asked = images, []

    def __len__(self):
        return len(self.images)

    def gather(self, positions):
        self.asked.append(len(positions))
        return self.images[positions]


def test_the_study_draws_a_hundred_of_each_class_and_passes_over_them():
    images, labels = data()
    extra, extra_labels, sources = materialise(
        images, labels, count=500, classes=[0, 1, 2], seeds_per_class=100, policy=TURN, seed=0
    )
    assert extra.shape == (500, 9, 12, 3) and extra.dtype == np.uint8 and extra_labels.dtype == np.int32
    np.testing.assert_array_equal(extra_labels, labels[sources])
    pool, times = np.unique(sources, return_counts=True)
    assert np.bincount(labels[pool]).tolist() == [100, 40, 100]  # class 1 has only 40
    assert set(times) == {2, 3}  # 500 over a pool of 240: two passes and 20 of a third
    for start in (0, 240):
        assert sorted(sources[start : start + 240]) == pool.tolist()
    assert sources[:240].tolist() != sources[240:480].tolist()


def test_copies_are_the_changed_sources_and_no_two_passes_change_alike():
    images, labels = data()
    make = {"count": 90, "classes": [1], "seeds_per_class": 40, "seed": 5}
    plain, _, sources = materialise(images, labels, policy=Policy(), **make)
    np.testing.assert_array_equal(plain, images[sources])
    turned, _, again = materialise(images, labels, policy=TURN, **make)
    np.testing.assert_array_equal(sources, again)
    assert len(np.unique(turned.reshape(90, -1), axis=0)) == 90
    online = TURN.apply(images[sources[:40]], labels[sources[:40]], seed=5, epoch=0, positions=sources[:40])
    assert not (online == turned[:40]).all(axis=(1, 2, 3)).any()  # not what training shows of the source anyway


def test_a_seed_settles_everything_and_the_kind_of_store_nothing():
    images, labels = data()
    make = {"count": 700, "classes": None, "seeds_per_class": 400, "policy": TURN}
    first, store = materialise(images, labels, seed=1, **make), Store(images)
    for got, expected in zip(materialise(store, labels, seed=1, **make), first, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert max(store.asked) <= 256  # a store larger than memory is not asked for it all
    assert not np.array_equal(materialise(images, labels, seed=2, **make)[2], first[2])


def test_the_uniform_arm_draws_over_all_classes():
    images, labels = data()
    _, extra_labels, sources = materialise(
        images, labels, count=200, classes=None, seeds_per_class=40, policy=TURN, seed=0
    )
    assert len(set(sources[:160])) == 160
    assert np.bincount(extra_labels[:160]).tolist() == [40, 40, 40, 40]
    assert np.bincount(extra_labels, minlength=4).min() > 40


def test_a_class_has_the_same_pool_whichever_others_are_listed():
    _, labels = data()
    draw = {"seeds_per_class": 30, "seed": 3}
    alone = seed_pool(labels, classes=[2], **draw)
    np.testing.assert_array_equal(seed_pool(labels, classes=[0, 2], **draw)[30:], alone)
    assert len(set(alone)) == 30 and (labels[alone] == 2).all()
    assert set(seed_pool(labels, classes=[2], seeds_per_class=30, seed=4)) != set(alone)


def test_labels_reach_the_policy():
    images, labels = data()
    policy = ClassTargeted(default=Policy(), by_class={2: TURN})
    extra, extra_labels, sources = materialise(
        images, labels, count=60, classes=[0, 2], seeds_per_class=30, policy=policy, seed=0
    )
    same = (extra == images[sources]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, extra_labels == 0)


def test_none_asked_for_is_none_made():
    images, labels = data()
    extra, extra_labels, sources = materialise(
        images, labels, count=0, classes=[0], seeds_per_class=9, policy=TURN, seed=0
    )
    assert extra.shape == (0, 9, 12, 3) and len(extra_labels) == len(sources) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": [0, 7]}, "class 7 has no images"),
        ({"classes": []}, "no class to draw from"),
        ({"count": -1}, "count must be >= 0 .* got -1"),
        ({"seeds_per_class": 0}, "seeds_per_class >= 1, got .* 0"),
        ({"labels": np.zeros(3, np.int32)}, "labels must be as many as the 610 images, got 3"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    images, labels = data()
    make = {"labels": labels, "count": 5, "classes": [0], "seeds_per_class": 5, "policy": TURN, "seed": 0, **change}
    with pytest.raises(ValueError, match=message):
        materialise(images, make.pop("labels"), **make)
