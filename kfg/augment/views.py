"""A store that returns the images of another store, changed by a policy."""

import numpy as np


class Changed:
    """The images of another store, each changed by a policy, always in the same way; the results are not stored.

    This serves to repeat studies that measure on changed images: retail258 tests on random crops, and computes its mean
    and standard deviation from them.

    Args:
        store: an object with `gather(positions) -> uint8 (B, H, W, 3)` and `shape`.
        policy: a policy as for `training_batches`; it must not depend on labels.
        seed: int in [0, 2^64).
        epoch: int >= 0; another number changes the images in another way.
    """

    def __init__(self, store, policy, *, seed: int, epoch: int = 0):
        self.store, self.policy, self.seed, self.epoch = store, policy, seed, epoch

    def __len__(self) -> int:
        return len(self.store)

    @property
    def shape(self) -> tuple[int, ...]:
        size = getattr(self.policy, "image_size", None) or self.store.shape[1:3]
        return (len(self), *size, 3)

    def gather(self, positions) -> np.ndarray:
        images, labels = self.store.gather(positions), np.zeros(len(positions), np.int32)
        return self.policy.apply(images, labels, seed=self.seed, epoch=self.epoch, positions=np.asarray(positions))
