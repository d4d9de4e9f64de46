"""Cache the features of a frozen trunk: they are computed once and shared by runs, searches and processes.

A frozen trunk gives the same output in every epoch. Its outputs are written to one file per (pixels, weights,
augmentation), named after a hash of all of them, and read through a memory map. The process that fills a file holds a
lock, which ends with the process; others wait and then read the file. If a process is killed while it fills a file,
the next one goes on from there.

The trunk is computed by the fastest available engine, see `kfg.inference.fastest`. The engine is part of the hash,
because the outputs of different engines are equal only up to rounding.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import pathlib
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kfg.augment import draws
from kfg.errors import InputError
from kfg.files import flush, read_json, rename, write_json
from kfg.inference import fastest
from kfg.inference.engines import TENSORFLOW, at_hand
from kfg.locks import exclusive
from kfg.models.identity import weights_hash

VERSION = 3  # version of the file contents; a new version makes new files
BATCH = 64  # images per forward pass
RATE_BATCHES = 3  # number of batches that are timed
FLUSH_EVERY = 2.0  # seconds of work that a kill or a power cut may cost; a flush takes some milliseconds
VIEW = 0x76696577  # purpose number for the derived seed that picks a view


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """Settings of the augmented pictures (views) of each image that go through the trunk in place of the image.

    Args:
        count: int >= 1, number of views per image.
        policy: dataclass with `apply(images, labels, seed=, epoch=, positions=)`.
        seed: int >= 0, seed of the augmentation.
    """

    count: int
    policy: object
    seed: int = 0


class AnyView:
    """A policy for stores of features that picks, each time, the features of the image or of one of its views.

    Args:
        views: float (V, N, ...), the features or maps of V augmented pictures of each of N images.
    """

    image_size = None

    def __init__(self, views: np.ndarray):
        self.views = views

    def made_from(self) -> dict:
        """Return this policy's settings for a checkpoint, but not its features: they vary a little between machines."""
        return {"kind": "AnyView", "shape": list(self.views.shape)}

    def apply(self, batch, labels, *, seed: int, epoch: int, positions) -> np.ndarray:
        positions = np.asarray(positions)
        drawn = draws.uniforms(draws.derived_seed(seed, VIEW), epoch=epoch, positions=positions, count=1)[:, 0]
        view = np.minimum((drawn * (len(self.views) + 1)).astype(np.int64), len(self.views))
        changed = self.views[np.maximum(view - 1, 0), positions % self.views.shape[1]]
        unchanged = (view == 0).reshape(-1, *[1] * (np.ndim(batch) - 1))
        return np.where(unchanged, batch, changed).astype(np.float32)


def cached(
    trunk,
    images,
    labels=None,
    *,
    cache_dir,
    views: Views | None = None,
    progress=None,
    batch_size: int = BATCH,
    turn=contextlib.nullcontext,
) -> np.ndarray:
    """Return the trunk's output for every image, or for augmented views of it; outputs in the cache are not recomputed.

    Args:
        trunk: Keras model, images in [0, 255] (B, H, W, 3) -> float32 (B, ...); called in inference mode.
        images: a store of N images with `gather(positions) -> uint8 (B, H, W, 3)`; their contents are part of the
            file's name, see `pixels_hash`.
        labels: int (N,), needed for policies that differ by class.
        cache_dir: folder of the cache files.
        views: settings of augmented views; default: the images themselves.
        progress: function (pictures done, pictures in all), called after each batch.
        batch_size: pictures in one forward pass.
        turn: function () -> context manager that is entered for each forward pass. A caller that shares the processor
            with other work may wait in it, or raise an exception.
    Returns:
        A memory-mapped, read-only float32 array (N, ...), with views (count, N, ...).
    Raises:
        InputError: the disk is full, the folder cannot be written, or a file has a wrong length.
    """
    passes = views.count if views else 1
    shape = (passes, len(images), *trunk.output_shape[1:])
    net, named = _net(trunk), _named(images, views, labels)
    path = _found(net, cache_dir, named)
    if path is None:
        chosen = _engine(net, images, cache_dir, math.prod(shape[:2]))
        path = _path(cache_dir, named(net.key, engine=chosen.name))
        with exclusive(path.with_suffix(".lock")):
            if not path.is_file():  # another process may have filled it while this one waited
                _fill(chosen.answer, images, labels, path, shape, views, progress, batch_size, turn)
    expected = math.prod(shape) * 4
    if path.stat().st_size != expected:
        raise InputError(f"{path}: has {path.stat().st_size:,} bytes instead of {expected:,}; remove it and run again")
    array = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    return array if views else array[0]


