"""Fingerprints of image files (digest, perceptual hash, form), and the duplicates and near-duplicates they reveal.

The audit and the splits use them.
"""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections.abc import Iterable, Sequence

import imagehash
import numpy as np
from PIL import Image

from kfg.data import decode, exif, near, signs
from kfg.data.bad_image import BadImage
from kfg.data.signs import Signs
from kfg.data.smoothness import smoothness
from kfg.data.to_rgb import has_alpha, to_rgb

READ_SIDE = 256  # px; a large JPEG is decoded at a reduced size of at least this: hash and thumbnail need only 32
THUMB_SIDE = 16  # px
# Two images are near-duplicates if their hashes differ in at most NEAR_BITS of 64 and their colour thumbnails
# correlate at NEAR_CORRELATION or more. All pairs of files with different bytes that this finds were looked at: in
# fruit3 all 33 are the same photograph or scene (re-encoded, cropped, captioned, the next frame), and so are both in
# cub100. The hash alone is not enough: of the 29 pairs of cub100 within 8 bits, 26 are other birds in the same pose.
# Of the 59 pairs in caltech20 most are different motorcycles cut out on white; taking them for duplicates does no
# more harm than to keep them in one part.
NEAR_BITS = 8
NEAR_CORRELATION = 0.95
FLAT = 2.0  # standard deviation in levels; a thumbnail with less contrast has no structure to compare
NEIGHBOURS = 32  # each image is compared with its nearest earlier images only, so that 20,000 frames of a film are fast
GROUP_BITS = 12  # largest distance inside a group: chains A ~ B ~ C ... must not join a whole class into one group
BLOCK = 1024  # thumbnails compared at a time; they take 0.8 MB
HASH_PAIRS = 1 << 18  # pairs of hashes compared at a time; they take 2 MB


@dataclasses.dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is known of one image file.

    If the file could not be read, only `path`, `problem` (the kind of the BadImage) and `reason` (its text) are set.

    Args:
        path: the path as it was given.
        sha256: hex digest of the file's bytes.
        size: (width, height) in pixels, after the EXIF rotation.
        format, mode: Pillow's names for the file's format and mode.
        alpha: bool, the file has transparency.
        grey: bool, every pixel has three equal channels.
        orientation: EXIF orientation; 1 is upright.
        phash: int, perceptual hash of 64 bits.
        thumb: uint8 (THUMB_SIDE, THUMB_SIDE, 3), a thumbnail.
        signs: signs of a blank or damaged picture, and more; see kfg.data.signs.
        smoothness: see kfg.data.smoothness; None if it was not or cannot be measured.
        camera, day: camera and day from EXIF, "" if it has none.
    """

    path: str
    sha256: str = ""
    size: tuple[int, int] = (0, 0)
    format: str = ""
    mode: str = ""
    alpha: bool = False
    grey: bool = False
    orientation: int = 1
    phash: int = 0
    thumb: np.ndarray | None = None
    signs: Signs | None = None
    smoothness: float | None = None
    camera: str = ""
    day: str = ""
    problem: str = ""
    reason: str = ""


def read(root, paths: Sequence[str], *, progress=None) -> list[Fingerprint]:
    """Return the fingerprints of files; every file is read once, on all cores, and takes about 2 kB of memory.

    Args:
        root: folder that `paths` are relative to.
        paths: the files.
        progress: function (files done, files in all), called after each.
    Returns:
        one Fingerprint per path, in order.
    """
    root, prints = pathlib.Path(root), []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(lambda path: _read_one(root, path), paths):
            prints.append(one)
            if progress is not None:
                progress(len(prints), len(paths))
    return prints


def _read_one(root, path) -> Fingerprint:
    try:
        data = decode.read_bytes(root / path)
        image = decode.load(data, root / path, at_least=READ_SIDE)
        pixels = to_rgb(image, root / path)
    except BadImage as error:
        return Fingerprint(path, problem=error.kind, reason=error.reason)
    of_picture = _looks(pixels)
    width, height = image.info["full_size"]
    camera, day = exif.taken(image)
    turn = exif.orientation(image)
    return Fingerprint(
        path,
        sha256=hashlib.sha256(data).hexdigest(),
        **of_picture,
        size=(height, width) if turn >= 5 else (width, height),
        format=image.format or "",
        mode=image.info["mode"],
        alpha=has_alpha(image),
        orientation=turn,
        signs=signs.of(image, pixels, data),
        camera=camera,
        day=day,
    )


def of_pixels(pixels: np.ndarray, name: str) -> Fingerprint:
    """Return the fingerprint of an image that is not a file, as far as finding copies and near-duplicates needs it.

    Args:
        pixels: uint8 (H, W, 3).
        name: name of the image, used in place of the path.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return Fingerprint(name, sha256=digest, size=(width, height), mode="RGB", **_looks(pixels))


