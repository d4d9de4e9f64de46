"""Labelled images that a model is trained or tested on: a Part."""

import pathlib
from collections.abc import Sequence

import numpy as np

from kfg.data import arrays
from kfg.data.stores import Images, chosen
from kfg.errors import InputError
from kfg.names import printable, shortened


class Part:
    """Labelled images, such as those of one part of a data set: train, val or test.

    `part[positions]` takes some of them, `a + b` puts the images of two parts after each other.

    Args:
        images: uint8 (N, H, W, 3), RGB in [0, 255]; or a store of them, a kfg.protocols.Store.
        labels: int (N,), class numbers from 0.
        classes: C names, in the order of the numbers; default the numbers themselves.
        paths: N file names, for reports and tables; default the positions.
        name: "train", "val", "test", or "" where it is none of them. Images of "train" come shuffled in `batches`.
        groups: int (N,), images of one group (copies, frames of one film) stay together in `split`; default each alone.
        root: folder that `paths` are relative to; None where there are no files.
        origin: what the groups were made for: those of two parts mean the same where this is the same object. Default
            another one for each.
    Attributes:
        images: uint8 (N, H, W, 3). They are copied from memory or disk when asked for.
        labels: int32 (N,).
        classes: tuple of C names.
        paths: tuple of N names.
    Raises:
        InputError: the wrong dtype, shape or range, or numbers that do not fit each other; the argument is named.
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
            raise InputError(f"paths: expected {count}, one for each image, got {len(self.paths)}")

    @classmethod
    def of(cls, index, store, name: str, *, origin=None) -> "Part":
        """Return the images of one part of a divided data set.

        Args:
            index: kfg.data.folder.Index, its parts decided.
            store: the images of all of it, in its order.
            name: "train", "val" or "test".
            origin: of the groups; default `index`.
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
        """Return int64 (C,), images of each class."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def __getitem__(self, positions) -> "Part":
        """Return the images at some positions: a slice, ints (M,) or bools (N,)."""
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
        """Return the images of both; those of `other` are held in memory."""
        if not isinstance(other, Part):
            return NotImplemented
        if self.classes != other.classes:
            raise InputError(
                f"the two parts have different classes ({printable(shortened(self.classes))}; "
                f"{printable(shortened(other.classes))}), so they cannot be added"
            )
        groups = other.groups
        if len(self) and other.origin is not self.origin:  # numbers that were given apart
            groups = groups - groups.min(initial=0) + self.groups.max() + 1
        return Part(
            chosen(self.store, np.arange(len(self)), extra=other.images),
            np.concatenate([self.labels, other.labels]),
            classes=self.classes,
            paths=[*self.paths, *other.paths],
            name=self.name,
            groups=np.concatenate([self.groups, groups]),
            root=self.root,
            origin=self.origin,
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

        Shuffled batches are another order and other changes in each epoch, and the same again with the same seed. An
        epoch ends when its last batch was taken; the next pass is the next epoch. To go on with a training, make
        the batches anew with the `initial_epoch` that `model.fit` gets.

        Args:
            batch_size: images; the last batch of an epoch may be smaller, none is dropped.
            policy: a kfg.Policy, or one's own kfg.protocols.ImagePolicy: the random changes to the images.
                None for none.
            shuffle: default True for a part called "train", else False: then every pass has the order of `labels`.
            seed: int >= 0, decides the order and the changes.
            sampling: None shows every image once an epoch; else how classes are evened out, a key of
                kfg.data.sampling.SHARES.
            mixing: kfg.augment.mixing.Mixup or CutMix; labels are then float32 (B, C). None for none.
            initial_epoch: int >= 0, number of the first pass.
        Returns:
            Dataset of (uint8 (B, H, W, 3), int32 (B,)).
        Raises:
            InputError: an argument out of range, a policy without shuffling.
        """
        from kfg.data import pipeline  # TensorFlow

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
                    raise InputError(f"{argument}: is for training; give shuffle=True with it")
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
    """Refuse what changes no images; None is for no changes."""
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
