"""The class Part: labelled images that a model is trained or tested on."""

import pathlib
from collections.abc import Sequence

import numpy as np

from kfg.data import arrays
from kfg.data.stores import Images, chosen
from kfg.errors import InputError
from kfg.names import printable, shortened


class Part:
    """Labelled images, such as those of one part of a data set: train, val or test.

    `part[positions]` is a Part with some of the images; `a + b` is a Part with the images of `a` followed by those of
    `b`.

    Args:
        images: uint8 (N, H, W, 3), RGB in [0, 255]; or a store of such images (kfg.protocols.Store).
        labels: int (N,), class numbers from 0.
        classes: C names, in the order of the class numbers; default the numbers themselves.
        paths: N file names, for reports and tables; default the positions.
        name: "train", "val", "test", or "" if it is none of them. By default, `batches` shuffles a part named "train".
        groups: int (N,), images of one group (copies, frames of one film) stay together in `split`; default: each image
            is a group of its own.
        root: folder that `paths` are relative to; None: there are no files.
        origin: any object that identifies the numbering of the groups: equal group numbers in two parts mean the same
            group only if both parts have the same object here. Default: a new object for each Part.
    Attributes:
        images: uint8 (N, H, W, 3). Each access copies them from memory or disk.
        labels: int32 (N,).
        classes: tuple of C names.
        paths: tuple of N names.
    Raises:
        InputError: a dtype, shape or range is wrong, or lengths do not match; the message names the argument.
    Example:
        >>> part = Part(np.zeros((3, 8, 8, 3), np.uint8), [0, 1, 1], classes=["cat", "dog"], name="train")
        >>> part
        Part 'train': 3 images of 8 x 8 in 2 classes
        >>> len(part + part[[0]]), part[part.labels == 1].counts().tolist()
        (4, [0, 2])
    """

    def __init__(
        self,
        images,
        labels,
        *,
        classes: Sequence[str] | None = None,
        paths: Sequence[str] | None = None,
        name: str = "",
        groups=None,
        root=None,
        origin=None,
    ):
        self.store = images if hasattr(images, "gather") else Images(arrays.checked_images(images))
        count = len(self.store)
        self.labels = arrays.checked_labels(labels, count=count, classes=None if classes is None else len(classes))
        numbers = map(str, range(int(self.labels.max(initial=-1)) + 1))
        self.classes = tuple(numbers if classes is None else map(str, classes))
        self.paths = tuple(map(str, range(count) if paths is None else paths))
        self.groups, self.origin = _groups(groups, count), object() if origin is None else origin
        self.name, self.root = name, None if root is None else pathlib.Path(root)
        if len(self.paths) != count:
            raise InputError(f"paths: expected {count} paths, one for each image, got {len(self.paths)}")

    @classmethod
    def of(cls, index, store, name: str, *, origin=None) -> "Part":
        """Return the images of one part of a divided data set.

        Args:
            index: kfg.data.index.Index whose parts are decided.
            store: the images of the whole index, in its order.
            name: "train", "val" or "test".
            origin: origin of the group numbers, as for Part; default `index`.
        """
        at = index.where(name)
        return cls(
            chosen(store, at),
            index.labels[at],
            classes=index.classes,
            paths=[index.paths[i] for i in at],
            name=name,
            groups=index.groups[at],
            root=index.root,
            origin=index if origin is None else origin,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        height, width = self.image_size
        called = f"Part {self.name!r}" if self.name else "Part"
        return f"{called}: {len(self):,} images of {height} x {width} in {len(self.classes)} classes"

    @property
    def images(self) -> np.ndarray:
        return self.store.gather(np.arange(len(self)))

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return tuple(self.store.shape[1:3])

    def counts(self) -> np.ndarray:
        """Return the number of images of each class, int64 (C,)."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def __getitem__(self, positions) -> "Part":
        """Return a Part with the images at `positions`: a slice, ints (M,) or bools (N,)."""
        try:
            at = np.arange(len(self))[positions]
        except IndexError as error:
            raise InputError(f"positions: {error}") from error
        if at.ndim != 1:
            raise InputError(f"positions: expected a slice or a list of numbers, got {positions!r}")
        return self._with(chosen(self.store, at), at)

    def _with(self, store, at) -> "Part":
        return Part(
            store,
            self.labels[at],
            classes=self.classes,
            paths=[self.paths[i] for i in at],
            name=self.name,
            groups=self.groups[at],
            root=self.root,
            origin=self.origin,
        )

    def __add__(self, other: "Part") -> "Part":
        """Return a Part with the images of both parts; those of `other` are held in memory."""
        if not isinstance(other, Part):
            return NotImplemented
        if self.classes != other.classes:
            raise InputError(
                f"the two parts have different classes ({printable(shortened(self.classes))}; "
                f"{printable(shortened(other.classes))}), so they cannot be added"
            )
        groups = other.groups
        if len(self) and other.origin is not self.origin:  # equal group numbers do not mean equal groups
            groups = groups - groups.min(initial=0) + self.groups.max() + 1
        return Part(
            chosen(self.store, np.arange(len(self)), extra=other.images),
            np.concatenate([self.labels, other.labels]),
            classes=self.classes,
            paths=[*self.paths, *other.paths],
            name=self.name,
            groups=np.concatenate([self.groups, groups]),
            root=self.root,
            origin=self.origin if len(self) else other.origin,  # an empty part has no group numbers
        )

    def batches(
        self,
        batch_size: int = 32,
        *,
        policy=None,
        shuffle: bool | None = None,
        seed: int = 0,
        sampling: str | None = None,
        mixing=None,
        initial_epoch: int = 0,
    ):
        """Return a tf.data.Dataset for `model.fit`, `model.predict` and `model.evaluate`, whose `len()` is one epoch.

        With shuffling, order and augmentation differ from epoch to epoch, and the same seed gives the same batches. An
        epoch ends when its last batch has been taken; the next pass over the data set is the next epoch. So add no step
        that reads ahead, such as `prefetch`: the data set does so by itself. If an epoch has only one batch, and Keras
        reads it to build a model, that counts as an epoch. To continue an earlier training, make the batches with the
        same `initial_epoch` as you give to `model.fit`.

        Args:
            batch_size: number of images; the last batch of an epoch may be smaller, and no image is dropped.
            policy: a kfg.Policy or your own kfg.protocols.ImagePolicy, which changes the images at random.
                None: no augmentation.
            shuffle: default True for a part called "train", else False. False: every pass has the order of `labels`.
            seed: int >= 0, decides the order and the augmentation.
            sampling: None: each epoch shows every image once; else a key of kfg.data.sampling.SHARES, which says how
                rare classes are shown more often.
            mixing: kfg.augment.mixing.Mixup or CutMix; labels are then float32 (B, C). None: images are not mixed.
            initial_epoch: int >= 0, epoch number of the first pass.
        Returns:
            Dataset of (uint8 (B, H, W, 3), int32 (B,)).
        Raises:
            InputError: an argument is out of range, or a policy, sampling or mixing is given without shuffling.
        """
        from kfg.data import pipeline  # imported here, because it loads TensorFlow

        batch_size = arrays.whole_number("batch_size", batch_size, least=1)
        if not len(self):
            raise InputError(f"{self!r} holds no images")
        check_policy("policy", policy)
        check_policy("mixing", mixing)
        shuffle = self.name == "train" if shuffle is None else shuffle
        changes = {"policy": policy, "sampling": sampling, "mixing": mixing}
        if not shuffle:
            for argument, value in changes.items():
                if value is not None:
                    raise InputError(f"{argument}: only works in training; add shuffle=True")
            return pipeline.evaluation_batches(self.store, self.labels, batch_size=batch_size)
        return pipeline.training_batches(
            self.store,
            self.labels,
            batch_size=batch_size,
            seed=arrays.whole_number("seed", seed),
            epochs=None,
            num_classes=len(self.classes),
            first_epoch=arrays.whole_number("initial_epoch", initial_epoch),
            **changes,
        )


def check_policy(name: str, value) -> None:
    """Raise InputError unless `value` is None or has a method `apply`, as policies do; `name` is for the message."""
    if value is not None and not hasattr(value, "apply"):
        raise InputError(f"{name}: expected an object with `apply`, such as kfg.Policy(rotation=20), got {value!r}")


def _groups(groups, count) -> np.ndarray:
    if groups is None:
        return np.arange(count)
    groups = np.asarray(groups)
    if groups.dtype.kind in "US":
        groups = np.unique(groups, return_inverse=True)[1]
    if groups.shape != (count,) or not (np.issubdtype(groups.dtype, np.integer) or not count):
        raise InputError(
            f"groups: expected a number or name for each of {count} images, got {groups.dtype} {groups.shape}"
        )
    return groups.astype(np.int64)
