"""What the audit and the splits know of each image file: digest, perceptual hash, form; and which files are alike."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence

import imagehash
import numpy as np
from PIL import Image

from kfg.data import decode, signs
from kfg.data.decode import BadImage
from kfg.data.signs import Signs

READ_SIDE = 256  # px; a large JPEG is decoded no finer than this here, hash and thumbnail need 32
THUMB_SIDE = 16  # px
# Two images are near-duplicates if their hashes differ in at most NEAR_BITS of 64 and their colour thumbnails
# correlate at NEAR_CORRELATION or more. Looked at, pair by pair, files of different bytes: all 33 pairs in fruit3
# are the same photograph or scene (re-encoded, cropped, captioned, the next frame), and so are both in cub100. The
# hash alone will not do: of the 29 pairs of cub100 within 8 bits, 26 are other birds in the same pose. Of the 59
# in caltech20 most are different motorcycles cut out on white; taken for one, they only stay in one part.
NEAR_BITS = 8
NEAR_CORRELATION = 0.95
FLAT = 2.0  # levels, standard deviation; a thumbnail of less contrast has no structure to compare
NEIGHBOURS = 32  # nearest earlier images compared with each image, so that 20,000 frames of one film stay affordable
GROUP_BITS = 12  # largest distance inside a group: A ~ B ~ C ... must not chain a whole class into one group
BLOCK = 128  # images compared with all others at a time; at 20,000 images 20 MB


@dataclasses.dataclass(frozen=True, eq=False)
class Fingerprint:
    """One file. If `problem` is set (the kind of a BadImage, `reason` its text) only `path` is known.

    Args:
        path: as given.
        sha256: hex digest of the bytes.
        size: (width, height) in pixels, upright.
        format, mode: Pillow's names of what the file holds.
        alpha: bool.
        grey: bool, every pixel has three equal channels.
        orientation: EXIF, 1 is upright.
        phash: int, 64 bits.
        thumb: uint8 (THUMB_SIDE, THUMB_SIDE, 3).
        signs: what can be seen of the picture.
        camera, day: as EXIF says, "" where it says nothing.
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
    camera: str = ""
    day: str = ""
    problem: str = ""
    reason: str = ""


def read(root, paths: Sequence[str], *, progress=None) -> list[Fingerprint]:
    """Read every file once, on all cores; of each only the fingerprint (about 2 kB) is kept.

    Args:
        root: folder that `paths` are relative to.
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
        pixels = decode.to_rgb(image, root / path)
    except BadImage as error:
        return Fingerprint(path, problem=error.kind, reason=error.reason)
    of_picture = _looks(pixels)
    width, height = image.info["full_size"]
    camera, day = decode.taken(image)
    turn = decode.orientation(image)
    return Fingerprint(
        path,
        sha256=hashlib.sha256(data).hexdigest(),
        **of_picture,
        size=(height, width) if turn >= 5 else (width, height),
        format=image.format or "",
        mode=image.info["mode"],
        alpha=decode.has_alpha(image),
        orientation=turn,
        signs=signs.of(image, pixels, data),
        camera=camera,
        day=day,
    )


def of_pixels(pixels: np.ndarray, name: str) -> Fingerprint:
    """Return the fingerprint of an image that is no file: what tells copies and near-duplicates.

    Args:
        pixels: uint8 (H, W, 3).
        name: stands for the path.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return Fingerprint(name, sha256=digest, size=(width, height), mode="RGB", **_looks(pixels))


def _looks(pixels) -> dict:
    """Return what two pictures are compared by, and whether all is grey."""
    picture = Image.fromarray(pixels)
    thumb = np.asarray(picture.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX))
    phash = int.from_bytes(np.packbits(imagehash.phash(picture).hash).tobytes(), "big")
    return {"grey": _is_grey(thumb) and _is_grey(pixels), "phash": phash, "thumb": thumb}


