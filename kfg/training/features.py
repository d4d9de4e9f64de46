"""Features of a frozen trunk, computed once and shared by runs, searches and processes.

A frozen trunk gives the same answer in every epoch. Its answers are written to one file per (pixels, weights,
augmentation), named after the hash of all of them, and read back through a memory map. While one process fills a
file it holds a lock that ends with the process; others wait, then read. A killed fill goes on where it stopped.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
import time

import keras
import numpy as np
import tensorflow as tf

from kfg.augment import draws
from kfg.errors import InputError
from kfg.files import flush, read_json, rename, write_json
from kfg.locks import exclusive

VERSION = 3  # of the files' meaning; another one makes other files
BATCH = 64  # images per forward pass
RATE_BATCHES = 3  # timed
FLUSH_EVERY = 2.0  # seconds of work that a kill or a power cut may cost; a flush takes some milliseconds
VIEW = 0x76696577  # purpose of the draws that pick a view


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """Augmented pictures of each image, that go through the trunk instead of it.

    Args:
        count: int >= 1, per image.
        policy: dataclass with `apply(images, labels, seed=, epoch=, positions=)`.
        seed: int >= 0, of the augmentation.
    """

    count: int
    policy: object
    seed: int = 0


class AnyView:
    """A policy for stores of features: each time one of the image's views, its own features among them.

    Args:
        views: float (V, N, F), the features of V augmented pictures of each image.
    """

    image_size = None

    def __init__(self, views: np.ndarray):
        self.views = views

    def made_from(self) -> dict:
        """Return what decides which features are shown, for a checkpoint; theirs differ a little between machines."""
        return {"kind": "AnyView", "shape": list(self.views.shape)}

    def apply(self, batch, labels, *, seed: int, epoch: int, positions) -> np.ndarray:
        positions = np.asarray(positions)
        drawn = draws.uniforms(draws.derived_seed(seed, VIEW), epoch=epoch, positions=positions, count=1)[:, 0]
        view = np.minimum((drawn * (len(self.views) + 1)).astype(np.int64), len(self.views))
        changed = self.views[np.maximum(view - 1, 0), positions % self.views.shape[1]]
        return np.where((view == 0)[:, None], batch, changed).astype(np.float32)


def cached(trunk, images, labels=None, *, cache_dir, views: Views | None = None, progress=None) -> np.ndarray:
    """Return the trunk's output for every image, or for augmented views of it, computing only what no call has yet.

    Args:
        trunk: Keras model, images in [0, 255] (B, H, W, 3) -> float32 (B, ...); called in inference mode.
        images: `gather(positions) -> uint8 (B, H, W, 3)`, N images; what they hold names the file, see
            `pixels_hash`.
        labels: int (N,), for policies that differ by class.
        cache_dir: folder of the files.
        views: default the images themselves.
        progress: function (pictures done, pictures in all), called after each batch.
    Returns:
        memory-mapped, read-only float32 array (N, ...), with views (count, N, ...).
    Raises:
        InputError: a full disk, a folder that cannot be written, a file of another length.
    """
    passes = views.count if views else 1
    shape = (passes, len(images), *trunk.output_shape[1:])
    path = _path(trunk, images, labels, cache_dir, views)
    if not path.is_file():
        with exclusive(path.with_suffix(".lock")):
            if not path.is_file():  # another process may have filled it while this one waited
                _fill(trunk, images, labels, path, shape, views, progress)
    expected = math.prod(shape) * 4
    if path.stat().st_size != expected:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, {expected:,} expected; remove it and run again")
    array = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    return array if views else array[0]


def ready(trunk, images, labels=None, *, cache_dir, views: Views | None = None) -> bool:
    """Return whether `cached`, called alike, would find everything computed."""
    return _path(trunk, images, labels, cache_dir, views).is_file()


def rate(trunk, images, labels=None, *, views: Views | None = None) -> float:
    """Return how many pictures/s go through the trunk, augmentation included, measured on the first ones."""
    forward, positions = _forward(trunk), np.arange(min(BATCH, len(images)))

    def step():
        forward(_picture(images, labels, positions, 0, views))

    step()  # traces and allocates
    started = time.perf_counter()
    for _ in range(RATE_BATCHES):
        step()
    return RATE_BATCHES * len(positions) / (time.perf_counter() - started)


def _path(trunk, images, labels, cache_dir, views):
    return pathlib.Path(cache_dir) / f"features-{cache_key(trunk, images, views, labels)}.float32"


def cache_key(trunk, images, views: Views | None, labels=None) -> str:
    """Return the name of the file for these pixels, this trunk and these views, which may depend on the labels."""
    plain = {
        "version": VERSION,
        "weights": weights_hash(trunk),
        "shape": list(images.shape),
        "views": views and [views.count, views.seed, type(views.policy).__name__, dataclasses.asdict(views.policy)],
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    if views is not None and labels is not None:
        digest.update(np.asarray(labels, np.int32).tobytes())
    digest.update(pixels_hash(images))
    return digest.hexdigest()[:32]


def pixels_hash(images) -> bytes:
    """Return a hash of what a store holds: of its key, where it has one, else of all its values, read anew each time.

    Values in memory can be changed in place, so a hash of them is not kept.
    """
    if (key := getattr(images, "key", None)) is not None:
        return hashlib.sha256(key.encode()).digest()
    digest = hashlib.sha256(f"{getattr(images, 'dtype', np.dtype(np.uint8))} {tuple(images.shape)}".encode())
    for start in range(0, len(images), BATCH):
        positions = np.arange(start, min(start + BATCH, len(images)))
        digest.update(np.ascontiguousarray(images.gather(positions)).data)
    return digest.digest()


def weights_hash(model) -> str:
    """Return a hash of a model's layers, settings, wiring and weights; the names of its own making do not count."""
    digest = hashlib.sha256(_wiring(model).encode())
    for layer in model.layers:
        settings = {name: value for name, value in layer.get_config().items() if name not in ("name", "trainable")}
        digest.update(f"{type(layer).__name__} {json.dumps(settings, sort_keys=True, default=str)}".encode())
        for variable in layer.weights:
            value = np.ascontiguousarray(variable.numpy())
            digest.update(f"{value.dtype} {value.shape}".encode())
            digest.update(value.data)
    return digest.hexdigest()


