"""What in a data folder is passed over: litter, links, and files that are not read, each counted aloud."""

import os

import pytest
from PIL import Image

from kfg.data import audit, contest, folder, litter, told
from kfg.data.listing import images_below, list_folder
from kfg.data.remarks import by_kind, remark


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not looked at")


LITTER = [
    "@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", "lost+found", ".ipynb_checkpoints",
    "__MACOSX", "#recycle", "@Recycle", "@tmp", ".AppleDouble", ".Trash-1000", "#snapshot", "@Recently-Snapshot",
    ".@__thumb", "@__thumb", "RECYCLER", "FOUND.000", ".Spotlight-V100", ".fseventsd", "Temporary Items", "__pycache__",
]  # fmt: skip


@pytest.mark.parametrize("name", LITTER)
def test_litter_of_systems_is_no_class_and_doubles_none(tmp_path, name):
    put(tmp_path, *(f"{kind}/{i}.jpg" for kind in ("cat", "dog") for i in range(3)))
    put(tmp_path, f"{name}/a/SYNOPHOTO_THUMB_M.jpg", f"{name}/b/1.jpg")
    put(tmp_path, *(f"{kind}/{name}/{i}.jpg/SYNOPHOTO_THUMB_XL.jpg" for kind in ("cat", "dog") for i in range(3)))
    index = folder.scan(tmp_path)
    assert index.classes == ("cat", "dog") and len(index) == 6
    why = dict(list_folder(tmp_path).skipped)
    assert set(why) == {name, f"cat/{name}", f"dog/{name}"}
    assert set(why.values()) == ({"hidden"} if name.startswith(".") else {"litter"})
    said = remark(told.passed_over(index))
    assert said == (
        "" if name.startswith(".") else f"not used: 3 as folders that an operating system or a device made ({name})"
    )


def test_litter_does_not_make_part_folders_unclear(tmp_path):
    put(tmp_path, *(f"{part}/{kind}/{i}.jpg" for part in ("train", "test") for kind in ("a", "b") for i in range(2)))
    put(tmp_path, "@eaDir/train/a/1.jpg", "lost+found/1.jpg", "train/@eaDir/a/1.jpg")
    assert folder.scan(tmp_path).parts == ("train",) * 4 + ("test",) * 4


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", "Icon\r", "ehthumbs.db", ".DS_Store", "._1.jpg", "Picasa.ini"]
)
def test_litter_files_are_hidden_and_not_worth_a_word(tmp_path, name):
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", f"cat/{name}", name)
    assert len(folder.scan(tmp_path)) == 2 and remark(told.passed_over(folder.scan(tmp_path))) == ""


def test_classes_of_nearly_such_names_are_classes(tmp_path):
    names = ("lost and found", "recycle", "snapshot", "@home", "$5", "found.it", "tmp")
    put(tmp_path, *(f"{name}/1.jpg" for name in names))
    assert set(folder.scan(tmp_path).classes) == set(names)
    assert litter.is_litter("THUMBS.DB", folder=False) and not litter.is_litter("Thumbs.db", folder=True)


def test_every_file_in_a_class_folder_that_is_not_read_is_counted_by_kind(tmp_path):
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/deep/2.jpg", "labels.csv", "readme.txt")
    put(tmp_path, *(f"cat/v{i}.svg" for i in range(3)), *(f"dog/s{i}.DCM" for i in range(2)), "dog/deep/a.npy")
    put(tmp_path, "dog/clip.mp4", "dog/notes.txt", "dog/noname", "dog/raw.rwl", "dog/many.jxr")
    said = remark(told.passed_over(folder.scan(tmp_path)))
    counted = "3 .svg, 2 .dcm, 1 .jxr, 1 .mp4, 1 .npy, 1 .rwl and 1 .txt files and 1 without a suffix"
    assert said.startswith(f"not used: {counted}, which kfg does not read (")
    kinds = {one.path: one.kind for one in audit.audit(tmp_path).findings}
    for path in ("cat/v0.svg", "dog/s0.DCM", "dog/deep/a.npy", "dog/raw.rwl", "dog/many.jxr"):
        assert kinds[path] == "unsupported"
    assert kinds["dog/clip.mp4"] == kinds["dog/notes.txt"] == "not-an-image"


