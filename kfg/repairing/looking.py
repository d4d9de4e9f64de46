"""Compute the features that remedies need: each once, the most promising first, as far as time allows."""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable

import numpy as np

from kfg.augment import draws, mixing
from kfg.data import decoded, stores
from kfg.data.index import Index
from kfg.engine.options import second_for
from kfg.errors import InputError
from kfg.models import backbones, efficientnet_lite, halves
from kfg.models.catalogue import shapes_only
from kfg.progress import Progress, duration
from kfg.repairing.case import Mixed, Seen
from kfg.training import features
from kfg.training.features import Views

LARGER = 1.25  # factor on the sides of the images
TIMED = 64  # photographs on which the pace of computing features is measured
MIXED_PER_PHOTOGRAPH = 2  # pictures to cut together for each photograph of a weak class
ORDER = ("second", "mirrored", "second_mirrored", "views", "mixed", "larger")  # fields of Seen, most promising first
_PARTNER, _BOX = 9, 10  # numbers that keep the derived seeds of different uses apart


class NoTime(Exception):
    """Computing some features would take longer than the time that is left."""


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


@dataclasses.dataclass(frozen=True)
class Trunk:
    """A pretrained trunk.

    Args:
        backbone: a key of kfg.models.backbones.BACKBONES.
        image_size: (height, width) in pixels.
        weights: imagenet, none or a file.
        second: name of a second trunk, whose features are appended to the first's; "" for none.
    """

    backbone: str
    image_size: tuple[int, int]
    weights: str = "imagenet"
    second: str = ""

    def built(self):
        """Return the model, images -> features, ready for inference."""
        return halves.front(
            backbones.classifier(
                self.backbone,
                num_classes=2,
                image_size=self.image_size,
                weights=self.weights,
                second=self.second,
            )
        )

    @property
    def told(self) -> str:
        """The name of the trunk, or both names."""
        return f"{self.backbone} and {self.second}" if self.second else self.backbone