def of(trunk, images, *, progress=None) -> np.ndarray:
    """Return the trunk's output for every image of a store, float32 (N, ...), without using the cache.

    Args:
        trunk, images, progress: as for `cached`.
    """
    forward, outputs = _forward(trunk), []
    for start in range(0, len(images), BATCH):
        end = min(start + BATCH, len(images))
        outputs.append(forward(images.gather(np.arange(start, end))))
        if progress is not None:
            progress(end, len(images))
    return np.concatenate(outputs)


def ready(trunk, images, labels=None, *, cache_dir, views: Views | None = None) -> bool:
    """Return whether `cached`, called with the same arguments, would find everything in the cache."""
    return _found(_net(trunk), cache_dir, _named(images, views, labels)) is not None


def engine(trunk, images, *, cache_dir, count: int) -> fastest.Chosen:
    """Return the engine that computes the trunk fastest; TensorFlow if `count` is too small to be worth a measurement.

    Args:
        trunk, images, cache_dir: as for `cached`.
        count: number of pictures that will go through the trunk.
    """
    return _engine(_net(trunk), images, cache_dir, count)


def rate(trunk, images, labels=None, *, views: Views | None = None, answer=None) -> float:
    """Return how many pictures/s go through the trunk, augmentation included, measured on the first images.

    Args:
        trunk, images, labels, views: as for `cached`.
        answer: function that computes the trunk's output, from the result of `engine`; default TensorFlow.
    """
    forward, positions = answer or _forward(trunk), np.arange(min(BATCH, len(images)))

    def step():
        forward(_picture(images, labels, positions, 0, views))

    step()  # the first step traces the graph and allocates memory
    started = time.perf_counter()
    for _ in range(RATE_BATCHES):
        step()
    return RATE_BATCHES * len(positions) / (time.perf_counter() - started)


def seconds(trunk, images, labels=None, *, cache_dir, views: Views | None = None) -> float:
    """Return the seconds that `cached` would take with these arguments, measured on a few images; 0 if all is there."""
    net = _net(trunk)
    if _found(net, cache_dir, _named(images, views, labels)):
        return 0.0
    count = len(images) * (views.count if views else 1)
    chosen = _engine(net, images, cache_dir, count)
    return count / rate(trunk, images, labels, views=views, answer=chosen.answer)


def _net(trunk) -> fastest.Net:
    """Return the net with its key, a hash of its weights. A hash takes 0.2 s, so each call makes only one."""
    return fastest.Net(weights_hash(trunk), build=lambda: trunk, answer=lambda: _forward(trunk))


def _named(images, views, labels) -> Callable[..., str]:
    """Return a function (hash of the trunk, engine) -> `cache_key` of these images and views."""
    return functools.partial(_key, images=images, views=views, labels=labels, pixels=pixels_hash(images))


def _engine(net: fastest.Net, images, cache_dir, count: int) -> fastest.Chosen:
    return fastest.choose(
        net, cache_dir, count=count, samples=lambda number: images.gather(np.arange(min(number, len(images))))
    )


def _found(net: fastest.Net, cache_dir, named) -> pathlib.Path | None:
    """Return the cache file of the engine chosen for the trunk, else that of TensorFlow; None if neither exists.

    Args:
        net, named: results of `_net` and `_named`.
        cache_dir: as for `cached`.
    """
    names = dict.fromkeys([fastest.known(net, cache_dir), TENSORFLOW])
    return next((path for name in names if (path := _path(cache_dir, named(net.key, engine=name))).is_file()), None)


def _path(cache_dir, key: str) -> pathlib.Path:
    return pathlib.Path(cache_dir) / f"features-{key}.float32"


