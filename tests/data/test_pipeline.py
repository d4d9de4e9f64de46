"""The batches that nets are trained and judged on."""

import time

import numpy as np
import pytest
import tensorflow as tf

from kfg.augment.crops import ResizedCrop
from kfg.augment.mixing import Mixup
from kfg.data import pipeline, stores
from kfg.errors import InputError


class AddPosition:
    """A policy whose effect tells epoch and position: level + 100 epoch + position."""

    def apply(self, images, labels, *, seed, epoch, positions):
        return images + (100 * epoch + positions).astype(np.uint8)[:, None, None, None]


def batches_of(first_epoch=0, epochs=2, seed=3, count=23, labels=None, **changes):
    images = stores.Images(np.zeros((count, 2, 2, 3), np.uint8))
    labels = np.arange(count) if labels is None else labels
    batches = pipeline.training_batches(
        images, labels, batch_size=5, seed=seed, first_epoch=first_epoch, epochs=epochs, **changes
    )
    return [(x.numpy(), y.numpy()) for x, y in batches]


def test_an_epoch_is_every_image_once_in_an_order_of_its_own():
    labels = [y.tolist() for _, y in batches_of()]
    first, second = flat(labels[:5]), flat(labels[5:])
    assert [len(batch) for batch in labels] == [5, 5, 5, 5, 3] * 2
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second and first != list(range(23))
    assert flat(y.tolist() for _, y in batches_of(seed=4)) != first + second


def flat(lists):
    return [item for one in lists for item in one]


def test_later_epochs_are_the_same_when_earlier_ones_are_not_made():
    whole, late = batches_of(policy=AddPosition()), batches_of(first_epoch=1, policy=AddPosition())
    for (x, y), (late_x, late_y) in zip(whole[5:], late, strict=True):
        np.testing.assert_array_equal(y, late_y)
        np.testing.assert_array_equal(x, late_x)


def test_the_policy_sees_epoch_and_position():
    for number, (x, y) in enumerate(batches_of(policy=AddPosition())):
        np.testing.assert_array_equal(x[:, 0, 0, 0], 100 * (number // 5) + y)


def test_a_pass_counts_only_when_its_last_batch_has_been_asked_for():
    images = stores.Images(np.zeros((20, 2, 2, 3), np.uint8))
    batches = pipeline.training_batches(
        images, np.arange(20), batch_size=5, seed=3, first_epoch=0, epochs=None, policy=AddPosition()
    )
    batches = batches.map(lambda x, y: (x[:, 0, 0, 0], y))  # a step of the user's own
    assert len(batches) == 4
    for taken, epoch in ((3, 0), (1, 0), (4, 0), (2, 1), (4, 1), (0, 2), (4, 2)):
        some = iter(batches)
        levels = [next(some) for _ in range(taken)]
        if taken in (2, 3):
            time.sleep(0.2)  # a prefetch would take the other batches meanwhile
        assert all((x.numpy() == 100 * epoch + y.numpy()).all() for x, y in levels)


RARE = np.repeat([0, 1, 2], [18, 4, 1])


def test_balanced_sampling_shows_each_class_alike_and_later_epochs_do_not_need_earlier_ones():
    whole = batches_of(labels=RARE, sampling="balanced", policy=AddPosition())
    assert [len(y) for _, y in whole] == [5, 5, 5, 5, 3] * 2
    counts = np.bincount(flat(y.tolist() for _, y in whole))
    assert counts.max() - counts.min() <= 2 and len(counts) == 3
    late = batches_of(first_epoch=1, labels=RARE, sampling="balanced", policy=AddPosition())
    for (x, y), (late_x, late_y) in zip(whole[5:], late, strict=True):
        np.testing.assert_array_equal(y, late_y)
        np.testing.assert_array_equal(x, late_x)


def test_an_image_shown_twice_in_an_epoch_is_augmented_in_two_ways():
    first = batches_of(epochs=1, labels=RARE, sampling="balanced", policy=AddPosition())
    levels = flat(x[y == 2, 0, 0, 0].tolist() for x, y in first)  # the only image of class 2, at position 22
    assert len(levels) > 5 and len(set(levels)) == len(levels)
    assert {level % 23 for level in levels if level < 230} == {22}


def test_mixing_makes_soft_labels_of_the_images_that_are_shown():
    plain, mixed = batches_of(), batches_of(mixing=Mixup(alpha=1.0), num_classes=30)
    for (_, y), (images, soft) in zip(plain, mixed, strict=True):
        assert soft.dtype == np.float32 and soft.shape == (len(y), 30) and images.dtype == np.uint8
        np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
        assert ((soft > 0).sum(axis=1) <= 2).all()
        assert (soft[np.arange(len(y)), y] > 0).all()


def test_an_unknown_sampling_is_named_before_anything_is_read():
    with pytest.raises(InputError, match="sampling: 'rare'"):
        pipeline.training_batches(None, [0], batch_size=1, seed=0, sampling="rare")


def test_evaluation_sees_every_image_once_in_order():
    images = stores.Images(np.zeros((13, 2, 2, 3), np.uint8))
    batches = pipeline.evaluation_batches(images, np.arange(13), batch_size=5)
    assert int(batches.cardinality()) == 3
    assert batches.element_spec[0].shape == (None, 2, 2, 3) and batches.element_spec[1].dtype == tf.int32
    assert [y.numpy().tolist() for _, y in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12]]


def test_a_policy_may_make_images_of_another_size():
    store = stores.Images(np.zeros((5, 20, 20, 3), np.uint8))
    crop = ResizedCrop(image_size=(12, 16))
    batches = pipeline.training_batches(store, np.arange(5), batch_size=4, seed=0, policy=crop)
    assert [images.shape for images, _ in batches] == [(4, 12, 16, 3), (1, 12, 16, 3)]
    assert batches.element_spec[0].shape == (None, 12, 16, 3)
