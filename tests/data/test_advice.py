"""A folder in which no classes can be seen: the line says what lies there, and what to give or to write."""

import shutil

import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import audit, audit_table, folder
from kfg.errors import InputError


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not looked at")


def refusal(root):
    """Return why a folder is not read; the audit must say the same, and nothing of classes that are none."""
    with pytest.raises(InputError) as error:
        folder.scan(root)
    result = audit.audit(root)
    assert [one.detail for one in result.findings if one.kind == "layout"] == [str(error.value)]
    kinds = {one.kind for one in result.findings}
    assert not kinds & {"one-class", "no-images", "empty-class", "one-image-class", "too-few-images", "imbalance"}
    assert audit.exit_code(result) == 1 and result.classes == {}
    assert "images and no classes" in audit_table.findings_table(result)
    return str(error.value)


def test_one_folder_too_high_is_told_which_to_give(tmp_path):
    put(tmp_path, *(f"PetImages/{name}/{i}.jpg" for name in ("Cat", "Dog") for i in range(12)))
    assert refusal(tmp_path).endswith(f"(Cat, Dog); give {tmp_path}/PetImages")
    put(tmp_path, "readme pics/shot.png", "licence.txt")
    assert refusal(tmp_path).endswith(f"give {tmp_path}/PetImages")
    put(tmp_path, "docs/list.csv")  # a folder without photographs
    assert refusal(tmp_path).endswith(f"give {tmp_path}/PetImages")


def test_two_folders_too_high_and_a_name_with_spaces_is_quoted(tmp_path):
    put(tmp_path, *(f"my data/v 2/train/{name}/{i}.jpg" for name in ("a", "b") for i in range(3)))
    put(tmp_path, *(f"my data/v 2/test/{name}/{i}.jpg" for name in ("a", "b") for i in range(3)))
    assert refusal(tmp_path).endswith(f"(test, train); give '{tmp_path}/my data/v 2'")
    assert folder.scan(tmp_path / "my data" / "v 2").classes == ("a", "b")


def test_a_class_of_folders_beside_others_is_no_extra_level(tmp_path):
    put(tmp_path, *(f"other/{name}/{i}.jpg" for name in ("bird", "horse") for i in range(12)), "cat/1.jpg", "cat/2.jpg")
    put(tmp_path, "cat/3.jpg", "cat/4.jpg")
    assert folder.scan(tmp_path).classes == ("cat", "other")


def test_one_folder_too_low_is_told_of_the_one_above(tmp_path):
    put(tmp_path, "photos/cat/1.jpg", "photos/cat/2.jpg", "photos/dog/1.jpg", "photos/@eaDir/1.jpg")
    said = refusal(tmp_path / "photos" / "cat")
    assert "2 photographs in the folder itself" in said
    assert said.endswith(f"If it is itself one of the class folders cat, dog, give the folder above: {tmp_path}/photos")


@pytest.mark.parametrize("home", ["", "PetImages/"])
def test_backslashes_in_file_names_are_told_as_the_trouble(tmp_path, home):
    put(tmp_path, *(f"{home}{name}\\{i}.jpg" for name in ("cat", "dog") for i in range(3)))
    said = refusal(tmp_path)
    assert f"6 file names hold a backslash, such as '{home}cat\\0.jpg'" in said and "packed on Windows" in said
    shutil.rmtree(tmp_path)
    put(tmp_path, "back\\slash/1.jpg", "b/1.jpg", "b/2\\3.jpg", "b/4.jpg")  # names of one's own choice are no trouble
    assert folder.scan(tmp_path).classes == ("b", "back\\slash")


@pytest.mark.parametrize(
    "table, columns, cell",
    [
        ("train.csv", "filename,label", "{:04d}.jpg,{}"),
        ("labels.csv", "id;breed", "{:04d};{}"),
        ("data.tsv", "width\timage_path\tclass", "80\timages/{:04d}.jpg\t{}"),
        ("list.csv", "file,line", "{:04d}.jpg,{}"),
    ],
)
def test_a_flat_folder_with_a_table_is_told_how_to_write_split_csv(tmp_path, table, columns, cell):
    put(tmp_path, *(f"train/{i:04d}.jpg" for i in range(12)), *(f"test/{i:04d}.jpg" for i in range(100, 104)))
    rows = [cell.format(i, ("cat", "dog, small")[i % 2]) for i in range(12)]
    (tmp_path / table).write_text("\n".join([columns, *rows]).replace("dog, small", "dog"))
    said = refusal(tmp_path)
    assert "12 photographs in train/" in said and str(tmp_path / table) in said
    assert "with the columns path,class,part, such as 'train/0000.jpg,cat,'" in said
    # what the line says to write is read
    written = [f"train/{i:04d}.jpg,{('cat', 'dog')[i % 2]}," for i in range(12)]
    (tmp_path / "split.csv").write_text("\n".join(["path,class,part", *written]))
    index = folder.scan(tmp_path)
    assert index.classes == ("cat", "dog") and set(index.parts) == {""} and len(index) == 12


def test_a_flat_folder_whose_names_begin_with_the_class(tmp_path):
    put(tmp_path, *(f"train/{name}.{i}.jpg" for name in ("cat", "dog") for i in range(6)))
    said = refusal(tmp_path)
    assert "begin with cat (6), dog (6), which may be the classes" in said and "'train/cat.0.jpg,cat,'" in said


def test_a_flat_folder_without_any_sign_of_classes(tmp_path):
    put(tmp_path, *(f"{i}.jpg" for i in range(3)))
    said = refusal(tmp_path)
    assert (
        "3 photographs in the folder itself" in said
        and f"{tmp_path}/<class>/*.jpg" in said
        and "path,class,part" in said
    )


def test_a_table_beside_part_folders_with_classes_changes_nothing(tmp_path):
    put(tmp_path, *(f"{part}/{name}/{i}.jpg" for part in ("train", "test") for name in "ab" for i in range(2)))
    (tmp_path / "train.csv").write_text("filename,label\n0.jpg,a\n1.jpg,b\n")
    assert folder.scan(tmp_path).parts == ("train",) * 4 + ("test",) * 4


def test_the_command_says_it_in_one_line(tmp_path, capsys):
    for name in ("Cat", "Dog"):
        (tmp_path / "Pet\x1b[31mImages" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "Pet\x1b[31mImages" / name / "1.png")
    assert main(["split", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "\x1b" not in said and "Pet\\x1b[31mImages" in said
