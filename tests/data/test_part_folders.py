"""Part folders under any name are parts, classes stay classes, and what could be either is refused in a line."""

import collections

import pytest
from PIL import Image

from kfg.data import audit, folder, part_folders, splitcsv, told
from kfg.errors import InputError


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not looked at")


def grid(root, *folders, classes=("cats", "dogs")):
    put(root, *(f"{one}/{name}/{i}.jpg" for one in folders for name in classes for i in range(2)))


def read(root):
    """Return classes, and part -> the folder that lies at the start of its paths."""
    index = folder.scan(root)
    homes = collections.defaultdict(set)
    for path, part in zip(index.paths, index.parts, strict=True):
        homes[part].add(path.split("/")[0])
    return index.classes, {part: sorted(found) for part, found in homes.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("training_set", "", "test_set"),
        ("train", "valid", "test"),
        ("Training", "", "Testing"),
        ("TRAIN", "VAL", "TEST"),
        ("Train_Data", "", "Test_Data"),
        ("train_images", "", "test_images"),
        ("trainset", "valset", "testset"),
        ("1_train", "2_validation", "3_test"),
        ("TrainData", "DevData", "TestData"),
        ("imgs.train", "", "imgs.test"),
        ("dogs-train", "dogs-val", "dogs-test"),
        ("train", "", "holdout"),
        ("training", "validation", ""),
        ("seg_train", "", "seg_test"),
        ("train", "", ""),
    ],
)
def test_part_folders_under_any_usual_name_are_parts(tmp_path, names):
    given = {part: name for part, name in zip(("train", "val", "test"), names, strict=True) if name}
    grid(tmp_path, *given.values())
    assert read(tmp_path) == (("cats", "dogs"), {part: [name] for part, name in given.items()})
    said = told.parts_read(folder.scan(tmp_path))
    assert (said == "") == all(part == name for part, name in given.items())
    assert all(f"{name} as {part}" in said for part, name in given.items()) or not said


def test_parts_one_level_deeper_with_a_folder_to_predict_on_and_notes_beside_them(tmp_path):
    grid(tmp_path, "seg_train/seg_train", "seg_test/seg_test", classes=("sea", "forest", "street"))
    put(tmp_path, "seg_pred/seg_pred/1.jpg", "seg_pred/seg_pred/2.jpg", "notes/readme.txt")
    assert read(tmp_path) == (("forest", "sea", "street"), {"train": ["seg_train"], "test": ["seg_test"]})
    passed = told.passed_over(folder.scan(tmp_path))
    assert [path for path, why in passed if why == "stray"] == ["seg_pred/seg_pred/1.jpg", "seg_pred/seg_pred/2.jpg"]


def test_parts_whose_photographs_lie_in_a_folder_of_images(tmp_path):
    grid(tmp_path, "train/images", "valid/images")
    assert read(tmp_path) == (("cats", "dogs"), {"train": ["train"], "val": ["valid"]})


def test_a_part_may_lack_classes_and_another_may_have_one_only(tmp_path):
    grid(tmp_path, "training_set", classes=("ape", "bee", "cat", "dog"))
    grid(tmp_path, "test_set", classes=("bee",))
    classes, homes = read(tmp_path)
    assert classes == ("ape", "bee", "cat", "dog") and homes == {"train": ["training_set"], "test": ["test_set"]}


def test_parts_inside_each_class_are_parts(tmp_path):
    put(tmp_path, *(f"{name}/{part}/{i}.jpg" for name in ("ant", "bee") for part in ("Train", "Test") for i in (1, 2)))
    index = folder.scan(tmp_path)
    assert index.classes == ("ant", "bee")
    assert index.parts == ("train",) * 4 + ("test",) * 4
    assert "/Train/" in index.paths[0] and "/Test/" in index.paths[-1]
    assert told.parts_read(index) == "the parts are folders inside the class folders"


def test_a_class_that_is_called_train_is_no_part_inside_of_the_classes(tmp_path):
    grid(tmp_path, "train", "test", classes=("train", "bus"))
    assert told.parts_read(folder.scan(tmp_path)) == ""


def test_linked_class_folders_in_a_part_are_read(tmp_path):
    grid(tmp_path / "store", "all")
    (tmp_path / "data" / "training").mkdir(parents=True)
    for name in ("cats", "dogs"):
        (tmp_path / "data" / "training" / name).symlink_to(tmp_path / "store" / "all" / name)
    assert read(tmp_path / "data") == (("cats", "dogs"), {"train": ["training"]})


@pytest.mark.parametrize(
    "folders, said",
    [
        (("fold_1", "fold_2", "fold_3"), "hold folders of the same names (cats, dogs)"),
        (("split1", "split2"), "hold folders of the same names"),
        (("images", "masks"), "hold folders of the same names"),
        (("original", "augmented"), "hold folders of the same names"),
        (("batch a/x", "batch b/y"), "hold folders of the same names"),
        (("train", "training"), "train and training would be the same part"),
        (("train_1", "train_2", "test"), "train_1 and train_2 would be the same part"),
        (("val", "test"), "no folder is named train"),
        (("train", "test", "extra"), "not clear what extra beside it is"),
    ],
)
def test_what_may_be_parts_but_is_not_certain_is_refused_and_found_by_the_audit(tmp_path, folders, said):
    grid(tmp_path, *folders)
    with pytest.raises(InputError) as error:
        folder.scan(tmp_path)
    assert said in str(error.value) and str(tmp_path) in str(error.value)
    found = audit.audit(tmp_path)
    assert [(one.kind, one.severity) for one in found.findings if one.path == "."] == [("misnamed-parts", "error")]
    assert said in found.findings[0].detail or any(said in one.detail for one in found.findings)
    assert found.classes == {} and audit.exit_code(found) == 1


