"""What `kfg predict` and `kfg explain` take of what they are given, and what they say of the rest."""

import io
import json

import keras
import pytest
from PIL import Image

from kfg import images
from kfg.__main__ import main
from kfg.data.listing import list_folder
from kfg.errors import InputError


def test_a_folder_gives_its_image_files_and_not_the_hidden_ones(tmp_path):
    for name in ("b.JPG", "a.png", "._a.png", "notes.txt", ".cache/c.png", "deeper/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    Image.new("RGB", (4, 4)).save(buffer := io.BytesIO(), "PNG")
    for name in ("camera", "deeper/e.upload"):  # by content, as training takes them
        (tmp_path / name).write_bytes(buffer.getvalue())
    found = [path.relative_to(tmp_path).as_posix() for path in images.files([tmp_path])]
    assert found == ["a.png", "b.JPG", "camera", "deeper/d.webp", "deeper/e.upload"]
    below = [path for path, _, _ in list_folder(tmp_path).images]
    assert [path for path in found if "/" in path] == below
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images"):
        images.files([tmp_path / "empty"])


@pytest.fixture
def run(tmp_path):
    """A run folder whose model answers the colour an image has most of."""
    path = tmp_path / "run"
    path.mkdir()
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Softmax()])
    model.save(path / "model.keras")
    (path / "classes.json").write_text('["red", "green", "blue"]')
    return path


def photos(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(root / name)
    return root


def test_photographs_that_cannot_be_read_are_errors_and_what_else_is_passed_over_is_said(run, tmp_path, capsys):
    root = photos(tmp_path / "photos", "1.png", "deeper/2.png")
    (root / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (root / "notes.txt").write_text("no image, and none that is meant")
    (root / "more").symlink_to(photos(tmp_path / "elsewhere", "3.png"), target_is_directory=True)
    heic, linked = f"error: {root}/phone.HEIC: in a format kfg does not read", "passed over: 1 as linked folders (more)"
    assert main(["predict", str(run), str(root), "--json"]) == 1
    printed = capsys.readouterr()
    assert [row["path"] for row in json.loads(printed.out)] == [f"{root}/1.png", f"{root}/deeper/2.png"]
    assert printed.err.splitlines() == [f"{root}: {linked}", heic]
    assert images.files(str(root / "phone.HEIC")) == images.files([root / "phone.HEIC"])
    assert images.files([root / "phone.HEIC"]) == [root / "phone.HEIC"] and images.remarks([root / "1.png"]) == []


def test_explain_says_it_too(tmp_path, capsys, attentive_net):
    attentive_net("plain").save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text('["red", "green", "blue"]')
    root = photos(tmp_path / "photos", "1.png")
    (root / "phone.avif").write_bytes(b"\0\0\0\x18ftypavif")
    (root / "more").symlink_to(tmp_path, target_is_directory=True)
    assert main(["explain", str(tmp_path), str(root), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "phone.avif: in a format kfg does not read" in said and "1 as linked folders (more)" in said


def test_class_folders_that_are_not_the_models_are_refused(run, tmp_path, capsys):
    mixed = photos(tmp_path / "mixed", "red/1.png", "pink/2.png")
    (mixed / "empty").mkdir()
    assert main(["predict", str(run), str(mixed)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == (
        f"error: {mixed}/pink: the model has no such class, though it has red beside it (its classes: red, green, "
        "blue); give the sub-folders or the files to have them classified\n"
    )
    same = photos(tmp_path / "same", "red/1.png", "green/deeper/2.png", "3.png")
    other = photos(tmp_path / "other", "monday/1.png", "tuesday/2.png")
    for given in ([mixed / "red", mixed / "pink"], [same], [other]):
        assert main(["predict", str(run), *map(str, given)]) == 0
