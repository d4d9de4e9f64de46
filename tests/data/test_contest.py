"""The contest's folder: ids stay text, test is set aside, and what would mix up classes is refused by name."""

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, contest, folder, splits, told
from kfg.data.index import make_index
from kfg.data.part_folders import PARTS
from kfg.data.remarks import remark
from kfg.errors import InputError

FOX, CAT, BOEING = "007_fox", "12_cat", "0004615_Boeing_737"


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not looked at")


@pytest.fixture
def root(tmp_path):
    put(tmp_path, f"train/{FOX}/1.jpg", f"train/{CAT}/1.jpg", f"train/{CAT}/2.JPG", f"train/{BOEING}/1.jpg")
    put(tmp_path, "test/b.jpg", "test/a.jpg", "test/.hidden.jpg", "test/notes.txt", "test/c.jxl")
    return tmp_path


@pytest.mark.parametrize(
    "name, expected",
    [
        ("0004615_Boeing_737", "0004615"),
        ("12_", "12"),
        ("12_müller", "12"),
        ("1_2_3", "1"),
        ("0_", "0"),
        ("12", "12"),
        ("_12", "_12"),
        ("12 cat_x", "12 cat_x"),
        (" 12_cat", " 12_cat"),
        ("١٢_cat", "١٢_cat"),
        ("n02085620_dog", "n02085620_dog"),
        ("-1_cat", "-1_cat"),
    ],
)
def test_an_id_is_the_digits_before_the_first_underscore(name, expected):
    assert contest.class_id(name) == expected


def test_train_is_read_without_parts_and_test_is_to_be_answered(root):
    index = folder.scan(root)
    assert index.classes == (BOEING, FOX, CAT)  # sorted as text, not by number
    assert index.labels.tolist() == [0, 1, 2, 2] and set(index.parts) == {""}
    assert all(path.startswith("train/") for path in index.paths)
    passed = told.passed_over(index)
    assert sorted(path for path, why in passed if why == "to-answer") == ["test/a.jpg", "test/b.jpg"]
    assert remark(passed) == (
        "not used: 1 .jxl file, which kfg does not read (test/c.jxl); left for kfg answer: 2 (test/a.jpg)"
    )
    assert [path.name for path in contest.images_to_answer(root)] == ["a.jpg", "b.jpg", "c.jxl"]


def test_an_order_asked_for_is_kept_and_a_label_out_of_range_names_the_folder(root):
    assert folder.scan(root, [CAT, FOX, BOEING]).labels.tolist() == [2, 1, 0, 0]
    with pytest.raises(InputError, match="class '12_cat' is not among the 2 classes expected"):
        folder.scan(root, [FOX, BOEING])
    paths = folder.scan(root).paths
    ids = [int(contest.class_id(path.split("/")[1])) for path in paths]  # the study's labels: ids, not indices
    with pytest.raises(InputError) as error:
        make_index(root, paths, ids, [BOEING, FOX, CAT])
    assert str(error.value) == f"{root}/train/{BOEING}/1.jpg: label 4615 is outside [0, 3)"


def test_index_and_id_of_each_class(root):
    assert contest.label_lines(folder.scan(root).classes) == "0 0004615\n1 007\n2 12\n"
    assert contest.label_lines(["cat", "dog"]) == "0 cat\n1 dog\n"


@pytest.mark.parametrize(
    "classes, said",
    [
        (["12_cat", "12_dog", "9_x"], "class folders '12_cat' and '12_dog': have the same id; "),
        (
            ["12_cat", "9_x", "0012_dog"],
            "class folders '0012_dog' and '12_cat': have the same id, apart from leading zeros; ",
        ),
        (["0_a", "000_b"], "class folders '000_b' and '0_a': have the same id, apart from leading zeros; "),
        (["12_cat", "dog"], "class folder 'dog': its name has no id; start it with digits and '_' as in '12_cat'"),
    ],
)
def test_ids_that_do_not_tell_classes_apart_are_refused(root, classes, said):
    with pytest.raises(InputError) as error:
        contest.check_ids(classes)
    assert str(error.value).startswith(said)
    put(root, *(f"train/{name}/1.jpg" for name in classes))
    with pytest.raises(InputError, match="train: class folder"):
        folder.scan(root)
    findings = audit.audit(root).findings  # there it is a finding
    assert any(one.kind == "misnamed-parts" and one.severity == "error" for one in findings)