def _wiring(model) -> str:
    """Return which layer takes whose output, layers called by their number."""
    config = model.get_config()
    numbers = {layer["config"]["name"]: str(number) for number, layer in enumerate(config["layers"])}
    wires = [[layer.get("inbound_nodes") for layer in config["layers"]], config.get("output_layers")]
    names = re.compile(r'"([^"]*)"')
    return names.sub(lambda name: numbers.get(name[1], name[0]), json.dumps(wires, default=str))


def _fill(trunk, images, labels, path, shape, views, progress):
    partial, state = path.with_suffix(".partial"), path.with_suffix(".done.json")
    count, size = shape[1], math.prod(shape[2:]) * 4
    total = shape[0] * count
    done = _done(partial, state, size, total)
    forward, due = _forward(trunk), 0.0
    try:
        with open(partial, "r+b" if done else "wb") as file:
            file.seek(done * size)
            while done < total:
                one_pass, start = divmod(done, count)
                positions = np.arange(start, min(start + BATCH, count))
                file.write(np.ascontiguousarray(forward(_picture(images, labels, positions, one_pass, views))).data)
                done += len(positions)
                if time.monotonic() >= due or done == total:
                    flush(file)  # before the count: what it counts must be there after a power cut
                    write_json(state, {"done": done})
                    due = time.monotonic() + FLUSH_EVERY
                if progress is not None:
                    progress(done, total)
        rename(partial, path)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{partial}: {error.strerror}") from error


def _done(partial, state, size, total) -> int:
    """Return how many pictures' features of `size` bytes an interrupted fill has left; 0 where that is not certain."""
    if not (state.is_file() and partial.is_file()):
        return 0
    try:
        done = read_json(state)["done"]
    except (InputError, KeyError, TypeError):  # damaged: what it counted is computed again
        return 0
    return done if isinstance(done, int) and 0 <= done <= total and partial.stat().st_size >= done * size else 0


def _picture(images, labels, positions, one_pass, views):
    batch = images.gather(positions)
    if views is None:
        return batch
    of_batch = None if labels is None else labels[positions]
    return views.policy.apply(batch, of_batch, seed=views.seed, epoch=one_pass, positions=positions)


def _forward(trunk):
    """Compile the trunk's forward pass once for batches of any size."""

    @tf.function(input_signature=[tf.TensorSpec((None, *trunk.input_shape[1:]), tf.uint8)], jit_compile=False)
    def run(images):
        return tf.cast(trunk(images, training=False), tf.float32)

    return lambda batch: keras.ops.convert_to_numpy(run(batch))
