"""Small copies of test photographs, for a page that carries them all and is still small enough to mail.

Photographs that the model got wrong are larger than the others. Both sizes follow from the number of photographs and
from how many bytes a sample of them takes: a page of 5,000 photographs stays under 5 MB.
"""

import base64
import dataclasses
import io
import pathlib
from collections.abc import Callable, Collection

import cv2
import numpy as np
from PIL import Image

from kfg.data.decode import size_shown
from kfg.errors import InputError
from kfg.evaluation.predict import Predictions

BUDGET = 3_000_000  # characters for all thumbnails of a page; the page has 5 MB
FOR_RIGHT = 0.8  # share of BUDGET for the size that all photographs have, before wrong ones are made larger
MOST = 6000  # most photographs on a page: as many as fit at the lowest rung
SAMPLE = 48  # photographs on which sizes are tried
# (pixels of the longer side, WebP quality); chosen on birds and fruit: below 48 px, species cannot be told apart
RUNGS = ((160, 70), (128, 60), (96, 55), (80, 45), (72, 40), (64, 40), (56, 35), (48, 40), (40, 30))
MAPS = RUNGS[0]  # for heat maps, of which there are few


@dataclasses.dataclass(frozen=True)
class Thumbnails:
    """Encoded thumbnails.

    Args:
        kept: positions, among the predictions, of the photographs that the page shows, in rising order.
        encoded: for each of them a WebP in base64; "" if its picture is on the page anyway; None if the photograph
            could not be read.
        side: pixels of the longer side at most, for photographs that are right and for those that are wrong.
        count: number of all predictions.
    """

    kept: list[int]
    encoded: list[str | None]
    side: tuple[int, int]
    count: int


def make(
    predictions: Predictions, read: Callable[[int], np.ndarray | None], *, standing: Collection[int] = ()
) -> Thumbnails:
    """Make the thumbnails of a page.

    Args:
        predictions: N answers.
        read: function position -> uint8 (H, W, 3), or None for a photograph that cannot be read; called once for each.
        standing: positions of photographs whose pictures are on the page anyway; they are not read.
    """
    kept = most_telling(predictions)
    needed = [at for at in kept if at not in standing]
    wrong = predictions.predicted != predictions.labels
    tried = {at: read(at) for at in needed[:: max(1, len(needed) // SAMPLE)]}
    rungs = sizes([one for one in tried.values() if one is not None], len(needed), int(wrong[needed].sum()))
    encoded = dict.fromkeys(standing, "")
    for at in needed:
        pixels = tried.pop(at) if at in tried else read(at)
        encoded[at] = None if pixels is None else encode(pixels, *rungs[int(wrong[at])])
    return Thumbnails(kept, [encoded[at] for at in kept], (rungs[0][0], rungs[1][0]), len(predictions))


def reader(paths, root, decode, store=None) -> Callable[[int], np.ndarray | None]:
    """Return a function position -> uint8 (H, W, 3), or None for a photograph that cannot be read.

    Decoded photographs come no larger than the largest thumbnail, as `make` holds many of them at once.

    Args:
        paths: N paths, relative to `root`.
        root: folder of the photographs.
        decode: function full path -> uint8 (H, W, 3), used if there is no store.
        store: N decoded images, squashed to a model's size. With a store, only the headers of the files are read, to
            undo the squashing.
    """
    root = pathlib.Path(root)

    def decoded(at):
        try:
            return shrunk(decode(root / paths[at]), RUNGS[0][0])
        except (OSError, ValueError):  # reported among the worst images, or when it was first read
            return None

    return decoded if store is None else lambda at: as_taken(store.gather([at])[0], root / paths[at])


def most_telling(predictions: Predictions) -> list[int]:
    """Return the positions of up to MOST photographs, in rising order: those named wrong, then the least certain."""
    if len(predictions) <= MOST:
        return list(range(len(predictions)))
    right = predictions.predicted == predictions.labels
    order = np.lexsort((predictions.probabilities.max(axis=1), right))
    return sorted(order[:MOST].tolist())


def sizes(sample, count: int, wrong: int):
    """Return the rungs for photographs that are right and for those that are wrong.

    Args:
        sample: some of the photographs, uint8 (H, W, 3).
        count: number of all photographs.
        wrong: number of photographs that are wrong.
    """
    if not sample:
        return RUNGS[-1], RUNGS[-1]
    taken = {rung: sum(len(encode(one, *rung)) for one in sample) / len(sample) for rung in RUNGS}

    def largest(number, room):
        return next((rung for rung in RUNGS if taken[rung] * number <= room), RUNGS[-1])

    of_right = largest(count, FOR_RIGHT * BUDGET)
    of_wrong = largest(max(wrong, 1), BUDGET - taken[of_right] * (count - wrong))
    return of_right, max(of_right, of_wrong)


def encode(pixels: np.ndarray, side: int, quality: int) -> str:
    """Return uint8 (H, W, 3) as a WebP in base64, at most `side` pixels wide and high, never enlarged."""
    buffer = io.BytesIO()
    Image.fromarray(shrunk(pixels, side)).save(buffer, "WEBP", quality=quality, method=4)
    return base64.b64encode(buffer.getvalue()).decode()


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return the image as uint8 (h, w, 3), at most `side` pixels wide and high, with its proportions kept."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def as_taken(pixels: np.ndarray, path) -> np.ndarray:
    """Return an image that was squashed to a model's size with its file's proportions; no side gets longer.

    Args:
        pixels: uint8 (H, W, 3).
        path: path of the file, whose header is read; if that fails, the pixels are returned unchanged.
    """
    try:
        height, width = size_shown(path)
    except InputError:
        return pixels
    scale = min(pixels.shape[0] / height, pixels.shape[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
