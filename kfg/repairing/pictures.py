"""Stores of pictures made from the photographs, from which remedies learn: mirror images, and pictures cut together."""

import dataclasses

import numpy as np

from kfg.augment import draws, mixing

MIXED_PER_PHOTOGRAPH = 2  # pictures to cut together for each photograph of a weak class
PARTNER, BOX = draws.derived_seed(0, 9), draws.derived_seed(0, 10)  # apart; others would change kept features


@dataclasses.dataclass(frozen=True)
class Named:
    """Images known only by shape and store key: enough to find their features in the cache without decoding them."""

    shape: tuple[int, int, int, int]
    key: str

    def __len__(self) -> int:
        return self.shape[0]


class Renamed:
    """The images of a store under another key."""

    dtype = np.dtype(np.uint8)

    def __init__(self, store, key: str):
        self.store, self.shape, self.key = store, store.shape, key

    def __len__(self) -> int:
        return len(self.store)

    def gather(self, positions) -> np.ndarray:
        return self.store.gather(positions)


class Mirrored:
    """The images of a store, flipped left to right."""

    dtype = np.dtype(np.uint8)

    def __init__(self, store):
        self.store, self.shape, self.key = store, store.shape, f"{store.key} mirrored"

    def __len__(self) -> int:
        return len(self.store)

    def gather(self, positions) -> np.ndarray:
        return self.store.gather(positions)[:, :, ::-1]


class CutTogether:
    """Pictures in which a rectangle shows one photograph of a store and the rest shows another.

    Args:
        store: uint8 (N, H, W, 3).
        first, second: int (P,), positions in the store.
        boxes: int (P, 4), top, left, bottom and right of the rectangle that shows the second photograph.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, store, first, second, boxes):
        self.store, self.first, self.second, self.boxes = store, first, second, boxes
        self.shape = (len(first), *store.shape[1:])

    def __len__(self) -> int:
        return len(self.first)

    def gather(self, positions) -> np.ndarray:
        pictures, others = self.store.gather(self.first[positions]), self.store.gather(self.second[positions])
        for picture, other, (top, left, bottom, right) in zip(pictures, others, self.boxes[positions], strict=True):
            picture[top:bottom, left:right] = other[top:bottom, left:right]
        return pictures


def pairs(labels, takers) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of photographs of weak classes, and a random partner for each, of the class it is taken for."""
    first, second = [], []
    for label in sorted(takers):
        own = np.tile(np.flatnonzero(labels == label), MIXED_PER_PHOTOGRAPH)
        others = np.flatnonzero(labels == takers[label])
        drawn = draws.uniforms(PARTNER, epoch=label, positions=np.arange(len(own)), count=1)[:, 0]
        first.append(own)
        second.append(others[np.minimum((drawn * len(others)).astype(int), len(others) - 1)])
    return np.concatenate(first), np.concatenate(second)


def boxes(count, size) -> tuple[np.ndarray, np.ndarray]:
    """Return CutMix rectangles of uniformly random area, int (P, 4), and the share of the picture outside each."""
    drawn = draws.uniforms(BOX, epoch=0, positions=np.arange(count), count=3)
    return mixing.rectangles(np.sqrt(drawn[:, 0]), drawn[:, 1:], size)
