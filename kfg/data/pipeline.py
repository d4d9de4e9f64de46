"""The tf.data batches that nets are trained and evaluated on.

Order and augmentation are pure functions of (seed, epoch, position), so a resumed run gets the same batches as an
uninterrupted one. The images come from a store (kfg.data.stores): decoded and resized once, read in every epoch.
"""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from kfg.data import sampling as sampling_module
from kfg.data.stores import contents, dtype_of


def steps(count: int, batch_size: int) -> int:
    """Return the number of batches in one epoch; the last one may be partial."""
    return -(-count // batch_size)


def training_batches(
    images,
    labels,
    *,
    batch_size: int,
    seed: int,
    policy=None,
    sampling: str | None = None,
    mixing=None,
    num_classes: int | None = None,
    first_epoch: int = 0,
    epochs: int | None = 1,
) -> tf.data.Dataset:
    """Make the shuffled, augmented batches of epochs `first_epoch` ... `epochs` - 1, one after another.

    With `epochs=None` each pass over the data set is one epoch, and the first pass is epoch `first_epoch`; so a plain
    `model.fit(data, epochs=N)` gets fresh augmentation in every epoch. A pass counts when its last batch has been
    taken; so add no step that reads ahead, such as `prefetch`. The single batch that Keras reads to build a model does
    not count, unless an epoch has only one batch.

    Args:
        images: a store of N images with `gather(positions) -> uint8 (B, H, W, 3)`.
        labels: int array (N,).
        batch_size: number of images; the last batch of an epoch may be smaller, and no image is dropped.
        seed: int >= 0; together with epoch and position it decides order and augmentation.
        policy: object with `apply(images, labels, seed=, epoch=, positions=)`; None: no augmentation. If its
            `image_size` is not None, that is the (height, width) of the images that it returns.
        sampling: None: each epoch shows every image once; else a key of kfg.data.sampling.SHARES, and an epoch also
            shows N images.
        mixing: kfg.augment.mixing.Mixup or CutMix, applied after the policy; labels are then soft. None: no mixing.
        num_classes: number of classes; needed with `mixing` only.
        first_epoch, epochs: range of the epochs to make, counted from 0; `epochs=None`: one epoch for each pass.
    Returns:
        Dataset of (uint8 (B, H, W, 3), int32 (B,)); if the store has a `dtype`, the images have the store's own dtype
        and shape. With `mixing`: (uint8 (B, H, W, 3), float32 (B, num_classes)).
        An epoch has `steps(N, batch_size)` batches, which is its `len()` with `epochs=None`. Its method `made_from()`
        returns, as a dict, everything that decides the batches except the epochs.
    Raises:
        InputError: `sampling` is unknown.
    """
    labels = np.asarray(labels, dtype=np.int32)
    count = len(labels)
    if sampling is not None:
        sampling_module.check_name(sampling)

    def order(epoch):
        keys = _sampled(labels, sampling, seed, epoch) if sampling else _shuffled(count, seed, epoch)
        return keys.batch(batch_size).map(lambda keys: (epoch, keys))

    def read(epoch, keys):
        positions = keys % count  # a key of N or more means that an image is shown again in this epoch, see epoch_keys
        draw = {"seed": seed, "epoch": int(epoch), "positions": keys}
        batch, batch_labels = images.gather(positions), labels[positions]
        if policy is not None:
            batch = policy.apply(batch, batch_labels, **draw)
        if mixing is not None:
            batch, batch_labels = mixing.apply(batch, batch_labels, num_classes=num_classes, **draw)
        return batch, batch_labels

    passes = _Passes(first_epoch)
    numbers = passes.current() if epochs is None else tf.data.Dataset.range(first_epoch, epochs)
    plan = numbers.flat_map(order)
    label_spec = (tf.float32, (num_classes,)) if mixing is not None else (tf.int32, ())
    size = getattr(policy, "image_size", None)
    dataset = _fed(plan, read, _spec(images, shape=(*size, 3) if size else None), label_spec)
    if epochs is None:
        dataset = passes.counted(dataset, steps(count, batch_size))
    dataset.made_from = lambda: {
        "images": contents(images),
        "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        "batch_size": batch_size,
        "seed": seed,
        "policy": _described(policy),
        "sampling": sampling,
        "mixing": _described(mixing),
        "num_classes": num_classes,
    }
    return dataset


class _Passes:
    """Counts the passes over a data set, so that each pass gets its epoch number."""

    def __init__(self, first: int):
        self.epoch = first

    def current(self) -> tf.data.Dataset:
        """Return a data set with one element, the epoch number, which is read again at the start of each pass."""

        def ask(_):
            epoch = tf.numpy_function(lambda: np.int64(self.epoch), [], tf.int64)
            epoch.set_shape(())
            return epoch

        return tf.data.Dataset.range(1).map(ask)

    def counted(self, batches: tf.data.Dataset, length: int) -> tf.data.Dataset:
        """Return the batches of one pass; when the last batch has been taken, the next pass is the next epoch.

        A pass is not counted at its start, because Keras makes iterators that it never reads, and reads a single batch
        from another one to build a model (if that batch is also the last, the pass counts nevertheless). Nothing
        prefetches from the returned data set, so its last batch is not taken before the model asks for it.
        """

        def finish():
            self.epoch += 1
            return np.int64(self.epoch)

        def passed_on(number, batch):
            last = tf.cond(number == length - 1, lambda: tf.numpy_function(finish, [], tf.int64), lambda: number)
            with tf.control_dependencies([last]):
                return tf.nest.map_structure(tf.identity, batch)

        counted = tf.data.Dataset.zip(tf.data.Dataset.range(length), batches).map(passed_on)
        options = tf.data.Options()
        # Both are on by default, and would take batches before the model asks for them, also in steps that a user adds.
        options.experimental_optimization.inject_prefetch = False
        options.experimental_optimization.map_parallelization = False
        return counted.apply(tf.data.experimental.assert_cardinality(length)).with_options(options)


def _described(policy) -> dict | None:
    """Return the settings that decide the changes of a policy or a mixing, as a dict; None if there is none."""
    if policy is None:
        return None
    if hasattr(policy, "made_from"):
        return policy.made_from()
    settings = dataclasses.asdict(policy) if dataclasses.is_dataclass(policy) else {}
    return {"kind": type(policy).__name__, **settings}


def _shuffled(count, seed, epoch):
    def place(i):
        return tf.random.experimental.index_shuffle(i, seed=tf.stack([seed, epoch]), max_index=count - 1)

    return tf.data.Dataset.range(count).map(place)


def _sampled(labels, sampling, seed, epoch):
    def keys(epoch):
        return sampling_module.epoch_keys(labels, sampling, seed=seed, epoch=int(epoch))

    drawn = tf.numpy_function(keys, [epoch], tf.int64)
    drawn.set_shape((len(labels),))
    return tf.data.Dataset.from_tensor_slices(drawn)


def evaluation_batches(images, labels, *, batch_size: int) -> tf.data.Dataset:
    """Make batches that hold every image once, in order: a Dataset of (uint8 (B, H, W, 3), int32 (B,))."""
    labels = np.asarray(labels, dtype=np.int32)
    plan = tf.data.Dataset.range(len(labels)).batch(batch_size).map(lambda positions: (0, positions))

    def read(_, positions):
        return images.gather(positions), labels[positions]

    batches = _fed(plan, read, _spec(images), (tf.int32, ()))
    return batches.apply(tf.data.experimental.assert_cardinality(steps(len(labels), batch_size)))


def _spec(images, *, shape=None):
    """Return the dtype and shape of one record (image) of a store."""
    return tf.as_dtype(dtype_of(images)), shape or images.shape[1:]


def _fed(plan, read, image_spec, label_spec):
    """Turn a data set of (epoch, positions) into batches by calling `read`, a few batches ahead of the model.

    `image_spec` and `label_spec` are the (dtype, shape) of one image and of one label.
    """
    (image_type, image_shape), (label_type, label_shape) = image_spec, label_spec

    def batch(epoch, positions):
        images, labels = tf.numpy_function(read, [epoch, positions], [image_type, label_type])
        images.set_shape((None, *image_shape))
        labels.set_shape((None, *label_shape))
        return images, labels

    return plan.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)
