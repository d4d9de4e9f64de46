"""The eightfold training set of study fruit3: every image and seven changed copies of it, made when they are read.

The 8 N images have positions (places) 0 ... 8 N - 1; place p holds copy p % 8 of image p // 8. At 300 pixels the copies
of the study would fill 7 GB, so they are not stored: `Repeated` returns the originals, and `Eightfold`, a policy, turns
each into its copy.

The report of the study and its code disagree about the copies:

    place   report                              source
    0-3     as it is, V, H, VH                  the same
    4       as it is, cropped and turned        as it is (the code passes the wrong transform)
    5-7     V, H, VH, cropped and turned        the same
    random  drawn once, before training         drawn anew every epoch

V mirrors top-bottom, H left-right. "Cropped and turned": a crop of 0.8 to 1 of the area, with width / height from 3/4
to 4/3, is stretched to the full size and then rotated by up to 15 degrees, black outside.
"""

import dataclasses

import numpy as np

from kfg.augment.crops import ResizedCrop
from kfg.augment.policies import check_batch

COPIES = 8
VARIANTS = ("report", "source")
CROP = ResizedCrop(scale=(0.8, 1.0), rotation=15)
_FLIPPED = {0: (), 1: (1,), 2: (2,), 3: (1, 2)}  # place % 4 -> axes of (B, H, W, C) mirrored


class Repeated:
    """A store that repeats each image of another store eight times in a row, without copying it in memory."""

    def __init__(self, store):
        self.store = store
        self.dtype = getattr(store, "dtype", np.dtype(np.uint8))

    def __len__(self) -> int:
        return COPIES * len(self.store)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.store.shape[1:])

    def gather(self, positions) -> np.ndarray:
        return self.store.gather(np.asarray(positions) // COPIES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eightfold:
    """A policy that turns the image at place p of a `Repeated` into its copy p % 8; see the module's docstring.

    Args:
        variant: "report" or "source": make the copies as the study's report or as its source code says.
    Raises:
        ValueError: the variant is another one.
    Example:
        >>> images = np.arange(8 * 48, dtype=np.uint8).reshape(8, 4, 4, 3)[:1].repeat(8, axis=0)
        >>> copies = Eightfold().apply(images, np.zeros(8), seed=0, epoch=0, positions=np.arange(8))
        >>> bool((copies[3] == images[3, ::-1, ::-1]).all()), bool((copies[4] == images[4]).all())
        (True, True)
    """

    variant: str = "source"

    def __post_init__(self):
        if self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}")

    def apply(self, images: np.ndarray, labels: np.ndarray, *, seed: int, epoch: int, positions: np.ndarray):
        """Return the copies, uint8 (B, H, W, 3), a new array.

        The arguments are those of `Policy.apply`, with `positions` in [0, 8 N).
        """
        images = check_batch(images, labels, positions)
        copy = np.asarray(positions) % COPIES
        out = np.empty_like(images)
        for flips, axes in _FLIPPED.items():
            rows = np.flatnonzero(copy % 4 == flips)
            out[rows] = np.flip(images[rows], axes)
        changed = np.flatnonzero(copy >= (4 if self.variant == "report" else 5))
        if len(changed):
            drawn_in = 0 if self.variant == "report" else epoch
            out[changed] = CROP.apply(
                out[changed],
                np.zeros(len(changed)),
                seed=seed,
                epoch=drawn_in,
                positions=np.asarray(positions)[changed],
            )
        return out
