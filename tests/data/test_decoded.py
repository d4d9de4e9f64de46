"""The resize, and decoded images in memory and in a cache."""

import concurrent.futures
import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from kfg.data import decoded, folder, stores
from kfg.errors import InputError
from kfg.locks import exclusive


def write_images(root, count=10, size=(12, 10)):
    """Write `count` PNGs in two classes, the i-th filled with level 10 i; return their Index."""
    for i in range(count):
        path = root / "ab"[i % 2] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * i % 256,) * 3).save(path)
    return folder.scan(root)


def test_images_come_decoded_in_order(tmp_path):
    index = write_images(tmp_path)
    images = decoded.load(index, image_size=(6, 4))
    assert images.shape == (10, 6, 4, 3)
    levels = [int(path.split("/")[1][:3]) * 10 for path in index.paths]
    np.testing.assert_array_equal(images.gather(np.arange(10))[:, 0, 0, 0], levels)


def test_disk_holds_the_same_images_as_memory_and_is_made_once(tmp_path):
    index = write_images(tmp_path / "data")
    cache = tmp_path / "cache"
    in_memory = decoded.load(index, image_size=(6, 4))
    on_disk = decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert isinstance(on_disk, stores.ImageFile)
    order = np.array([7, 0, 9, 9, 3])
    np.testing.assert_array_equal(on_disk.gather(order), in_memory.gather(order))
    (file,) = cache.glob("*.uint8")
    made = file.stat().st_mtime_ns
    decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert file.stat().st_mtime_ns == made


def test_the_cache_is_of_these_bytes_at_this_size(tmp_path):
    index = write_images(tmp_path / "data")
    cache = tmp_path / "cache"

    def files_after(index, image_size):
        decoded.load(index, image_size=image_size, memory_budget=0, cache_dir=cache)
        return len(list(cache.glob("*.uint8")))

    assert files_after(index, (6, 4)) == 1
    assert files_after(index, (4, 6)) == 2
    Image.new("RGB", (12, 10), (255, 0, 0)).save(index.full_paths()[0])
    assert files_after(index, (6, 4)) == 3


@pytest.mark.parametrize(
    "changed", ["DECODER", "METHOD", "PIL.__version__", "cv2.__version__", "scipy.__version__", "_heif_version"]
)
def test_the_cache_is_of_this_decoder(tmp_path, monkeypatch, changed):
    index = write_images(tmp_path / "data")
    before = decoded.key_of(index, (6, 4))
    assert decoded.key_of(index, (6, 4)) == before
    monkeypatch.setattr(f"kfg.data.decoded.{changed}", (lambda: "new") if changed == "_heif_version" else "new")
    files, _, how = decoded.key_of(index, (6, 4)).partition("-")
    assert before.startswith(f"{files}-") and not before.endswith(how)


def test_the_key_needs_no_file_whose_digest_is_known(tmp_path):
    index = write_images(tmp_path / "data")
    index = dataclasses.replace(index, sha256=("0" * 64,) * len(index))
    before = decoded.key_of(index, (6, 4))
    index.full_paths()[0].unlink()
    assert decoded.key_of(index, (6, 4)) == before


def test_while_one_process_decodes_another_waits_and_then_reads(tmp_path):
    index = write_images(tmp_path / "data")
    cached = {"image_size": (6, 4), "memory_budget": 0, "cache_dir": tmp_path / "cache"}
    decoded.load(index, **cached)
    (file,) = (tmp_path / "cache").glob("*.uint8")
    made = file.read_bytes()
    file.unlink()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with exclusive(file.with_suffix(".lock")):
            other = pool.submit(decoded.load, index, **cached)
            with pytest.raises(concurrent.futures.TimeoutError):
                other.result(timeout=0.3)
            file.write_bytes(made[::-1])  # what the first process wrote, marked
        assert other.result(timeout=20).gather([0]).tobytes() == made[::-1][:72]


def test_what_cannot_be_cached_is_said(tmp_path):
    index = write_images(tmp_path / "data")
    with pytest.raises(InputError, match="cache_dir"):
        decoded.load(index, image_size=(6, 4), memory_budget=0)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="file"):
        decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "file" / "cache")


def test_a_cache_cut_behind_our_back_is_named(tmp_path):
    index = write_images(tmp_path / "data")
    images = decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache")
    os.truncate(images.path, 9 * 72 + 30)
    assert images.gather([8]).shape == (1, 6, 4, 3)
    with pytest.raises(InputError, match=r"\.uint8: ends early; remove it"):
        images.gather([0, 9])
    assert len(decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache").gather([9])) == 1


def test_half_a_cache_of_a_killed_process_goes(tmp_path):
    index, cache = write_images(tmp_path / "data"), tmp_path / "cache"
    name = f"{decoded.key_of(index, (6, 4))}.uint8"
    left = [cache / f".{one}.12-0123abcd.partial" for one in (name, "other.uint8")]
    cache.mkdir()
    for path in left:
        path.touch()
    decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=cache)
    assert (cache / name).is_file()
    assert [path.exists() for path in left] == [False, True]  # the other may be written on another machine


def test_a_corrupt_image_is_named_and_no_half_cache_stays(tmp_path):
    index = write_images(tmp_path / "data")
    bad = index.full_paths()[4]
    bad.write_bytes(bad.read_bytes()[:50])
    with pytest.raises(InputError, match=bad.name):
        decoded.load(index, image_size=(6, 4), memory_budget=0, cache_dir=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]
