"""Photographs that are decoded and resized once: kept in memory, or in one file of a cache folder."""

import concurrent.futures
import hashlib
import importlib.metadata
import os
import pathlib

import cv2
import numpy as np
import PIL
import scipy

from kfg.data.decode import DECODER, decode
from kfg.data.index import Index
from kfg.data.resizing import METHOD, resize
from kfg.data.stores import MEMORY_BUDGET, Budget, ImageFile, Images, has_size
from kfg.errors import InputError
from kfg.files import sweep, whole
from kfg.locks import exclusive

CHUNK = 256  # images decoded before they are stored


def load(
    index: Index,
    *,
    image_size: tuple[int, int],
    cache_dir=None,
    memory_budget: int | Budget = MEMORY_BUDGET,
    progress=None,
) -> Images | ImageFile:
    """Decode and resize every image of `index` once, on all cores.

    Args:
        index: the images; their order is kept.
        image_size: (height, width) in pixels.
        cache_dir: folder for the decoded file, used when the images exceed `memory_budget`. A file already
            there is used if it was made from the same bytes at the same size.
        memory_budget: bytes that these images may take in memory. A Budget is shared by all images that are loaded
            with it; whoever gives one must give `cache_dir` too.
        progress: function (images done, images in all), called now and then while they are decoded.
    Raises:
        InputError: an image cannot be decoded, the disk is full, or `cache_dir` is needed and missing.
    """
    shape = (len(index), *image_size, 3)
    size = int(np.prod(shape, dtype=np.int64))
    budget = memory_budget if isinstance(memory_budget, Budget) else Budget(memory_budget)
    if cache_dir is None:
        if size > budget.limit or budget is memory_budget:
            raise InputError(
                f"cache_dir: is needed, because {size:,} bytes of decoded images may exceed the memory budget of "
                f"{budget.limit:,}"
            )
        return Images(_decoded(index, shape, progress))
    key = key_of(index, image_size)
    path = pathlib.Path(cache_dir) / f"{key}.uint8"
    if budget.admits(size):
        images = Images(_decoded(index, shape, progress), key=key)
        images.array.flags.writeable = False  # the key stands for exactly these pixels
        budget.hold(images, path)
        return images
    if not has_size(path, size):
        with exclusive(path.with_suffix(".lock")):
            if not has_size(path, size):  # another process may have written it while this one waited
                sweep(path.parent)
                sweep(path.parent, path.name, idle=0)  # idle=0 is safe: only the holder of this lock writes the file
                _decode_to(path, index, image_size, progress)
    return ImageFile(path, shape, key=key)


def _decoded(index, shape, progress) -> np.ndarray:
    array = np.empty(shape, dtype=np.uint8)
    for start, chunk in _decoded_chunks(index, shape[1:3], progress):
        array[start : start + len(chunk)] = chunk
    return array


def _decode_to(path, index, image_size, progress):
    with whole(path, "wb") as file:
        for _, chunk in _decoded_chunks(index, image_size, progress):
            file.write(memoryview(chunk).cast("B"))


def _decoded_chunks(index, image_size, progress):
    """Yield (start, uint8 (n, H, W, 3)) in the order of `index`."""

    def one(path):
        return resize(decode(path), image_size)

    paths = index.full_paths()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), CHUNK):
            chunk = np.stack(list(pool.map(one, paths[start : start + CHUNK])))
            yield start, chunk
            if progress is not None:
                progress(start + len(chunk), len(paths))


def key_of(index: Index, image_size: tuple[int, int]) -> str:
    """Return a key for decoded images: a digest of the files' bytes, a hyphen, a digest of how they are decoded."""
    files = hashlib.sha256()
    for path, digest in zip(index.full_paths(), index.sha256, strict=True):
        files.update((digest or hashlib.sha256(path.read_bytes()).hexdigest()).encode())
    versions = (PIL.__version__, _heif_version(), cv2.__version__, scipy.__version__)
    how = hashlib.sha256(repr((DECODER, METHOD, image_size, versions)).encode())
    return f"{files.hexdigest()[:32]}-{how.hexdigest()[:16]}"


def _heif_version() -> str:
    """Return the version of the optional package that decodes HEIC; "" if it is not installed.

    It counts for all photographs: any may be HEIC, whatever its name, and files with known digests are not read here.
    """
    try:
        return importlib.metadata.version("pillow-heif")
    except importlib.metadata.PackageNotFoundError:
        return ""