def _looks(pixels) -> dict:
    """Return what the pixels alone tell, as a dict: hash, thumbnail, smoothness, and whether the picture is grey."""
    picture = Image.fromarray(pixels)
    thumb = np.asarray(picture.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX))
    brightness = picture.convert("L")  # imagehash would convert the picture as well
    phash = int.from_bytes(np.packbits(imagehash.phash(brightness).hash).tobytes(), "big")
    grey = _is_grey(thumb) and _is_grey(pixels)
    return {"grey": grey, "phash": phash, "thumb": thumb, "smoothness": smoothness(brightness)}


def _is_grey(pixels) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def near_pairs(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Find near-duplicates among images with different bytes.

    Of several files with the same bytes only the first is compared.

    Returns:
        int64 (P, 3): earlier position, later position, number of differing bits; sorted by bits, then position. Each
        image is compared with its NEIGHBOURS nearest earlier images only.
    """
    at = np.array(_first_of_each_content(prints), dtype=np.int64)
    found = [np.zeros((0, 3), dtype=np.int64)]
    for block in near.pairs(hashes_of([prints[i] for i in at]), bits=NEAR_BITS, most=NEIGHBOURS):
        block[:, :2] = at[block[:, :2]]
        found.append(block[_alike(prints, block)])
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 0], pairs[:, 1], pairs[:, 2]))]


def hashes_of(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Return the perceptual hashes, uint64 (N,)."""
    return np.array([one.phash for one in prints], dtype=np.uint64)


def _first_of_each_content(prints):
    at = [i for i, one in enumerate(prints) if not one.problem]
    flat = [_flat([prints[i].thumb for i in at[start : start + BLOCK]]) for start in range(0, len(at), BLOCK)]
    seen, first = set(), []
    for i, no_structure in zip(at, itertools.chain.from_iterable(flat), strict=True):
        if not no_structure and prints[i].sha256 not in seen:
            seen.add(prints[i].sha256)
            first.append(i)
    return first


def _flat(thumbs) -> list[bool]:
    return (np.stack(thumbs).std(axis=(1, 2)).max(axis=1) < FLAT).tolist()


def _alike(prints, pairs) -> np.ndarray:
    """Return which of some pairs of positions have thumbnails that correlate."""
    if not len(pairs):
        return np.zeros(0, dtype=bool)
    earlier, later = (_standard(np.stack([prints[i].thumb for i in column])) for column in pairs[:, :2].T)
    return (earlier * later).sum(axis=1) >= NEAR_CORRELATION


def _standard(thumbs) -> np.ndarray:
    """Return each thumbnail as a float32 row, each channel centred at 0, scaled to length 1.

    The dot product of two such rows is the correlation of the thumbnails.
    """
    rows = thumbs.astype(np.float32)
    rows -= rows.mean(axis=(1, 2), keepdims=True)
    rows = rows.reshape(len(rows), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def group(prints: Sequence[Fingerprint], known: Iterable[int], *, pairs: np.ndarray | None = None) -> np.ndarray:
    """Divide files into groups that must stay together in one part.

    Files of the same `known` group and files of equal bytes are always joined. Near-duplicates are joined after that,
    the closest pairs first, unless the joined group would hold two images more than GROUP_BITS apart.

    Args:
        prints: N fingerprints, none with a problem.
        known: N group ids.
        pairs: the result of `near_pairs` for these fingerprints, if the caller has it already.
    Returns:
        int64 (N,), for each image the position of the first member of its group.
    """
    sets = [[i] for i in range(len(prints))]
    for keys in (known, [one.sha256 for one in prints]):
        first = {}
        for i, key in enumerate(keys):
            _join(sets, first.setdefault(key, i), i)
    hashes, refused = hashes_of(prints), set()
    for i, j, _ in (near_pairs(prints) if pairs is None else pairs).tolist():
        # A set keeps its first member when others join it, and only moves further from the sets that it may not join.
        key = frozenset((sets[i][0], sets[j][0]))
        if len(key) == 1 or key in refused:  # checked first, because comparing costs the product of the two group sizes
            continue
        if _close(hashes[sets[i]], hashes[sets[j]]):
            _join(sets, i, j)
        else:
            refused.add(key)
    earliest = {}
    return np.array([earliest.setdefault(id(members), i) for i, members in enumerate(sets)], dtype=np.int64)


def _close(one, other) -> bool:
    """Return whether each hash of one set is at most GROUP_BITS from each of another; both are uint64."""
    rows = max(1, HASH_PAIRS // len(other))
    blocks = (one[start : start + rows, None] for start in range(0, len(one), rows))
    return all(np.bitwise_count(block ^ other).max() <= GROUP_BITS for block in blocks)


def _join(sets, i, j):
    if sets[i] is sets[j]:
        return
    small, large = sorted((sets[i], sets[j]), key=len)
    large.extend(small)
    for member in small:
        sets[member] = large
