"""What a store of images and a policy are, for those who write their own: the methods that kfg calls, and no more."""

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Store(Protocol):
    """Images by position; a NumPy array becomes one with kfg.data.stores.Images.

    Attributes:
        shape: (N, H, W, 3), or (N, ...) of features.
    A `dtype` other than uint8 is said by an attribute of this name; a `key`, where there is one, names the contents, so
    that they need not be read to be told from others.
    """

    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def gather(self, positions) -> np.ndarray:
        """Return the images at some positions, (B, H, W, 3); threads may ask at once."""
        ...


@runtime_checkable
class ImagePolicy(Protocol):
    """Random changes to training images, as a pure function of (seed, epoch, position).

    An `image_size`, (height, width), is said by an attribute of this name where the changes make another one. A
    dataclass's settings stand in a checkpoint; what is none says them by a method `made_from() -> dict`.
    """

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return changed images.

        Args:
            images: uint8 (B, H, W, 3).
            labels: int32 (B,).
            seed: int in [0, 2^64).
            epoch: int in [0, 2^32).
            positions: int64 (B,), each image's place in the data set; above N - 1 for further showings in an epoch.
        Returns:
            uint8 (B, H, W, 3), a new array. The result for an image does not depend on the rest of the batch.
        """
        ...
