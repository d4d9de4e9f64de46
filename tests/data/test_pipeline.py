import concurrent.futures
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kfg.augment.crops import ResizedCrop
from kfg.augment.mixing import Mixup
from kfg.data import folder, pipeline
from kfg.errors import InputError
from kfg.locks import exclusive


def write_images(root, count=10, size=(12, 10)):
    """Write `count` PNGs in two classes, the i-th filled with level 10 i; return their Index."""
    for i in range(count):
        path = root / "ab"[i % 2] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * i % 256,) * 3).save(path)
    return folder.scan(root)


def test_resize_leaves_an_image_of_the_right_size_alone():
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pipeline.resize(image, (7, 5)), image)


def test_resize_averages_what_it_shrinks():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200  # without antialiasing the result is 0 or 200, whatever the phase
    inner = pipeline.resize(stripes, (8, 8)).numpy()[:, 1:-1]
    assert np.abs(inner.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("size", [(8, 8), (64, 50), (97, 31)])
def test_an_image_alone_is_resized_as_in_a_batch(size):
    image = np.random.default_rng(0).integers(0, 256, (64, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pipeline.resize(image, size), pipeline.resize(image[None], size)[0])


def test_images_come_decoded_in_order(tmp_path):
    index = write_images(tmp_path)
    images = pipeline.load(index, image_size=(6, 4))
    assert images.shape == (10, 6, 4, 3)
    levels = [int(path.split("/")[1][:3]) * 10 for path in index.paths]
    np.testing.assert_array_equal(images.gather(np.arange(10))[:, 0, 0, 0], levels)


def test_disk_holds_the_same_images_as_memory_and_is_made_once(tmp_path):
    index = write_images(tmp_path / "data")
    cache = tmp_path / "cache"
    in_memory = pipeline.load(index, image_size=(6, 4))
    on_disk = pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert isinstance(on_disk, pipeline.ImageFile)
    order = np.array([7, 0, 9, 9, 3])
    np.testing.assert_array_equal(on_disk.gather(order), in_memory.gather(order))
    (file,) = cache.glob("*.uint8")
    made = file.stat().st_mtime_ns
    pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert file.stat().st_mtime_ns == made


def test_the_cache_is_of_these_bytes_at_this_size(tmp_path):
    index = write_images(tmp_path / "data")
    cache = tmp_path / "cache"

    def files_after(index, image_size):
        pipeline.load(index, image_size=image_size, memory_budget=0, cache_dir=cache)
        return len(list(cache.glob("*.uint8")))

    assert files_after(index, (6, 4)) == 1
    assert files_after(index, (4, 6)) == 2
    Image.new("RGB", (12, 10), (255, 0, 0)).save(index.full_paths()[0])
    assert files_after(index, (6, 4)) == 3


def test_while_one_process_decodes_another_waits_and_then_reads(tmp_path):
    index = write_images(tmp_path / "data")
    cached = {"image_size": (6, 4), "memory_budget": 0, "cache_dir": tmp_path / "cache"}
    pipeline.load(index, **cached)
    (file,) = (tmp_path / "cache").glob("*.uint8")
    made = file.read_bytes()
    file.unlink()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with exclusive(file.with_suffix(".lock")):
            other = pool.submit(pipeline.load, index, **cached)
            with pytest.raises(concurrent.futures.TimeoutError):
                other.result(timeout=0.3)
            file.write_bytes(made[::-1])  # what the first process wrote, marked
        assert other.result(timeout=20).gather([0]).tobytes() == made[::-1][:72]


def test_what_cannot_be_cached_is_said(tmp_path):
    index = write_images(tmp_path / "data")
    with pytest.raises(InputError, match="cache_dir"):
        pipeline.load(index, image_size=(6, 4), memory_budget=0)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="file"):
        pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "file" / "cache")


def test_a_cache_cut_behind_our_back_is_named(tmp_path):
    index = write_images(tmp_path / "data")
    images = pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache")
    os.truncate(images.path, 9 * 72 + 30)
    assert images.gather([8]).shape == (1, 6, 4, 3)
    with pytest.raises(InputError, match=r"\.uint8: ends early; remove it"):
        images.gather([0, 9])
    assert len(pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache").gather([9])) == 1


def test_half_a_cache_of_a_killed_process_goes(tmp_path):
    index, cache = write_images(tmp_path / "data"), tmp_path / "cache"
    name = f"{pipeline._cache_key(index, (6, 4))}.uint8"
    left = [cache / f".{one}.12-0123abcd.partial" for one in (name, "other.uint8")]
    cache.mkdir()
    for path in left:
        path.touch()
    pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert (cache / name).is_file()
    assert [path.exists() for path in left] == [False, True]  # the other may be written on another machine


def test_a_corrupt_image_is_named_and_no_half_cache_stays(tmp_path):
    index = write_images(tmp_path / "data")
    bad = index.full_paths()[4]
    bad.write_bytes(bad.read_bytes()[:50])
    with pytest.raises(InputError, match=bad.name):
        pipeline.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_chosen_images_are_followed_by_the_extra_ones():
    store = pipeline.Images(np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8))
    extra = np.full((2, 2, 2, 3), 99, np.uint8)
    chosen = pipeline.Chosen(store, [4, 1], extra)
    assert len(chosen) == 4
    assert chosen.gather([3, 0, 1, 2])[:, 0, 0, 0].tolist() == [99, 4, 1, 99]
    assert chosen.gather(np.array([1, 0]))[:, 0, 0, 0].tolist() == [1, 4]


class AddPosition:
    """A policy whose effect tells epoch and position: level + 100 epoch + position."""

    def apply(self, images, labels, *, seed, epoch, positions):
        return images + (100 * epoch + positions).astype(np.uint8)[:, None, None, None]


def batches_of(first_epoch=0, epochs=2, seed=3, count=23, labels=None, **changes):
    images = pipeline.Images(np.zeros((count, 2, 2, 3), np.uint8))
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
    images = pipeline.Images(np.zeros((13, 2, 2, 3), np.uint8))
    batches = pipeline.evaluation_batches(images, np.arange(13), batch_size=5)
    assert int(batches.cardinality()) == 3
    assert batches.element_spec[0].shape == (None, 2, 2, 3) and batches.element_spec[1].dtype == tf.int32
    assert [y.numpy().tolist() for _, y in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12]]


def test_a_policy_may_make_images_of_another_size():
    store = pipeline.Images(np.zeros((5, 20, 20, 3), np.uint8))
    crop = ResizedCrop(image_size=(12, 16))
    batches = pipeline.training_batches(store, np.arange(5), batch_size=4, seed=0, policy=crop)
    assert [images.shape for images, _ in batches] == [(4, 12, 16, 3), (1, 12, 16, 3)]
    assert batches.element_spec[0].shape == (None, 12, 16, 3)