def cache_key(trunk, images, views: Views | None, labels=None, *, engine: str = TENSORFLOW) -> str:
    """Return the key in the name of the cache file for these images, this trunk and these views.

    Args:
        trunk, images, views, labels: as for `cached`; labels count because a policy may depend on them.
        engine: name of the engine.
    """
    return _named(images, views, labels)(weights_hash(trunk), engine=engine)


def _key(weights: str, *, images, views: Views | None, labels, pixels: bytes, engine: str) -> str:
    plain = {
        "version": VERSION,
        "weights": weights,
        "shape": list(images.shape),
        "views": views and [views.count, views.seed, type(views.policy).__name__, dataclasses.asdict(views.policy)],
    }
    if engine != TENSORFLOW:  # left out for TensorFlow, so that files from before there were other engines stay valid
        plain["engine"] = [engine, at_hand().get(engine)]
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    if views is not None and labels is not None:
        digest.update(np.asarray(labels, np.int32).tobytes())
    digest.update(pixels)
    return digest.hexdigest()[:32]


def pixels_hash(images) -> bytes:
    """Return a hash of the contents of a store: of its key if it has one, else of all its values.

    Values in memory can be changed in place, so they are read for each call and their hash is not remembered.
    """
    if (key := getattr(images, "key", None)) is not None:
        return hashlib.sha256(key.encode()).digest()
    digest = hashlib.sha256(f"{getattr(images, 'dtype', np.dtype(np.uint8))} {tuple(images.shape)}".encode())
    for start in range(0, len(images), BATCH):
        positions = np.arange(start, min(start + BATCH, len(images)))
        digest.update(np.ascontiguousarray(images.gather(positions)).data)
    return digest.digest()


def _fill(forward, images, labels, path, shape, views, progress, batch_size, turn):
    partial, state = path.with_suffix(".partial"), path.with_suffix(".done.json")
    count, size = shape[1], math.prod(shape[2:]) * 4
    total = shape[0] * count
    done = _done(partial, state, size, total)
    due = 0.0
    try:
        with open(partial, "r+b" if done else "wb") as file:
            file.seek(done * size)
            while done < total:
                one_pass, start = divmod(done, count)
                positions = np.arange(start, min(start + batch_size, count))
                pictures = _picture(images, labels, positions, one_pass, views)
                with turn():
                    rows = forward(pictures)
                file.write(np.ascontiguousarray(rows).data)
                done += len(positions)
                if time.monotonic() >= due or done == total:
                    flush(file)  # before the count is written: the counted features must survive a power cut
                    write_json(state, {"done": done})
                    due = time.monotonic() + FLUSH_EVERY
                if progress is not None:
                    progress(done, total)
        rename(partial, path)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{partial}: {error.strerror}") from error


def _done(partial, state, size, total) -> int:
    """Return how many features, of `size` bytes each, an interrupted fill has written; 0 if that is not certain."""
    if not (state.is_file() and partial.is_file()):
        return 0
    try:
        done = read_json(state)["done"]
    except (InputError, KeyError, TypeError):  # the count is damaged, so the features are computed again
        return 0
    return done if isinstance(done, int) and 0 <= done <= total and partial.stat().st_size >= done * size else 0


def _picture(images, labels, positions, one_pass, views):
    batch = images.gather(positions)
    if views is None:
        return batch
    of_batch = None if labels is None else labels[positions]
    return views.policy.apply(batch, of_batch, seed=views.seed, epoch=one_pass, positions=positions)


def forget() -> None:
    """Release the trunks whose features were computed last."""
    _forward.cache_clear()


@functools.lru_cache(maxsize=2)  # a trunk is asked for its rate and for several kinds of features; tracing takes 1 s
def _forward(trunk):
    """Compile the trunk's forward pass once for batches of any size. It sees changes of the trunk's weights."""

    @tf.function(input_signature=[tf.TensorSpec((None, *trunk.input_shape[1:]), tf.uint8)], jit_compile=False)
    def run(images):
        return tf.cast(trunk(images, training=False), tf.float32)

    return lambda batch: keras.ops.convert_to_numpy(run(batch))
