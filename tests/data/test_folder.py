"""Folder -> Index: layouts, what is an image and what is passed over, and the one-line errors."""

import logging
import os

import numpy as np
import pytest
from PIL import Image

from kfg.data import audit, folder, told
from kfg.data.index import make_index
from kfg.data.listing import list_folder
from kfg.data.remarks import remark
from kfg.errors import InputError

GIF = b"GIF89a and the rest"


def put(root, *paths, data=b"not looked at"):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def test_class_folders_become_sorted_labels_whatever_the_suffix_case(tmp_path):
    put(tmp_path, "pear/2.JPEG", "pear/1.png", "apple/x.tiff", "fig/deep/er/y.WebP")
    index = folder.scan(tmp_path)
    assert index.classes == ("apple", "fig", "pear")
    assert index.paths == ("apple/x.tiff", "fig/deep/er/y.WebP", "pear/1.png", "pear/2.JPEG")
    assert index.labels.tolist() == [0, 1, 2, 2] and index.labels.dtype == np.int32
    assert index.counts().tolist() == [1, 1, 2]
    assert set(index.parts) == {""} and len(set(index.groups.tolist())) == 4


def test_asked_class_order_is_kept_and_an_unknown_class_is_refused(tmp_path):
    put(tmp_path, "b/1.jpg", "a/1.jpg")
    assert folder.scan(tmp_path, ["b", "none of these", "a"]).labels.tolist() == [2, 0]
    with pytest.raises(InputError, match="class 'b' is not among the 1 classes expected"):
        folder.scan(tmp_path, ["a"])


def test_parts_share_one_class_order_and_a_class_may_miss_in_one(tmp_path):
    put(tmp_path, "train/b/1.jpg", "train/a/1.jpg", "train/c/1.jpg", "val/c/2.jpg", "test/a/3.jpg", "test/c/3.jpg")
    index = folder.scan(tmp_path)
    assert index.classes == ("a", "b", "c")
    found = dict(zip(index.paths, zip(index.parts, index.labels.tolist(), strict=True), strict=True))
    assert (
        found["test/c/3.jpg"] == ("test", 2) and found["val/c/2.jpg"] == ("val", 2) and found["train/b/1.jpg"][1] == 1
    )
    assert index.where("train").tolist() == [0, 1, 2]


def test_a_class_called_test_beside_others_is_a_class(tmp_path):
    put(tmp_path, "train/1.jpg", "test/1.jpg", "rail/1.jpg")
    assert folder.scan(tmp_path).classes == ("rail", "test", "train")


def test_content_decides_where_the_suffix_is_unknown_and_the_rest_is_skipped(tmp_path, caplog):
    put(tmp_path, "a/1.jpg", "b/1.jpg", "b/.hidden.jpg", "b/.cache/2.jpg", ".git/3.jpg", "b/notes.txt", "stray.jpg")
    put(tmp_path, "b/picture.dat", "b/picture", data=GIF)
    with caplog.at_level(logging.INFO):
        index = folder.scan(tmp_path)
    assert index.paths == ("a/1.jpg", "b/1.jpg", "b/picture", "b/picture.dat")
    assert sorted(list_folder(tmp_path).skipped) == [
        (".git", "hidden"),
        ("b/.cache", "hidden"),
        ("b/.hidden.jpg", "hidden"),
        ("b/notes.txt", "not-an-image"),
        ("stray.jpg", "stray"),
    ]
    assert "notes.txt: not-an-image" in caplog.text


def test_a_class_without_images_is_no_class_and_is_said(tmp_path, caplog):
    put(tmp_path, "a/1.jpg", "b/1.jpg", "empty/readme.txt")
    assert folder.scan(tmp_path).classes == ("a", "b")
    assert "class folder without an image: empty" in caplog.text


def test_wrong_folders_are_one_line_that_names_them(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder$"):
        folder.scan(tmp_path / "nowhere")
    put(tmp_path, "file.jpg")
    with pytest.raises(InputError, match=r"file\.jpg: not a folder$"):
        folder.scan(tmp_path / "file.jpg")
    with pytest.raises(InputError, match="no images found"):
        folder.scan(tmp_path)
    put(tmp_path, "only/1.jpg")
    with pytest.raises(InputError, match=r"one class only \('only'\)"):
        folder.scan(tmp_path)


def test_a_folder_full_of_pictures_that_are_not_read_says_so(tmp_path):
    put(tmp_path, *(f"{name}/{i}.jxl" for name in ("cat", "dog") for i in range(3)))
    with pytest.raises(InputError, match=r"no images found .*not used: 6 \.jxl files, which kfg does not read"):
        folder.scan(tmp_path)


@pytest.mark.parametrize("refused", ["", "b"])
def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch, refused):
    put(tmp_path, "a/1.jpg", "b/1.jpg")
    real = os.scandir

    def scandir(path):  # root may read everything, so the refusal is played
        if os.fspath(path) == os.fspath(tmp_path / refused):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError) as error:
        folder.scan(tmp_path)
    assert str(error.value) == f"{tmp_path / refused}: Permission denied"


