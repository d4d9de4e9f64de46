"""Read data sets in their published layout: CUB-200-2011, FGVC-Aircraft, Oxford-IIIT Pet and Stanford Dogs.

The lists of a set have an order of their own, which is not the order of the sorted files. So lines of two lists are
matched by image id, and a line and a file are matched by path; nothing here is matched by position. (The source of
study cub200 matches by position: 2,957 of the 5,994 images that it trains on are official test images.)
"""

import dataclasses
import pathlib

from kfg.data.part_folders import PARTS
from kfg.errors import InputError


@dataclasses.dataclass(frozen=True)
class Layout:
    """The contents of a published set's own lists; it is not checked whether the images exist.

    Args:
        name: name of the set.
        images: (path relative to the folder that was read, class, part), in the order of the lists.
        classes: class names in the set's order.
        lists: the file that names the images, for messages.
        folder: posix path of the images, relative to the folder that was read.
    """

    name: str
    images: list[tuple[str, str, str]]
    classes: tuple[str, ...]
    lists: pathlib.Path
    folder: str


def find(root) -> Layout | None:
    """Return the layout of the published set in `root`, or in the folder that its archive unpacks to; None if none.

    Raises:
        InputError: a list is missing, cannot be read, or contradicts another.
    """
    root = pathlib.Path(root)
    for home in (root, root / "CUB_200_2011"):
        if (home / "image_class_labels.txt").is_file() and (home / "images.txt").is_file():
            return cub_200_2011(root, home)
    for home in (root, root / "data", root / "fgvc-aircraft-2013b" / "data"):
        if (home / "images_variant_train.txt").is_file():
            return fgvc_aircraft(root, home)
    if (root / "annotations" / "trainval.txt").is_file() and (root / "images").is_dir():
        return oxford_iiit_pet(root)
    if (root / "train_list.mat").is_file() and (root / "Images").is_dir():
        return stanford_dogs(root)
    return None


def cub_200_2011(root, home=None) -> Layout:
    """Read the lists of CUB-200-2011; its parts are train and test.

    The lists are images.txt, image_class_labels.txt, train_test_split.txt and classes.txt.

    Args:
        root: the folder that paths are relative to.
        home: the folder of the lists, at or below `root`; default `root`.
    Raises:
        InputError: a list is missing, cannot be read, or contradicts another.
    Source: Wah et al. 2011, CNS-TR-2011-001: 11,788 images, 5,994 of them to train on.
    """
    home = pathlib.Path(home or root)
    files = _table(home / "images.txt")
    class_ids, train = _table(home / "image_class_labels.txt"), _table(home / "train_test_split.txt")
    names = _table(home / "classes.txt")
    for name, table in (("image_class_labels.txt", class_ids), ("train_test_split.txt", train)):
        alone = sorted(files.keys() ^ table.keys())
        if alone:
            raise InputError(f"{home / name}: image {alone[0]} is not in both this list and images.txt")
    folder = (home / "images").relative_to(root).as_posix()
    images = []
    for image, path in files.items():
        if class_ids[image] not in names:
            raise InputError(
                f"{home / 'image_class_labels.txt'}: image {image} has class {class_ids[image]!r}, "
                "which classes.txt does not list"
            )
        if train[image] not in ("0", "1"):
            raise InputError(f"{home / 'train_test_split.txt'}: image {image} has {train[image]!r}, expected 0 or 1")
        images.append((f"{folder}/{path}", names[class_ids[image]], "train" if train[image] == "1" else "test"))
    return Layout("CUB-200-2011", images, tuple(names.values()), home / "images.txt", folder)