def _is_grey(pixels) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def near_pairs(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Find the near-duplicates among images of different bytes.

    Of several files with the same bytes only the first is compared.

    Returns:
        int64 (P, 3): earlier position, later position, differing bits; by bits, then position. Each image is
        compared with at most NEIGHBOURS earlier ones, the nearest.
    """
    at = np.array(_first_of_each_content(prints), dtype=np.int64)
    if len(at) < 2:
        return np.zeros((0, 3), dtype=np.int64)
    hashes = hashes_of([prints[i] for i in at])
    thumbs = np.stack([prints[i].thumb for i in at])
    found = []
    for start in range(0, len(at), BLOCK):
        found.extend(_near_earlier(hashes, thumbs, start))
    pairs = np.array([(at[i], at[j], bits) for i, j, bits in found], dtype=np.int64).reshape(-1, 3)
    return pairs[np.lexsort((pairs[:, 0], pairs[:, 1], pairs[:, 2]))]


def hashes_of(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Return the perceptual hashes, uint64 (N,)."""
    return np.array([one.phash for one in prints], dtype=np.uint64)


def _first_of_each_content(prints):
    seen, first = set(), []
    for i, one in enumerate(prints):
        if not one.problem and one.sha256 not in seen and one.thumb.std(axis=(0, 1)).max() >= FLAT:
            seen.add(one.sha256)
            first.append(i)
    return first


def _near_earlier(hashes, thumbs, start):
    """Yield (earlier, later, bits) for the images of one block."""
    stop = min(start + BLOCK, len(hashes))
    bits = np.bitwise_count(hashes[start:stop, None] ^ hashes[None, :stop])
    candidates = []
    for row, distances in enumerate(bits):
        earlier = np.flatnonzero(distances[: start + row] <= NEAR_BITS)
        nearest = earlier[np.argsort(distances[earlier], kind="stable")[:NEIGHBOURS]]
        candidates.extend((i, start + row, distances[i]) for i in nearest)
    if not candidates:
        return
    pairs = np.array(candidates, dtype=np.int64)
    alike = (_standard(thumbs[pairs[:, 0]]) * _standard(thumbs[pairs[:, 1]])).sum(axis=1) >= NEAR_CORRELATION
    yield from pairs[alike].tolist()


def _standard(thumbs) -> np.ndarray:
    """Return float32 rows, each channel's mean taken off, of length 1: their dot product is the correlation."""
    rows = thumbs.astype(np.float32)
    rows -= rows.mean(axis=(1, 2), keepdims=True)
    rows = rows.reshape(len(rows), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def group(prints: Sequence[Fingerprint], known: Iterable[int], *, pairs: np.ndarray | None = None) -> np.ndarray:
    """Put files that must not be separated into groups.

    Files of one `known` group or of equal bytes are joined always; near-duplicates from the closest on, unless the
    joined group would hold two images more than GROUP_BITS apart.

    Args:
        prints: N fingerprints, none with a problem.
        known: N group ids.
        pairs: what `near_pairs` says of these fingerprints, where it has been asked before.
    Returns:
        int64 (N,), the position of the first member of each image's group.
    """
    sets = [[i] for i in range(len(prints))]
    for keys in (known, [one.sha256 for one in prints]):
        first = {}
        for i, key in enumerate(keys):
            _join(sets, first.setdefault(key, i), i)
    hashes = hashes_of(prints)
    for i, j, _ in (near_pairs(prints) if pairs is None else pairs).tolist():
        if sets[i] is sets[j]:  # asked first: the next line costs the product of the two sizes
            continue
        if np.bitwise_count(hashes[sets[i], None] ^ hashes[None, sets[j]]).max() <= GROUP_BITS:
            _join(sets, i, j)
    return np.array([min(members) for members in sets], dtype=np.int64)


def _join(sets, i, j):
    if sets[i] is sets[j]:
        return
    small, large = sorted((sets[i], sets[j]), key=len)
    large.extend(small)
    for member in small:
        sets[member] = large