@dataclasses.dataclass(frozen=True, eq=False)
class Eyes:
    """Computes features of photographs, or takes them from the cache.

    Args:
        index: N photographs.
        trunk: the trunk that computes the features.
        views_of: number and policy of the augmented pictures of each photograph.
        cache_dir: folder in which features are kept.
        whole, at: all photographs of the run, and int (N,), the positions of the N among them. The training may have
            left features of all in the cache.
    """

    index: Index
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
    def images(self):
        """Store of the photographs, uint8 (N, H, W, 3)."""
        return self._decoded(self.trunk.image_size, stores.MEMORY_BUDGET)

    @functools.cached_property
    def larger_images(self):
        return self._decoded(larger_size(self.trunk), stores.MEMORY_BUDGET // 2)

    def forget(self, *names) -> None:
        """Free the memory of these photographs or networks; they are made again when they are next used."""
        for name in names:
            self.__dict__.pop(name, None)  # where functools.cached_property keeps it

    def _decoded(self, image_size, memory_budget):
        return decoded.load(
            self.index,
            image_size=image_size,
            cache_dir=self.cache_dir,
            memory_budget=stores.Budget(memory_budget),
            progress=Progress("photographs decoded"),
        )

    def see(self, trunk, images, what: str, *, left: float = math.inf, **views) -> np.ndarray:
        """Return the features of N images: float32 (N, F), or (V, N, F) of V views of each.

        Raises:
            NoTime: the features are not in the cache, and computing them takes longer than is left.
        """
        labels = self.index.labels if views else None
        expected = features.seconds(trunk, images, labels, cache_dir=self.cache_dir, **views)
        if expected and expected > left:
            raise NoTime(f"{what} would take about {duration(expected)}")
        progress = Progress(f"{what} processed")
        found = np.array(features.cached(trunk, images, labels, cache_dir=self.cache_dir, progress=progress, **views))
        return found.reshape(*found.shape[: 2 if views else 1], -1)

    def plain(self) -> np.ndarray:
        if (known := self._known()) is not None:
            found = features.cached(self.first_trunk, known, cache_dir=self.cache_dir)
            return np.array(found[self.at]).reshape(len(self.at), -1)
        return self.see(self.first_trunk, self.images, "photographs")

    def check_time(self, left: float) -> None:
        """Check that there is time to compute the features. A few photographs are timed, unless the cache has them all.

        Raises:
            InputError: it takes longer than is left.
        """
        if left == math.inf or len(self.index) <= TIMED or self._known() is not None:
            return
        began = time.monotonic()
        some = decoded.load(self.index.take(np.arange(TIMED)), image_size=self.trunk.image_size)
        each = (time.monotonic() - began) / TIMED + 1 / features.rate(self.first_trunk, some)
        if each * len(self.index) > left:
            raise InputError(
                f"--time-budget: looking at {len(self.index):,} photographs takes about "
                f"{duration(each * len(self.index))}, but only {duration(max(left, 0))} are left; give more time"
            )

    def mirrored(self, left=math.inf):
        return self.see(self.first_trunk, Mirrored(self.images), "mirror images", left=left)

    def views(self, left):
        return self.see(self.first_trunk, self.images, "augmented images", left=left, views=self.views_of)

    def _known(self) -> Named | None:
        """Return all the run's photographs as its training named them, if their features are cached; else None."""
        named = self._named()
        return named if named and features.ready(self.first_trunk, named, cache_dir=self.cache_dir) else None

    def _named(self) -> Named | None:
        """Return all the run's photographs as its training named them; None if their digests are not known."""
        if self.whole is None or not all(self.whole.sha256):
            return None
        size = self.trunk.image_size
        return Named((len(self.whole), *size, 3), decoded.key_of(self.whole, size))

    def second(self, left):
        """Return the features of a second trunk; a training with a second opinion finds the same in the cache."""
        named = self._named()
        images = Renamed(self.images, stores.Chosen(named, self.at).key) if named else self.images
        return self.see(self.other_trunk, images, "photographs for a second trunk", left=left)

    def second_mirrored(self, left):
        return self.see(self.other_trunk, Mirrored(self.images), "mirror images for a second trunk", left=left)

    def larger(self, left):
        if left <= 0:  # checked here, before the photographs are decoded at the larger size
            raise NoTime("no time is left for larger images")
        trunk = dataclasses.replace(self.trunk, image_size=larger_size(self.trunk)).built()
        return self.see(trunk, self.larger_images, "larger images", left=left)

    def mixed(self, left, takers, *, seed: int = 0) -> Mixed:
        """Return features of pictures cut together from a weak class and the class that it is mistaken for."""
        first, second = _pairs(self.index.labels, takers, seed)
        boxes, share = _boxes(len(first), self.images.shape[1:3], seed)
        pictures = CutTogether(self.images, first, second, boxes)
        return Mixed(self.see(self.first_trunk, pictures, "images cut together", left=left), first, second, share)


def second_trunk(first: Trunk) -> str | None:
    """Return the name of another trunk; None if its weights are not installed, or if `first` is two already."""
    name = second_for(first.backbone)
    return name if not first.second and efficientnet_lite.at_hand(name) else None


def larger_size(trunk: Trunk) -> tuple[int, int]:
    """Return the size of the larger images, rounded up to a multiple of 32 pixels, which suits trunks."""
    return tuple(math.ceil(LARGER * side / 32) * 32 for side in trunk.image_size)


def look(eyes: Eyes, *, takers: dict[int, int], left: Callable[[], float], max_params: int | None = None) -> Seen:
    """Compute the features that remedies need, one kind after the other, while there is time; print what is left out.

    Args:
        eyes: for the photographs.
        takers: weak class -> the class that it is most often mistaken for.
        left: function () -> seconds that are left for this.
        max_params: the most parameters that a network may have; None for any number.
    """
    found, missing = {"plain": eyes.plain()}, {}
    if why := _no_second(eyes, max_params):
        missing |= dict.fromkeys(("second", "second_mirrored"), why)
    if not takers:
        missing["mixed"] = "no photographs of weak classes are taken for another class"
    for name in ORDER:
        if name == "larger":
            eyes.forget("images")  # larger ones take more memory than these, and nothing after them needs these
        if name not in missing:
            try:
                found[name] = eyes.mixed(left(), takers) if name == "mixed" else getattr(eyes, name)(left())
            except NoTime as error:
                missing[name] = f"for lack of time: {error}"
                print(f"Not tried, {missing[name]}.")
    eyes.forget("larger_images", "first_trunk", "other_trunk")
    return Seen(**found, missing=missing)


def _no_second(eyes: Eyes, max_params: int | None) -> str:
    """Return why no remedy with a second trunk can be tried; "" if they can."""
    if eyes.trunk.second:
        return "the run already has two trunks"
    if second_trunk(eyes.trunk) is None:
        return f"the weights of {second_for(eyes.trunk.backbone)} are missing; they are installed with kfg"
    if max_params is None:
        return ""
    names = (eyes.trunk.backbone, second_trunk(eyes.trunk))
    settings = {"num_classes": len(eyes.index.classes), "image_size": eyes.trunk.image_size, "weights": "none"}
    nets = [shapes_only(functools.partial(backbones.classifier, name, **settings)) for name in names]
    parameters = sum(net.count_params() for net in nets)
    if parameters <= max_params:
        return ""
    return f"with it the network would have {parameters:,} parameters, more than the {max_params:,} that are allowed"


def _pairs(labels, takers, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of photographs of weak classes, and a random partner for each, of the class it is taken for."""
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
    """Return CutMix rectangles of uniformly random area, int (P, 4), and the share of the picture outside each."""
    drawn = draws.uniforms(draws.derived_seed(seed, _BOX), epoch=0, positions=np.arange(count), count=3)
    return mixing.rectangles(np.sqrt(drawn[:, 0]), drawn[:, 1:], size)