def test_many_kinds_stay_one_line():
    paths = [f"a/{i}.k{i:02d}" for i in range(20)] + ["a/x.svg", "a/y.svg"]
    assert by_kind(paths).startswith("2 .svg, 1 .k00, ") and by_kind(paths).endswith(" and 13 other files")
    assert by_kind(["a/b"]) == "1 without a suffix"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_that_lead_nowhere_are_named(tmp_path):
    put(tmp_path, "cat/1.jpg", "dog/1.jpg")
    (tmp_path / "horse").symlink_to("/nowhere")
    (tmp_path / "St. Bernard").symlink_to("/nowhere/St. Bernard")
    (tmp_path / "list.csv").symlink_to("/nowhere/list.csv")
    (tmp_path / "cat" / "more").symlink_to("/nowhere")
    why = dict(list_folder(tmp_path).skipped)
    assert why == {"horse": "dead-class", "St. Bernard": "dead-class", "list.csv": "outside", "cat/more": "dead-link"}
    said = remark(told.passed_over(folder.scan(tmp_path)))
    assert "2 among the class folders as links that lead nowhere (St. Bernard)" in said and "(cat/more)" in said
    found = {(one.kind, one.severity, one.path) for one in audit.audit(tmp_path).findings}
    assert {("dead-link", "error", "horse"), ("dead-link", "warning", "cat/more")} <= found
    (tmp_path / "split.csv").write_text("path,class,part\ncat/1.jpg,cat,train\ndog/1.jpg,dog,train\n")
    found = {(one.kind, one.severity, one.path) for one in audit.audit(tmp_path).findings}
    assert ("dead-link", "warning", "horse") in found  # the list says what there is


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_in_circles_end(tmp_path):
    put(tmp_path, "data/cat/1.jpg", "data/cat/2.jpg", "data/dog/1.jpg")
    (tmp_path / "data" / "self").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "up").symlink_to(tmp_path)
    (tmp_path / "data" / "dog" / "loop").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dog" / "here").symlink_to(".")
    (tmp_path / "data" / "ring").symlink_to("ring")
    index = folder.scan(tmp_path / "data")
    assert index.classes == ("cat", "dog") and len(index) == 3
    why = dict(told.passed_over(index))
    assert why == {"self": "linked", "up": "linked", "dog/loop": "linked", "dog/here": "linked", "ring": "dead-class"}


def test_a_contest_answers_or_names_every_picture(tmp_path):
    put(
        tmp_path,
        "train/1_a/1.jpg",
        "train/2_b/1.jpg",
        "test/0001.jpg",
        "test/0011.svg",
        "test/0012.npy",
        "test/list.txt",
    )
    (tmp_path / "test" / "0013.jpeg").symlink_to("/nowhere/0013.jpeg")
    (tmp_path / "test" / "0014").symlink_to("/nowhere/0014")
    names = [path.name for path in contest.images_to_answer(tmp_path)]
    assert names == ["0001.jpg", "0011.svg", "0012.npy", "0013.jpeg", "0014"]


def test_a_picture_kfg_does_not_read_is_missed_below_a_folder(tmp_path):
    put(tmp_path, "1.jpg", "2.svg", "3.txt")
    assert [path.name for path in images_below(tmp_path, also=("unsupported",))] == ["1.jpg", "2.svg"]
    Image.new("RGB", (4, 4)).save(tmp_path / "4.upload", "PNG")
    assert [path.name for path in images_below(tmp_path)] == ["1.jpg", "4.upload"]
