"""`kfg.split` on Parts: what is added together can be divided, and images are read in blocks on all cores."""

import threading

import numpy as np

import kfg
from kfg.data import fingerprints, loading
from kfg.data.stores import Images

CLASSES = ("cat", "dog")


def noise(count, *, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return kfg.Part(images, np.arange(count) % 2, classes=CLASSES)


def test_parts_that_were_added_together_can_be_divided():
    both = noise(30) + noise(30, seed=1)
    assert len(set(both.paths)) == 30  # both parts have the paths 0 to 29
    parts = kfg.split(both, val=0.2, test=0.3)
    paths = sorted(path for part in parts for path in part.paths)
    assert paths == sorted([str(i) for i in range(30)] + [f"{i} (2)" for i in range(30)])
    for part in parts:
        for path, image in zip(part.paths, part.images, strict=True):
            number, second = int(path.split()[0]), path.endswith("(2)")
            np.testing.assert_array_equal(image, both.images[number + 30 * second])


def test_what_was_divided_can_be_added_to_and_divided_again():
    parts = kfg.split(noise(30) + noise(30, seed=1), val=0.2, test=0.3)
    again = kfg.split(parts.train + noise(30, seed=2), val=0.2, test=0.3)
    assert len({path for part in again for path in part.paths}) == len(parts.train) + 30


def test_images_are_read_in_blocks_and_fingerprinted_beside_each_other(monkeypatch):
    sizes = []

    class Counting(Images):
        def gather(self, positions):
            sizes.append(len(positions))
            return super().gather(positions)

    part, together = noise(loading.BLOCK + 10), threading.Barrier(2)
    wanted = [fingerprints.of_pixels(image, str(i)) for i, image in enumerate(part.images)]

    def met(pixels, name, *, of_pixels=fingerprints.of_pixels):
        if int(name) < 2:  # the first two images are at work at the same time
            together.wait(timeout=60)
        return of_pixels(pixels, name)

    monkeypatch.setattr(loading.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(fingerprints, "of_pixels", met)
    found = loading._prints(Counting(part.images), part.paths)
    assert sizes == [loading.BLOCK, 10]
    assert [(one.path, one.sha256, one.phash) for one in found] == [(one.path, one.sha256, one.phash) for one in wanted]


def test_group_numbers_added_to_an_empty_part_keep_their_origin():
    part = noise(10)
    sum_of_none = kfg.Part(part.images[:0], [], classes=CLASSES) + part
    assert len(set((sum_of_none + part[:4]).groups)) == 10  # the same photographs
    own = kfg.Part(part.images[:0], [], classes=CLASSES, origin="own") + part
    other = kfg.Part(part.images, part.labels, classes=CLASSES, groups=part.groups, origin="own")
    assert len(set((own + other).groups)) == 20  # equal numbers of another origin