def test_good_ids_pass():
    contest.check_ids(["12_a", "120_a", "1200_a"])
    contest.check_ids(["cat", "dog"])
    assert contest.ids(["2020_cars", "2020_bikes", "dog"]) == ("2020_cars", "2020_bikes", "dog")
    with pytest.raises(InputError, match="the same id"):
        contest.ids(["2020_cars", "2020_bikes"])


@pytest.mark.parametrize(
    "paths, expected",
    [
        (["train/1_a/1.jpg", "train/2_b/1.jpg", "test/x.jpg"], True),
        (["train/1_a/1.jpg", "train/2_b/1.jpg", "val/1_a/2.jpg", "test/x.jpg"], True),
        (["train/1_a/1.jpg", "train/b/1.jpg", "test/x.jpg"], True),  # and refused
        (["train/1_a/1.jpg", "train/2_b/1.jpg", "test/notes.txt"], True),
        (["train/1_a/1.jpg", "train/2_b/1.jpg", "test/more/x.jpg"], True),  # and refused
        (["train/1_a/1.jpg", "train/2_b/1.jpg", "test/2_b/x.jpg"], False),
        (["train/1_a/1.jpg", "train/b/1.jpg", "test/b/x.jpg"], False),
        (["train/1_a/1.jpg", "train/b/1.jpg", "test/.x.jpg"], False),
        (["train/a/1.jpg", "train/b/1.jpg", "test/x.jpg"], False),
        (["train/1_a/1.jpg", "train/2_b/1.jpg"], False),
        (["1_a/1.jpg", "2_b/1.jpg", "test/x.jpg"], False),
    ],
)
def test_what_is_a_contest(tmp_path, paths, expected):
    put(tmp_path, *paths)
    assert contest.is_contest(tmp_path) == expected


def test_a_class_named_with_digits_in_every_part_is_read_as_ever(tmp_path):
    put(tmp_path, "train/1_a/1.jpg", "train/2_b/1.jpg", "test/2_b/x.jpg")
    assert folder.scan(tmp_path).parts == ("train", "train", "test")


def test_an_official_validation_set_is_kept(tmp_path):
    put(tmp_path, "train/1_a/1.jpg", "train/2_b/1.jpg", "val/1_a/2.jpg", "test/x.jpg")
    index = folder.scan(tmp_path)
    assert index.parts == ("", "", "val") and index.labels.tolist() == [0, 1, 0]
    put(tmp_path, "val/c/2.jpg")
    with pytest.raises(InputError, match="class folder 'c': its name has no id"):
        folder.scan(tmp_path)


def test_images_in_a_folder_of_test_are_refused_and_an_empty_one_is_nothing(root):
    (root / "test" / "empty").mkdir()
    assert len(folder.scan(root).classes) == 3
    assert "empty" not in audit.audit(root).classes
    put(root, "test/more/x.jpg")
    for read in (folder.scan, contest.images_to_answer):
        with pytest.raises(InputError, match=r"test/more/x\.jpg: in a folder inside test"):
            read(root)


def test_an_empty_test_leaves_training_alone_and_has_nothing_to_answer(tmp_path):
    put(tmp_path, "train/1_a/1.jpg", "train/2_b/1.jpg")
    (tmp_path / "test").mkdir()
    assert told.passed_over(folder.scan(tmp_path)) == []
    with pytest.raises(InputError, match="test: no images in this folder"):
        contest.images_to_answer(tmp_path)


def test_the_audit_and_the_split_take_a_contest(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "test").mkdir()
    for name in (FOX, CAT):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "train" / name / f"{i}.png")
    put(tmp_path, "test/a.jpg")
    (tmp_path / "train" / "13_empty").mkdir()
    result = audit.audit(tmp_path)
    assert result.classes == {FOX: 6, CAT: 6, "13_empty": 0}
    found = {(one.kind, one.severity, one.path) for one in result.findings}
    assert found == {("to-answer", "note", "test/a.jpg"), ("empty-class", "error", "13_empty")}
    index = splits.split(audit.duplicate_groups(folder.scan(tmp_path)), val=0.2, test=0.2)
    assert [len(index.where(part)) for part in PARTS] == [8, 2, 2]
    splits.write_csv(index, tmp_path / "split.csv")
    again = folder.scan(tmp_path)
    assert again.parts == index.parts and again.classes == index.classes
    assert remark(told.passed_over(again)) == "left for kfg answer: 1 (test/a.jpg)"
