"""Draw a demo data folder to try kfg on.

It has twenty classes in families of look-alikes, with different numbers of images and with planted blemishes.
"""

import concurrent.futures
import io
import json
import os
import pathlib
import shutil

import numpy as np
from PIL import Image

from kfg.data.demo_photo import photograph
from kfg.data.demo_shapes import FAMILIES
from kfg.data.listing import list_folder
from kfg.errors import InputError
from kfg.files import beside, flush_tree, rename, sweep

SIZE = (96, 120)  # (width, height) in pixels
IMAGES_PER_CLASS = 64  # mean over the classes, blemishes not counted
LOPSIDED = (1.3, 1.0, 0.75)  # number of images of a family's first, second and third class, relative to the mean
SIBLINGS = tuple(tuple(kinds) for kinds in FAMILIES.values())  # the classes in one tuple are easily confused
CLASSES = tuple(sorted(name for family in SIBLINGS for name in family))
HIDDEN = ".kfg_demo"  # a planted hidden folder; it holds the list of the planted blemishes
PLANTED = "planted.json"
EXIF_ORIENTATION = 0x0112


def write(root, *, images_per_class: int = IMAGES_PER_CLASS, size: tuple[int, int] = SIZE, seed: int = 0) -> dict:
    """Draw the demo as `root/<class>/<class>_NNNN.jpg`; equal arguments give equal bytes.

    The folder appears complete or not at all. If it already holds the same demo, it is left as it is. The blemishes do
    not hinder training: the audit lists all of them and finds no error.

    Args:
        root: a folder that does not exist yet, is empty, or holds this demo.
        images_per_class: mean over the classes, >= 8.
        size: (width, height) in pixels, each >= 32.
        seed: int >= 0.
    Returns:
        The planted blemishes: kind of finding -> sorted paths relative to `root`.
    Raises:
        InputError: arguments are out of range, or `root` holds something else, has files too many or too few, or cannot
            be written.
    """
    root = pathlib.Path(root)
    if images_per_class < 8:
        raise InputError(f"images_per_class: must be at least 8, got {images_per_class}")
    if min(size) < 32:
        raise InputError(f"size: must be at least 32x32 pixels, got {size[0]}x{size[1]}")
    wanted = {"images_per_class": images_per_class, "size": list(size), "seed": seed}
    partial = beside(root.absolute())  # absolute, because the path "." has no name
    try:
        sweep(root.absolute().parent, root.absolute().name)  # removes what a killed process left half drawn
        if root.exists() and any(root.iterdir()):
            planted = _already_there(root, wanted)
            _check_files(root, counts(images_per_class), planted)
            return planted
        partial.mkdir(parents=True)
        planted = _draw_all(partial, images_per_class, tuple(size), seed)
        text = json.dumps({**wanted, "planted": planted}, indent=1)
        (partial / HIDDEN / PLANTED).write_text(text, encoding="utf-8")
        if root.exists():
            root.rmdir()
        flush_tree(partial)
        rename(partial, root)
    except OSError as error:
        raise InputError(f"{root}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return planted


def counts(images_per_class: int) -> dict[str, int]:
    """Return the number of images drawn for each class, blemishes not counted.

    Example:
        >>> counts(64)["finch"], counts(64)["wagtail"]
        (83, 48)
    """
    share = {name: LOPSIDED[place] for family in SIBLINGS for place, name in enumerate(family)}
    return {name: round(images_per_class * share[name]) for name in CLASSES}


def _already_there(root, wanted) -> dict:
    try:
        found = json.loads((root / HIDDEN / PLANTED).read_text(encoding="utf-8"))
        planted = found.pop("planted")
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError) as error:
        raise InputError(f"{root}: is not empty and does not hold kfg's demo; give another folder") from error
    if found != wanted:
        raise InputError(f"{root}: holds a demo drawn with {found}; give another folder or remove it")
    return planted


def _check_files(root, drawn, planted):
    """Raise unless the folder has exactly the image files that were drawn; their contents are not checked."""
    wanted = {_path(name, i) for name, count in drawn.items() for i in range(count)}
    wanted |= {path for kind, paths in planted.items() if kind != "hidden" for path in paths}
    wrong = sorted(wanted ^ {path for path, _, _ in list_folder(root).images})
    if wrong:
        what = "is missing" if wrong[0] in wanted else "does not belong to it"
        raise InputError(
            f"{root}: holds kfg's demo, but {wrong[0]} {what} (one of {len(wrong)} such images); "
            "remove the folder to have it drawn again, or give another"
        )


def _draw_all(root, images_per_class, size, seed) -> dict:
    jobs = [(name, i) for name, count in counts(images_per_class).items() for i in range(count)]
    for name in CLASSES:
        (root / name).mkdir()

    def one(job):
        name, i = job
        rng = np.random.default_rng([seed, CLASSES.index(name), i])
        image = photograph(name, rng, size)
        (root / _path(name, i)).write_bytes(_jpeg(image, quality=int(rng.integers(82, 95))))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, jobs))
    return _plant(root, counts(images_per_class), size, seed)


def _path(name, i) -> str:
    return f"{name}/{name}_{i:04d}.jpg"


def _jpeg(image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def _plant(root, drawn, size, seed) -> dict:
    """Add the blemishes after the last image of their class, so that the audit reports them as the extra files."""
    planted = {}

    def add(kind, name, data):
        path = _path(name, drawn[name])
        drawn[name] += 1
        (root / path).write_bytes(data)
        planted.setdefault(kind, []).append(path)

    def fresh(name, size=size):
        return photograph(name, np.random.default_rng([seed, CLASSES.index(name), drawn[name]]), size)

    for name, other in (("finch", (80, 80)), ("oak", (size[0] + 24, size[1])), ("sloop", (size[0] // 2, size[1] // 2))):
        add("odd-size", name, _jpeg(fresh(name, other), quality=90))
    for name, i in (("perch", 3), ("perch", 5), ("mug", 0), ("bolete", 7)):
        add("duplicate", name, (root / _path(name, i)).read_bytes())
    for name, i, gain in (("roach", 2, 1.08), ("elm", 4, 0.93)):  # as if saved again by another program
        with Image.open(root / _path(name, i)) as image:
            add("near-duplicate", name, _jpeg(image.point(lambda level, gain=gain: min(255, level * gain)), quality=55))
    add("greyscale", "warbler", _jpeg(fresh("warbler").convert("L"), quality=90))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # the picture is stored lying on its side, as by a camera that was held upright
    add("exif-rotation", "trout", _jpeg(fresh("trout").transpose(Image.Transpose.ROTATE_90), quality=90, exif=exif))
    gif = io.BytesIO()
    fresh("leaf_beetle").save(gif, "GIF")
    add("wrong-suffix", "leaf_beetle", gif.getvalue())
    (root / HIDDEN).mkdir()
    planted["hidden"] = [HIDDEN]
    return {kind: sorted(paths) for kind, paths in planted.items()}
