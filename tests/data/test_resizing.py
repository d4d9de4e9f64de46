import numpy as np
import pytest

from kfg.data import decode_in_graph, resizing


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_an_image_of_the_right_size_is_left_alone():
    image = noise(7, 5)
    np.testing.assert_array_equal(resizing.resize(image, (7, 5)), image)


def test_what_shrinks_is_averaged():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200  # without antialiasing the result is 0 or 200, whatever the phase
    inner = resizing.resize(stripes, (8, 8))[:, 1:-1]
    assert np.abs(inner.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("before", [(1, 1), (1, 40), (3, 500), (64, 50), (333, 500), (601, 97), (1024, 768)])
@pytest.mark.parametrize("after", [(8, 8), (64, 50), (97, 31), (68, 45), (1, 3), (256, 256), (300, 224)])
def test_arrays_get_the_pixels_that_the_graph_of_an_export_gets(before, after):
    image = noise(*before)
    np.testing.assert_array_equal(resizing.resize(image, after), decode_in_graph.resize(image, after))


def test_halves_are_rounded_as_the_graph_rounds_them():
    image = noise(64, 64) // 64 * 2  # halved in size, many a mean ends in exactly .5
    halved = resizing.resize(image, (32, 32))
    np.testing.assert_array_equal(halved, decode_in_graph.resize(image, (32, 32)))


def test_an_image_of_several_blocks_is_resized_as_one(monkeypatch):
    image = noise(90, 200)
    whole = resizing.resize(image, (30, 40))
    monkeypatch.setattr(resizing, "BLOCK", 90 * 7)
    np.testing.assert_array_equal(resizing.resize(image, (30, 40)), whole)


def test_the_graph_resizes_a_batch_as_each_image_alone():
    images = np.stack([noise(64, 50, seed=0), noise(64, 50, seed=1)])
    np.testing.assert_array_equal(
        decode_in_graph.resize(images, (97, 31)), [resizing.resize(image, (97, 31)) for image in images]
    )
