"""Published sets by path and id: the lists' order is never that of the sorted files."""

import collections
import random

import numpy as np
import pytest
import scipy.io

from kfg.data import audit, folder
from kfg.errors import InputError

BIRDS = {"1": "001.Black_footed_Albatross", "2": "002.Laysan_Albatross", "3": "010.Red_winged_Blackbird"}


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def cub(home, per_class=8, train=5, seed=0):
    """Write a small CUB-200-2011 whose ids are shuffled, and return path -> (class, part)."""
    truth = {
        f"{name}/Bird_{i:04d}_{9 * i + 7}.jpg": (name, "train" if i < train else "test")
        for name in BIRDS.values()
        for i in range(per_class)
    }
    paths = list(truth)
    random.Random(seed).shuffle(paths)
    ids = {path: str(i) for i, path in enumerate(paths, start=1)}
    class_ids = {name: number for number, name in BIRDS.items()}
    write(home / "images.txt", [f"{ids[path]} {path}" for path in paths])
    # the other lists in yet another order
    other = sorted(paths, key=lambda path: path[::-1])
    write(home / "image_class_labels.txt", [f"{ids[path]} {class_ids[truth[path][0]]}" for path in other])
    write(home / "train_test_split.txt", [f"{ids[path]} {int(truth[path][1] == 'train')}" for path in other])
    write(home / "classes.txt", [f"{number} {name}" for number, name in BIRDS.items()])
    write(home / "attributes" / "certainties.txt", ["1 not visible"])
    for path in paths:
        touch(home / "images" / path)
    return truth


@pytest.mark.parametrize("inside", [".", "CUB_200_2011"])
def test_cub_parts_are_those_of_the_path_not_of_the_position(tmp_path, inside):
    truth = cub(tmp_path / inside)
    index = folder.scan(tmp_path)
    assert index.classes == tuple(BIRDS.values()) and index.counts().tolist() == [8, 8, 8]
    prefix = "images/" if inside == "." else "CUB_200_2011/images/"
    found = {
        path.removeprefix(prefix): (index.classes[label], part)
        for path, label, part in zip(index.paths, index.labels, index.parts, strict=True)
    }
    assert found == truth
    assert collections.Counter(index.parts) == {"train": 15, "test": 9}
    # the study's reading, flags in list order on files in sorted order, is another split of the same counts
    mixed = dict(zip(sorted(found), index.parts, strict=True))
    assert collections.Counter(mixed.values()) == {"train": 15, "test": 9}
    assert sum(mixed[path] != part for path, (_, part) in found.items()) >= 4


def test_a_class_order_asked_for_is_kept(tmp_path):
    cub(tmp_path)
    wanted = list(BIRDS.values())[::-1]
    index = folder.scan(tmp_path, wanted)
    assert index.classes == tuple(wanted)
    assert all(index.classes[label] in path for path, label in zip(index.paths, index.labels, strict=True))


def test_split_csv_goes_before_the_published_lists(tmp_path):
    truth = cub(tmp_path)
    chosen = [path for path in truth if truth[path][0] != BIRDS["3"]]
    write(tmp_path / "split.csv", ["path,class,part", *(f"images/{path},{path[:3]},train" for path in chosen)])
    assert folder.scan(tmp_path).classes == ("001", "002")


AIRCRAFT = {
    "train": {"0034309": "F-16A/B", "1025794": "Falcon 2000", "0000007": "737-300"},
    "val": {"2100001": "F-16A/B", "0999999": "737-300"},
    "test": {"0034310": "Falcon 2000", "0000001": "F-16A/B"},
}
FAMILY = {"F-16A/B": "F-16", "Falcon 2000": "Falcon 2000", "737-300": "Boeing 737"}


def aircraft(home):
    for part, rows in AIRCRAFT.items():
        write(home / f"images_variant_{part}.txt", [f"{image} {name}" for image, name in rows.items()])
        write(home / f"images_family_{part}.txt", [f"{image} {FAMILY[name]}" for image, name in rows.items()])
        for image in rows:
            touch(home / "images" / f"{image}.jpg")
    write(home / "variants.txt", ["737-300", "F-16A/B", "Falcon 2000"])
    write(home / "families.txt", ["Boeing 737", "F-16", "Falcon 2000"])


@pytest.mark.parametrize("inside", [".", "data", "fgvc-aircraft-2013b/data"])
def test_aircraft_labels_are_joined_by_image_id(tmp_path, inside):
    aircraft(tmp_path / inside)
    index = folder.scan(tmp_path)
    assert index.classes == ("737-300", "F-16A/B", "Falcon 2000")
    found = {
        (part, path.rpartition("/")[2].removesuffix(".jpg")): index.classes[label]
        for path, label, part in zip(index.paths, index.labels, index.parts, strict=True)
    }
    assert found == {(part, image): name for part, rows in AIRCRAFT.items() for image, name in rows.items()}


def pets(root):
    write(
        root / "annotations" / "trainval.txt",
        ["yorkshire_terrier_9 3 2 2", "Abyssinian_100 1 1 1", "Abyssinian_2 1 1 1"],
    )
    write(root / "annotations" / "test.txt", ["american_bulldog_1 2 2 1", "Abyssinian_101 1 1 1"])
    for name in ("yorkshire_terrier_9", "Abyssinian_100", "Abyssinian_2", "american_bulldog_1", "Abyssinian_101"):
        touch(root / "images" / f"{name}.jpg")
    touch(root / "images" / "Abyssinian_100.mat")