def test_split_csv_decides_class_and_part(tmp_path):
    put(tmp_path, "x/1.jpg", "x/2.jpg", "y/é, 3.jpg", "x/not listed.jpg")
    text = '\ufeffpath,class,split\nx/2.jpg,two,test\nx/1.jpg,one,train\n"y/é, 3.jpg",one,val\n'
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")  # as Excel writes it
    index = folder.scan(tmp_path)
    assert index.paths == ("x/2.jpg", "x/1.jpg", "y/é, 3.jpg")
    assert index.parts == ("test", "train", "val") and index.labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no column 'path'; found nothing"),
        ("path,class\n", "no column 'split'"),
        ("path,class,part\n", "lists no images"),
        ("path,class,part\na/1.jpg,a,later\n", ":2: part 'later' is not one of train, val, test"),
        ("path,class,part\na/1.jpg,a\n", ":2: the line ends before the part; write train, val or test"),
        ("path,class,part\na/1.jpg,,train\n", ":2: the path or the class is missing"),
        ("path,class,part\na/1.jpg,a,train\na/1.jpg,a,test\n", ":3: a/1.jpg is listed twice"),
        ("path,class,part,group\na/1.jpg,a,train,x\n", ":2: group 'x' is not a whole number"),
        ("path,class,part\na/1.jpg,a,train\nb/9.jpg,b,test\n", "9.jpg does not exist"),
        (f"path,class,part\n{'long ' * 99}.jpg,b,test\n", "long .jpg does not exist"),
        (f"path,class,part\n{'lång ' * 99}/1.jpg,b,test\n", "1.jpg does not exist"),
    ],
)
def test_a_wrong_split_csv_is_named_with_its_line(tmp_path, text, said):
    put(tmp_path, "a/1.jpg")
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        folder.scan(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "split.csv")) and said in str(error.value)


def test_a_label_out_of_range_names_the_image():
    with pytest.raises(InputError, match=r"b\.jpg: label 2 is outside \[0, 2\)"):
        make_index(".", ["a.jpg", "b.jpg"], [1, 2], ["x", "y"])


def test_take_keeps_order_and_classes():
    index = make_index(".", "abc", [0, 1, 1], ["x", "y", "z"], parts=["train", "val", "test"], sha256="123")
    taken = index.take([2, 0])
    assert taken.paths == ("c", "a") and taken.parts == ("test", "train") and taken.sha256 == ("3", "1")
    assert taken.labels.tolist() == [1, 0] and taken.groups.tolist() == [2, 0] and taken.classes == index.classes


@pytest.mark.realdata
def test_real_folders(real_data):
    index = folder.scan(real_data / "cub100")
    assert (len(index), len(index.classes)) == (5902, 100)
    assert (len(index.where("train")), len(index.where("test"))) == (2999, 2903)
    assert folder.scan(real_data / "fruit3").counts().tolist() == [1495, 1495, 1495]
    with Image.open(index.full_paths()[0]) as image:
        assert image.size == (227, 227)


PARTS_ASTRAY = [("train", "training"), ("train1", "train2", "test"), ("train", "val", "notes"), ("val", "test")]


@pytest.mark.parametrize("parts", PARTS_ASTRAY)
def test_part_folders_under_other_names_are_not_taken_for_classes(tmp_path, parts):
    for part in parts:
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(tmp_path / part / name / "0.png")
    with pytest.raises(InputError, match="looks like a part"):
        folder.scan(tmp_path)
    found = [one for one in audit.audit(tmp_path).findings if one.kind == "misnamed-parts"]  # there it is a finding
    assert found and found[0].severity == "error"


def test_photographs_passed_over_are_counted_with_an_example_of_each_kind(tmp_path):
    put(tmp_path, "a/1.jpg", "a/2.JXL", "a/3.jxl", "b/1.jpg", "b/notes.txt", "stray.png", "b/.hidden.jpg")
    put(tmp_path, ".elsewhere/9.jpg")
    (tmp_path / "b" / "more").symlink_to(tmp_path / ".elsewhere", target_is_directory=True)
    index = folder.scan(tmp_path)
    assert index.paths == ("a/1.jpg", "b/1.jpg")
    assert remark(told.passed_over(index)) == (
        "not used: 2 .jxl and 1 .txt files, which kfg does not read (a/2.JXL), 1 as linked folders (b/more), "
        "1 outside of the class folders (stray.png)"
    )
    assert ("linked", "b/more") in {(one.kind, one.path) for one in audit.audit(tmp_path).findings}
    (tmp_path / "split.csv").write_text("path,class,part\na/1.jpg,a,train\nstray.png,b,test\n")
    assert "1 not listed (b/1.jpg)" in remark(told.passed_over(folder.scan(tmp_path)))


def test_nothing_passed_over_is_nothing_said(tmp_path):
    put(tmp_path, "a/1.jpg", "b/1.jpg", "readme.md", "labels.csv", "b/.DS_Store", "b/Thumbs.db", "b/Icon\r")
    assert remark(told.passed_over(folder.scan(tmp_path))) == ""
