"""Protocols for those who write their own image store or augmentation policy: exactly the methods that kfg calls."""

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Store(Protocol):
    """A set of images that are read by position; kfg.data.stores.Images makes a NumPy array into a store.

    Attributes:
        shape: (N, H, W, 3), or (N, ...) for features.
    A store may have two more attributes. `dtype` gives the type of the values if it is not uint8. `key` is text that
    identifies the contents, so that two stores can be compared without reading them.
    """

    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def gather(self, positions) -> np.ndarray:
        """Return the images at some positions, (B, H, W, 3); several threads may call this at the same time."""
        ...


@runtime_checkable
class ImagePolicy(Protocol):
    """Random changes to training images, as a pure function of (seed, epoch, position).

    A policy that changes the size of images gives the new (height, width) in an attribute `image_size`. A checkpoint
    stores the policy's settings: the fields of a dataclass, or for any other class the result of a method
    `made_from() -> dict`.
    """

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return changed images.

        Args:
            images: uint8 (B, H, W, 3).
            labels: int32 (B,).
            seed: int in [0, 2^64).
            epoch: int in [0, 2^32).
            positions: int64 (B,), each image's position in the data set; above N - 1 where an image is shown again in
                the same epoch.
        Returns:
            uint8 (B, H, W, 3), a new array. The result for an image does not depend on the rest of the batch.
        """
        ...