def test_folds_whose_classes_are_the_same_by_half_are_refused(tmp_path):
    grid(tmp_path, "one", classes=("ape", "bee", "cat", "dog"))
    grid(tmp_path, "two", classes=("cat", "dog"))
    with pytest.raises(InputError, match="folders of the same names"):
        folder.scan(tmp_path)


def test_classes_with_folders_of_their_own_are_classes(tmp_path):
    put(tmp_path, "cat/persian/1.jpg", "cat/siamese/2.jpg", "dog/poodle/1.jpg", "dog/spitz/2.jpg", "ox/1.jpg")
    assert folder.scan(tmp_path).classes == ("cat", "dog", "ox")
    put(tmp_path / "wrapped", *(f"{name}/images/{i}.jpg" for name in ("n01", "n02", "n03") for i in (1, 2)))
    assert folder.scan(tmp_path / "wrapped").classes == ("n01", "n02", "n03")  # as in Tiny ImageNet
    many = [f"{name}/{side}/1.jpg" for name in "abcdefghijklmn" for side in ("front", "back")]
    put(tmp_path / "sides", *many)
    assert len(folder.scan(tmp_path / "sides").classes) == 14


def test_a_class_named_like_a_part_is_a_class(tmp_path):
    put(tmp_path, "train/1.jpg", "test/1.jpg", "rail/1.jpg")
    assert folder.scan(tmp_path).classes == ("rail", "test", "train")
    put(tmp_path / "lab", "test_tube/glass/1.jpg", "test_tube/plastic/1.jpg", "flask/1.jpg")
    assert folder.scan(tmp_path / "lab").classes == ("flask", "test_tube")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("train", ("train", "")),
        ("Training_Set", ("train", "")),
        ("2_Validation", ("val", "")),
        ("VALID", ("val", "")),
        ("birds.TestData", ("test", "birds")),
        ("trainers", ("", "trainers")),
        ("latest", ("", "latest")),
        ("train_test", ("", "train_test")),
        ("unlabelled", ("unlabelled", "")),
        ("contest", ("", "contest")),
    ],
)
def test_what_a_folder_name_says(name, expected):
    assert part_folders.part_of(name) == expected


def test_the_split_keeps_the_parts_of_folders_under_other_names(tmp_path, capsys):
    from kfg.__main__ import main

    for k, (part, name) in enumerate((p, c) for p in ("Training", "Testing") for c in ("cat", "dog")):
        for i in range(4):
            path = tmp_path / "data" / part / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((24, 24), 30 + 20 * i + 100 * k).convert("RGB").save(path)
    assert main(["split", str(tmp_path / "data"), "--out", str(tmp_path / "split.csv")]) == 0
    printed = capsys.readouterr().out
    assert "read as parts: Training as train, Testing as test" in printed
    rows, _ = splitcsv.split_rows(tmp_path / "split.csv")
    assert {row["part"] for row in rows if row["path"].startswith("Testing/")} == {"test"}
    assert {row["part"] for row in rows if row["path"].startswith("Training/")} == {"train", "val"}


@pytest.mark.parametrize(
    "inner", [("2024-01-01", "2024-01-02"), ("2021", "2022"), ("cam1", "cam2"), ("session 1", "session 2")]
)
def test_classes_filed_by_date_or_camera_stay_classes_and_folds_do_not(tmp_path, inner):
    grid(tmp_path / "parts", "ok", "defect", classes=inner)
    assert read(tmp_path / "parts") == (("defect", "ok"), {"": ["defect", "ok"]})
    grid(tmp_path / "folds", "fold1", "fold2", classes=inner)
    with pytest.raises(InputError, match="the folders fold1, fold2 hold folders of the same names"):
        folder.scan(tmp_path / "folds")


@pytest.mark.parametrize("names", [("train", "valid", "test"), ("Train", "Test"), ("training", "testing")])
def test_parts_full_of_photographs_are_no_classes(tmp_path, names):
    put(tmp_path, *(f"{name}/{i}.jpg" for name in names for i in range(3)))
    with pytest.raises(InputError, match="no images found in class folders"):
        folder.scan(tmp_path)


def test_a_class_called_train_is_one_among_others(tmp_path):
    put(tmp_path, *(f"{name}/{i}.jpg" for name in ("train", "plane") for i in range(3)))
    assert read(tmp_path)[0] == ("plane", "train")


def test_a_rare_class_beside_a_divided_one_is_a_class(tmp_path):
    put(
        tmp_path, *(f"defect/{kind}/{i}.jpg" for kind in ("scratch", "dent") for i in range(20)), "ok/0.jpg", "ok/1.jpg"
    )
    assert read(tmp_path)[0] == ("defect", "ok")


def test_folds_that_each_hold_parts_are_no_classes(tmp_path):
    for fold in ("fold1", "fold2"):
        grid(tmp_path / fold, "train", "test")
    with pytest.raises(InputError, match=r"fold1, fold2 each hold parts with the same class folders \(cats, dogs\)"):
        folder.scan(tmp_path)