def test_pets_have_their_class_in_the_file_name_and_its_order_in_the_id(tmp_path):
    pets(tmp_path)
    index = folder.scan(tmp_path)
    assert index.classes == ("Abyssinian", "american_bulldog", "yorkshire_terrier")
    assert dict(zip(index.paths, index.labels.tolist(), strict=True)) == {
        "images/yorkshire_terrier_9.jpg": 2,
        "images/Abyssinian_100.jpg": 0,
        "images/Abyssinian_2.jpg": 0,
        "images/american_bulldog_1.jpg": 1,
        "images/Abyssinian_101.jpg": 0,
    }
    assert index.parts == ("train", "train", "train", "test", "test")


@pytest.mark.parametrize(
    "file, lines, said",
    [
        ("images/010.Red_winged_Blackbird/Bird_0003_34.jpg", None, "Bird_0003_34.jpg does not exist"),
        ("train_test_split.txt", None, "train_test_split.txt: No such file"),
        ("train_test_split.txt", ["1 1"], "train_test_split.txt: image 10 is not in both this list and images.txt"),
        ("image_class_labels.txt", [f"{i} 9" for i in range(1, 25)], r"image \d+ has class '9', which classes\.txt"),
        ("train_test_split.txt", [f"{i} yes" for i in range(1, 25)], r"image \d+ has 'yes', expected 0 or 1"),
        ("classes.txt", ["1 a", "1 b"], "classes.txt: 1 is listed twice"),
        ("classes.txt", ["a"], "classes.txt: expected an id and a value, got 'a'"),
    ],
)
def test_lists_that_do_not_agree_are_one_line_that_names_them(tmp_path, file, lines, said):
    cub(tmp_path)
    if lines is None:
        (tmp_path / file).unlink()
    else:
        write(tmp_path / file, lines)
    with pytest.raises(InputError, match=said):
        folder.scan(tmp_path)
    assert {one.kind for one in audit.audit(tmp_path).findings} & {"bad-split", "missing"}


def test_aircraft_lists_are_checked_too(tmp_path):
    aircraft(tmp_path)
    write(tmp_path / "images_variant_val.txt", ["0034309 F-16A/B"])
    with pytest.raises(InputError, match=r"images_variant_val\.txt: image 0034309 is also in train"):
        folder.scan(tmp_path)
    write(tmp_path / "variants.txt", ["737-300"])
    with pytest.raises(InputError, match=r"image 0034309 has class 'F-16A/B', which variants\.txt does not list"):
        folder.scan(tmp_path)


def test_the_audit_looks_at_the_images_that_the_lists_name(tmp_path):
    truth = cub(tmp_path)
    touch(tmp_path / "images" / BIRDS["1"] / "stray.jpg")
    touch(tmp_path / "images" / BIRDS["2"] / "notes.txt")
    result = audit.audit(tmp_path)
    assert result.images == len(truth) and result.classes == dict.fromkeys(BIRDS.values(), 8)
    assert [one.path for one in result.findings if one.kind == "unlisted"] == [f"images/{BIRDS['1']}/stray.jpg"]


DOGS = {
    "train": ["n02-Spitz/n02_9.jpg", "n01-Chihuahua/n01_7.jpg", "n01-Chihuahua/n01_30.jpg"],
    "test": ["n01-Chihuahua/n01_10.jpg", "n02-Spitz/n02_1.jpg"],
}


def test_dogs_are_in_the_part_whose_list_names_them(tmp_path):
    for part, names in DOGS.items():
        cells = np.empty((len(names), 1), dtype=object)  # how the published lists hold their strings
        cells[:, 0] = names
        scipy.io.savemat(tmp_path / f"{part}_list.mat", {"file_list": cells})
        for name in names:
            touch(tmp_path / "Images" / name)
    index = folder.scan(tmp_path)
    assert index.classes == ("n01-Chihuahua", "n02-Spitz") and index.labels.tolist() == [1, 0, 0, 0, 1]
    assert index.paths == tuple(f"Images/{name}" for names in DOGS.values() for name in names)
    assert index.parts == ("train",) * 3 + ("test",) * 2
    (tmp_path / "test_list.mat").write_text("broken")
    with pytest.raises(InputError, match=r"test_list\.mat: not the list of Stanford Dogs"):
        folder.scan(tmp_path)


def test_an_image_in_both_lists_of_the_pets_is_named(tmp_path):
    pets(tmp_path)
    write(tmp_path / "annotations" / "test.txt", ["Abyssinian_2 1 1 1"])
    with pytest.raises(InputError, match=r"test\.txt: image Abyssinian_2 is also in trainval\.txt"):
        folder.scan(tmp_path)
    write(tmp_path / "annotations" / "test.txt", ["Abyssinian_3 7 1 1"])
    with pytest.raises(
        InputError, match=r"test\.txt: image Abyssinian_3 has class id 7, but other images of this class have 1"
    ):
        folder.scan(tmp_path)
