"""Features of a frozen trunk, computed once and shared by runs, searches and processes.

A frozen trunk gives the same answer in every epoch. Its answers are written to one file per (images, weights, size,
augmentation), named after the hash of all of them, and read back through a memory map. While one process fills a
file it holds a lock that ends with the process; others wait, then read. A killed fill goes on where it stopped.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from kfg.errors import InputError
from kfg.files import read_json, write_json

logger = logging.getLogger(__name__)

VERSION = 1  # of the file's meaning; another one makes another file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """How many pictures of each image go through the trunk.

    Args:
        count: int >= 1; the first is the image itself, the others are augmented.
        policy: object with `apply(images, labels, seed=, epoch=, positions=)`, a dataclass; None with count 1.
        seed: int >= 0, of the augmentation.
    """

    count: int = 1
    policy: object = None
    seed: int = 0

    def __post_init__(self):
        if self.count < 1 or (self.count > 1) != (self.policy is not None):
            raise ValueError(f"views: one without a policy, more with one; got {self.count} and {self.policy}")


def weights_hash(model) -> str:
    """Return a hash of a model's architecture and weights; names of the model's own making do not count."""
    digest = hashlib.sha256()
    for layer in model.layers:
        digest.update(f"{type(layer).__name__}|{layer.output.shape}".encode())
    for variable in model.weights:
        value = np.ascontiguousarray(variable.numpy())
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.data)
    return digest.hexdigest()


def cache_key(trunk, digests, *, views: Views, dtype: str) -> str:
    """Return the name of the file for these images, this trunk and these views."""
    policy = None if views.policy is None else [type(views.policy).__name__, dataclasses.asdict(views.policy)]
    plain = {
        "version": VERSION, "weights": weights_hash(trunk), "input": list(trunk.input_shape[1:]),
        "views": views.count, "policy": policy, "seed": views.seed if policy else 0, "dtype": dtype,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for one in digests:
        if len(one) != 64:
            raise ValueError(f"digests: 64 hexadecimal digits each, got {one!r}")
        digest.update(one.encode())
    return digest.hexdigest()[:32]


def cached(
    trunk, images, labels, *, digests, cache_dir, views: Views | None = None, batch_size: int = 64,
    dtype: str = "float32", progress=None,
) -> np.ndarray:  # fmt: skip
    """Return the trunk's output for every view of every image, computing only what no earlier call has.

    Args:
        trunk: Keras model, images in [0, 255] (B, H, W, 3) -> float (B, ...); called in inference mode.
        images: `gather(positions) -> uint8 (B, H, W, 3)`, N images.
        labels: int (N,), for policies that differ by class.
        digests: N sha256 of the images' files: with the trunk's weights and the views they name the cache file.
        cache_dir: folder of the cache files.
        views: default one view, the images themselves.
        batch_size: images per forward pass; does not change the values beyond rounding.
        dtype: of the file, "float32" or "float16".
        progress: function (images done, images in all), called after each batch.
    Returns:
        memory-mapped, read-only array (views, N, ...).
    Raises:
        InputError: a full disk, a folder that cannot be written, a damaged file.
    """
    views = views or Views()
    folder = pathlib.Path(cache_dir)
    key = cache_key(trunk, digests, views=views, dtype=dtype)
    shape = (views.count, len(labels), *trunk.output_shape[1:])
    path = folder / f"features-{key}.{dtype}"
    if not path.is_file():
        with _lock(folder / f"features-{key}.lock"):
            if not path.is_file():  # another process may have filled it while this one waited
                _fill(trunk, images, labels, path, shape, views, batch_size, dtype, progress)
    expected = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if path.stat().st_size != expected:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, {expected:,} expected; remove it and run again")
    return np.memmap(path, dtype=dtype, mode="r", shape=shape)


@contextlib.contextmanager
def _lock(path):
    """Hold an exclusive lock that the system lets go of when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    with open(path, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("%s: another process computes these features; waiting for it", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(trunk, images, labels, path, shape, views, batch_size, dtype, progress):
    partial, done_file = path.with_suffix(".partial"), path.with_suffix(".done.json")
    total = views.count * len(labels)
    done = read_json(done_file)["done"] if done_file.is_file() and partial.is_file() else 0
    forward = _forward(trunk)
    try:
        with open(partial, "r+b" if done else "wb") as file:
            file.truncate(total * int(np.prod(shape[2:])) * np.dtype(dtype).itemsize)
            file.seek(done * int(np.prod(shape[2:])) * np.dtype(dtype).itemsize)
            while done < total:
                view, start = divmod(done, len(labels))
                stop = min(start + batch_size, len(labels))
                batch = _view(images, labels, np.arange(start, stop), view, views)
                file.write(np.ascontiguousarray(forward(batch), dtype=dtype).data)
                file.flush()
                done = view * len(labels) + stop
                write_json(done_file, {"done": done})
                if progress is not None:
                    progress(done, total)
        os.replace(partial, path)
        done_file.unlink()
    except OSError as error:
        raise InputError(f"{partial}: {error.strerror}") from error


def _view(images, labels, positions, view, views):
    batch = images.gather(positions)
    if view == 0:
        return batch
    return views.policy.apply(batch, labels[positions], seed=views.seed, epoch=view, positions=positions)


def _forward(trunk):
    """Compile the trunk's forward pass once for batches of any size."""

    @tf.function(input_signature=[tf.TensorSpec((None, *trunk.input_shape[1:]), tf.uint8)], jit_compile=False)
    def run(images):
        return trunk(images, training=False)

    return lambda batch: keras.ops.convert_to_numpy(run(batch))
