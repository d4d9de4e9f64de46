"""Mean, deviation and mean image against numpy on everything at once; sizes from the headers."""

import numpy as np
import pytest
from PIL import Image

from kfg.data import folder, stats
from kfg.errors import InputError


class Store:
    def __init__(self, array):
        self.array, self.largest = array, 0

    def __len__(self):
        return len(self.array)

    def gather(self, positions):
        self.largest = max(self.largest, len(positions))
        return self.array[positions]


def images(count=150, side=11):
    rng = np.random.default_rng(0)
    level = rng.integers(0, 200, (count, 1, 1, 3))  # images differ in brightness, as photographs do
    return (level + rng.integers(0, 56, (count, side, side, 3))).astype(np.uint8)


def test_the_figures_are_those_of_numpy_over_all_images():
    store = Store(images())
    found, exact = stats.measure(store), store.array.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.std, exact.std(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(found.mean_of_image_stds, exact.std(axis=(1, 2)).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.mean_image, exact.mean(axis=0), rtol=1e-6)
    assert found.images == 150 and found.mean_image.shape == (11, 11, 3)


def test_what_the_retail_study_calls_std_is_smaller_than_the_data_sets():
    found = stats.measure(Store(images()))
    assert (found.mean_of_image_stds < 0.5 * found.std).all()


def test_only_the_positions_asked_for_count_and_few_are_in_hand():
    store = Store(images())
    found = stats.measure(store, [3, 7, 7], chunk=2)
    np.testing.assert_allclose(found.mean, store.array[[3, 7, 7]].mean(axis=(0, 1, 2)))
    assert store.largest == 2
    with pytest.raises(ValueError, match="no images"):
        stats.measure(store, [])


def written(root, sizes):
    for i, (size, turn) in enumerate(sizes):
        path = root / ("a" if i % 2 else "b") / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.new("RGB", size, (i, 2, 3)).save(path, exif=exif)
    return folder.scan(root)


def test_the_commonest_size_is_found_upright(tmp_path):
    index = written(tmp_path, [((30, 20), 1), ((30, 20), 1), ((20, 30), 6), ((20, 30), 1), ((31, 20), 1)])
    kept, size = stats.of_commonest_size(index)
    assert size == (30, 20)
    names = {index.paths[i] for i in range(len(index))} - {index.paths[i] for i in kept}
    assert names == {"a/3.jpg", "b/4.jpg"}  # number 2 is turned by its EXIF entry


def test_sizes_are_read_of_files_with_more_pixels_than_pillow_opens(tmp_path, monkeypatch):
    index = written(tmp_path, [((30, 20), 1)] * 2)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(index.full_paths()[0])
    assert stats.sizes(index) == [(30, 20)] * 2


def test_a_file_that_is_no_image_is_named(tmp_path):
    index = written(tmp_path, [((30, 20), 1)] * 4)
    (tmp_path / index.paths[2]).write_bytes(b"\xff\xd8\xff\xe0 not much")
    with pytest.raises(InputError, match=index.paths[2]):
        stats.of_commonest_size(index)


@pytest.mark.realdata
def test_fruit3_keeps_what_the_study_would(real_data):
    index = folder.scan(real_data / "fruit3")
    kept, size = stats.of_commonest_size(index)
    assert size == (300, 300) and len(index) - len(kept) == 53
