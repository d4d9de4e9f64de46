"""Compute the features that remedies need: each once, the most promising first, as far as time allows."""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable

import numpy as np

from kfg.data import decoded, stores
from kfg.data.index import Index
from kfg.engine.options import second_for
from kfg.errors import InputError
from kfg.models import backbones
from kfg.models.catalogue import shapes_only
from kfg.progress import Progress, duration
from kfg.repairing import pictures
from kfg.repairing.case import Mixed, Seen
from kfg.repairing.trunks import Trunk, larger_size, second_trunk
from kfg.training import features
from kfg.training.features import Views

TIMED = 64  # photographs on which the pace of computing features is measured
ORDER = ("second", "mirrored", "second_mirrored", "views", "mixed", "larger")  # fields of Seen, most promising first


class NoTime(Exception):
    """Computing some features would take longer than the time that is left."""


@dataclasses.dataclass(frozen=True, eq=False)
class Eyes:
    """Computes features of photographs, or takes them from the cache.

    Args:
        index: N photographs.
        trunk: the trunk that computes the features.
        augmentation: number and policy of the augmented pictures of each photograph.
        cache_dir: folder in which features are kept.
        whole, at: all photographs of the run, and int (N,), the positions of the N among them. The training may have
            left features of all in the cache.
    """

    index: Index
    trunk: Trunk
    augmentation: Views
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
        features.forget()

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
        return self.see(self.first_trunk, pictures.Mirrored(self.images), "mirror images", left=left)

    def views(self, left):
        return self.see(self.first_trunk, self.images, "augmented images", left=left, views=self.augmentation)

    def _known(self) -> pictures.Named | None:
        """Return all the run's photographs as its training named them, if their features are cached; else None."""
        named = self._named()
        return named if named and features.ready(self.first_trunk, named, cache_dir=self.cache_dir) else None

    def _named(self) -> pictures.Named | None:
        """Return all the run's photographs as its training named them; None if their digests are not known."""
        if self.whole is None or not all(self.whole.sha256):
            return None
        size = self.trunk.image_size
        return pictures.Named((len(self.whole), *size, 3), decoded.key_of(self.whole, size))

    def second(self, left):
        """Return the features of a second trunk; a training with a second opinion finds the same in the cache."""
        named = self._named()
        images = pictures.Renamed(self.images, stores.Chosen(named, self.at).key) if named else self.images
        return self.see(self.other_trunk, images, "photographs for a second trunk", left=left)

    def second_mirrored(self, left):
        return self.see(self.other_trunk, pictures.Mirrored(self.images), "mirror images for a second trunk", left=left)

    def larger(self, left):
        if left <= 0:  # checked here, before the photographs are decoded at the larger size
            raise NoTime("no time is left for larger images")
        trunk = dataclasses.replace(self.trunk, image_size=larger_size(self.trunk)).built()
        return self.see(trunk, self.larger_images, "larger images", left=left)

    def mixed(self, left, takers) -> Mixed:
        """Return features of pictures cut together from a weak class and the class that it is mistaken for."""
        first, second = pictures.pairs(self.index.labels, takers)
        boxes, share = pictures.boxes(len(first), self.images.shape[1:3])
        cut = pictures.CutTogether(self.images, first, second, boxes)
        return Mixed(self.see(self.first_trunk, cut, "images cut together", left=left), first, second, share)


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