def fgvc_aircraft(root, home=None) -> Layout:
    """Read the lists of FGVC-Aircraft: images_variant_train.txt, images_variant_val.txt and images_variant_test.txt.

    Each line has an image id and then a class name, which may have spaces. The classes are the 100 variants; the lists
    of families and manufacturers are not read.

    Args:
        root: the folder that paths are relative to.
        home: the folder of the lists (the archive's `data`), at or below `root`; default `root`.
    Raises:
        InputError: a list is missing, cannot be read, or contradicts another.
    Source: Maji et al. 2013, arXiv:1306.5151: 10,000 images, 6,667 of them train and val, 3,333 test.
    """
    home = pathlib.Path(home or root)
    classes = tuple(_lines(home / "variants.txt"))
    folder = (home / "images").relative_to(root).as_posix()
    images, part_of = [], {}
    for part in PARTS:
        path = home / f"images_variant_{part}.txt"
        for image, name in _table(path).items():
            if name not in classes:
                raise InputError(f"{path}: image {image} has class {name!r}, which variants.txt does not list")
            if part_of.setdefault(image, part) != part:
                raise InputError(f"{path}: image {image} is also in {part_of[image]}")
            images.append((f"{folder}/{image}.jpg", name, part))
    return Layout("FGVC-Aircraft", images, classes, home / f"images_variant_{PARTS[0]}.txt", folder)


def oxford_iiit_pet(root) -> Layout:
    """Read the lists of Oxford-IIIT Pet: annotations/trainval.txt and test.txt, with lines of image, class id and more.

    The images of trainval are the part train, from which `splits` takes val. The class name is the file name without
    its number, and classes are in the order of their ids.

    Raises:
        InputError: a list is missing, cannot be read, or contradicts another.
    Source: Parkhi et al. 2012, "Cats and Dogs", CVPR: 3,680 images to train and choose on, 3,669 to test.
    """
    root = pathlib.Path(root)
    images, ids, part_of = [], {}, {}
    for part, file in (("train", "trainval.txt"), ("test", "test.txt")):
        path = root / "annotations" / file
        for image, rest in _table(path).items():
            name, number = image.rpartition("_")[0], rest.split()[0]
            if not number.isdigit() or ids.setdefault(name, int(number)) != int(number):
                raise InputError(
                    f"{path}: image {image} has class id {number}, but other images of this class have {ids.get(name)}"
                )
            if part_of.setdefault(image, part) != part:
                raise InputError(f"{path}: image {image} is also in trainval.txt")
            images.append((f"images/{image}.jpg", name, part))
    classes = tuple(sorted(ids, key=ids.get))
    return Layout("Oxford-IIIT Pet", images, classes, root / "annotations" / "trainval.txt", "images")


def stanford_dogs(root) -> Layout:
    """Read the lists of Stanford Dogs: train_list.mat and test_list.mat.

    A class is a folder in Images, such as `n02085620-Chihuahua`; classes are sorted by name.

    Raises:
        InputError: a list is missing, cannot be read, or contradicts another.
    Source: Khosla et al. 2011, "Novel Dataset for Fine-Grained Image Categorization": 12,000 train, 8,580 test.
    """
    from scipy import io  # imported here, because the other sets are read without it
    from scipy.io.matlab import MatReadError

    root = pathlib.Path(root)
    images, part_of = [], {}
    for part in ("train", "test"):
        path = root / f"{part}_list.mat"
        try:
            names = [str(row[0][0]) for row in io.loadmat(path)["file_list"]]
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        except (MatReadError, ValueError, KeyError, IndexError, TypeError, NotImplementedError) as error:
            raise InputError(f"{path}: not the list of Stanford Dogs ({error})") from error
        for name in names:
            if part_of.setdefault(name, part) != part:
                raise InputError(f"{path}: {name} is also in train_list.mat")
            images.append((f"Images/{name}", name.partition("/")[0], part))
    classes = tuple(sorted({name for _, name, _ in images}))
    return Layout("Stanford Dogs", images, classes, root / "train_list.mat", "Images")


def _lines(path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _table(path) -> dict[str, str]:
    """Return a dict first word -> rest of each line, in order; InputError if one is missing or a first word repeats."""
    table = {}
    for line in _lines(path):
        key, _, rest = line.partition(" ")
        if not rest.strip():
            raise InputError(f"{path}: expected an id and a value, got {line!r}")
        if key in table:
            raise InputError(f"{path}: {key} is listed twice")
        table[key] = rest.strip()
    return table
