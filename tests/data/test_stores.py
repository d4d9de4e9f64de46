"""Stores of images: their dtype, what their hash follows, and the memory they share."""

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from kfg.augment.eightfold import Repeated
from kfg.data import audit, decoded, folder, pipeline, stores
from kfg.data.stores import Budget, Chosen, Images
from kfg.engine.photographs import Data
from kfg.errors import InputError
from kfg.files import sweep
from kfg.locks import exclusive
from kfg.training.features import pixels_hash

FLOATS = np.array([[-1.2, 255.5], [0.25, 3.0], [7.5, -8.0]], dtype=np.float32)


@pytest.fixture
def index(tmp_path):
    """Return an index of ten photographs of noise with their digests."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(5):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
                tmp_path / "photos" / name / f"{i}.png"
            )
    return audit.duplicate_groups(folder.scan(tmp_path / "photos"))


def test_chosen_records_keep_the_dtype_of_their_store_through_to_the_batches():
    chosen = Chosen(Images(FLOATS), [2, 0])
    assert chosen.dtype == np.float32
    ((batch, _),) = pipeline.evaluation_batches(chosen, [0, 1], batch_size=2)
    np.testing.assert_array_equal(batch, FLOATS[[2, 0]])
    more = Chosen(Images(FLOATS), [1], FLOATS[:1] * 2)
    np.testing.assert_array_equal(more.gather([1, 0]), np.float32([[-2.4, 511.0], [0.25, 3.0]]))


def test_repeated_records_keep_the_dtype_too():
    repeated = Repeated(Chosen(Images(FLOATS), [1]))
    ((batch, _),) = pipeline.evaluation_batches(repeated, [0] * 8, batch_size=8)
    np.testing.assert_array_equal(batch, FLOATS[[1] * 8])


def test_a_file_keeps_the_dtype_of_what_was_moved_into_it(tmp_path):
    store = Images(FLOATS.copy())
    store.move_to(tmp_path / "a.float32")
    assert store.array is None and store.dtype == np.float32
    np.testing.assert_array_equal(store.gather([2, 0]), FLOATS[[2, 0]])


def test_a_store_is_moved_to_its_file_under_the_lock_of_that_file(tmp_path):
    path = tmp_path / "a.float32"
    store = Images(FLOATS.copy())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with exclusive(path.with_suffix(".lock")):
            moving = pool.submit(store.move_to, path)
            with pytest.raises(concurrent.futures.TimeoutError):
                moving.result(timeout=0.3)
            sweep(tmp_path, path.name, idle=0)  # what the holder of the lock may do
            assert not path.exists() and store.array is not None
            path.write_bytes(FLOATS[::-1].tobytes())  # what another process wrote meanwhile, marked
        moving.result(timeout=20)
    np.testing.assert_array_equal(store.gather([0]), FLOATS[[2]])


@pytest.mark.parametrize(
    "extra",
    [
        np.full((1, 2, 2, 3), -1.2),
        np.zeros((1, 2, 2, 3), np.int8),
        np.zeros((1, 3, 2, 3), np.uint8),
    ],
)
def test_extra_images_that_would_be_converted_are_refused(extra):
    pixels = Images(np.zeros((4, 2, 2, 3), np.uint8))
    with pytest.raises(InputError, match=rf"extra: expected images of uint8.*got {extra.dtype}"):
        Chosen(pixels, [0], extra)


def test_the_hash_follows_pixels_that_change_in_place():
    pixels = np.zeros((70, 2, 2, 3), np.uint8)
    store = Images(pixels)
    before, of_some = pixels_hash(store), pixels_hash(Chosen(store, [69]))
    pixels[69, 1, 1, 2] = 1
    assert pixels_hash(store) != before
    assert pixels_hash(Chosen(store, [69])) != of_some


def test_loaded_images_are_named_by_their_files_and_not_read_again(index, tmp_path, monkeypatch):
    in_memory = decoded.load(index, image_size=(6, 4), cache_dir=tmp_path / "cache")
    on_disk = decoded.load(index, image_size=(6, 4), cache_dir=tmp_path / "cache", memory_budget=0)
    with pytest.raises(ValueError, match="read-only"):
        in_memory.array[0] = 0
    for kind in (stores.Images, stores.ImageFile):
        monkeypatch.setattr(kind, "gather", lambda *_: pytest.fail("pixels were read"))
    assert pixels_hash(in_memory) == pixels_hash(on_disk)
    other_size = decoded.load(index, image_size=(4, 6), cache_dir=tmp_path / "cache")
    parts = [Chosen(in_memory, [0, 1]), Chosen(in_memory, [1, 0]), Chosen(in_memory, [0], in_memory.array[1:2])]
    assert len({pixels_hash(one) for one in (in_memory, other_size, *parts)}) == 5


def test_images_of_several_sizes_share_one_budget_and_are_the_same_images(index, tmp_path):
    sizes = [(20, 20), (16, 16), (24, 24), (40, 40)]
    bytes_of = {size: 10 * size[0] * size[1] * 3 for size in sizes}
    limit = bytes_of[20, 20] + bytes_of[16, 16] + 1
    data = Data(index=index, name="noise", cache_dir=tmp_path / "cache", memory_budget=limit)
    held = []
    for size in (*sizes, *sizes):
        held.append((size, data.images(size)))  # as a recipe holds them
        in_memory = sum(
            store.array.nbytes for _, store in dict(held).items() if getattr(store, "array", None) is not None
        )
        assert in_memory <= limit
        assert in_memory == data.budget.used()
    assert data.images((20, 20)).array is None  # the oldest went to a file
    assert data.images((24, 24)).array is not None
    assert not hasattr(data.images((40, 40)), "array")  # too large by itself
    for size, store in held:
        expected = decoded.load(index, image_size=size).gather(np.arange(10))
        np.testing.assert_array_equal(store.gather(np.arange(10)), expected)


def test_a_store_that_nobody_holds_needs_no_room(index, tmp_path):
    budget = Budget(4000)
    for _ in range(3):
        decoded.load(index, image_size=(10, 10), cache_dir=tmp_path / "cache", memory_budget=budget)
    assert not list((tmp_path / "cache").glob("*.uint8"))
    with pytest.raises(InputError, match="cache_dir: is needed"):
        decoded.load(index, image_size=(10, 10), memory_budget=budget)


def test_chosen_images_are_followed_by_the_extra_ones():
    store = Images(np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8))
    extra = np.full((2, 2, 2, 3), 99, np.uint8)
    chosen = Chosen(store, [4, 1], extra)
    assert len(chosen) == 4
    assert chosen.gather([3, 0, 1, 2])[:, 0, 0, 0].tolist() == [99, 4, 1, 99]
    assert chosen.gather(np.array([1, 0]))[:, 0, 0, 0].tolist() == [1, 4]
