"""What `kfg predict` and `kfg explain` take of what they are given, and what they say of the rest."""

import io
import json

import keras
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import image_files
from kfg.data.listing import list_folder
from kfg.errors import InputError


def test_a_folder_gives_its_image_files_and_not_the_hidden_ones(tmp_path):
    for name in ("b.JPG", "a.png", "._a.png", "notes.txt", ".cache/c.png", "deeper/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    Image.new("RGB", (4, 4)).save(buffer := io.BytesIO(), "PNG")
    for name in ("camera", "deeper/e.upload"):  # by content, as training takes them
        (tmp_path / name).write_bytes(buffer.getvalue())
    found = [path.relative_to(tmp_path).as_posix() for path in image_files.files([tmp_path])]
    assert found == ["a.png", "b.JPG", "camera", "deeper/d.webp", "deeper/e.upload"]
    below = [path for path, _, _ in list_folder(tmp_path).images]
    assert [path for path in found if "/" in path] == below
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images"):
        image_files.files([tmp_path / "empty"])


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
    (root / "phone.JXL").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    (root / "notes.txt").write_text("no image, and none that is meant")
    (root / "more").symlink_to(photos(tmp_path / "elsewhere", "3.png"), target_is_directory=True)
    linked = "1 as linked folders (more)"
    assert main(["predict", str(run), str(root), "--json"]) == 1
    printed = capsys.readouterr()
    assert [row["path"] for row in json.loads(printed.out)] == [f"{root}/1.png", f"{root}/deeper/2.png"]
    text = "1 .txt file, which kfg does not read (notes.txt)"
    passed, doubtless, unread = printed.err.splitlines()
    assert "no thresholds for doubt" in doubtless
    assert passed == f"{root}: not used: {text}, {linked}"
    assert unread.startswith(f"error: {root}/phone.JXL: ") and "kfg does not read" in unread
    assert image_files.files(str(root / "phone.JXL")) == image_files.files([root / "phone.JXL"])
    assert (
        image_files.files([root / "phone.JXL"]) == [root / "phone.JXL"] and image_files.remarks([root / "1.png"]) == []
    )


def test_explain_says_it_too(tmp_path, capsys, attentive_net):
    attentive_net("plain").save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text('["red", "green", "blue"]')
    root = photos(tmp_path / "photos", "1.png")
    (root / "phone.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    (root / "more").symlink_to(tmp_path, target_is_directory=True)
    assert main(["explain", str(tmp_path), str(root), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert f"error: {root}/phone.jxl: " in said and "kfg does not read" in said and "1 as linked folders (more)" in said


def test_class_folders_that_are_not_the_models_are_refused(run, tmp_path, capsys):
    mixed = photos(tmp_path / "mixed", "red/1.png", "pink/2.png")
    (mixed / "empty").mkdir()
    assert main(["predict", str(run), str(mixed)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == (
        f"error: {mixed}/pink: the model has no such class, although it has the class red beside it (its classes: red, "
        "green, blue); give the sub-folders or the files to have them classified\n"
    )
    same = photos(tmp_path / "same", "red/1.png", "green/deeper/2.png", "3.png")
    other = photos(tmp_path / "other", "monday/1.png", "tuesday/2.png")
    for given in ([mixed / "red", mixed / "pink"], [same], [other]):
        assert main(["predict", str(run), *map(str, given)]) == 0


def test_a_table_has_one_line_an_image_whatever_the_names(run, tmp_path, capsys):
    (run / "classes.json").write_text(json.dumps(["tab\tname", "new\nline", "esc\x1b[31m"]))
    root = photos(tmp_path / "photos", "a\nb.png", "tab\tx.png", "plain.png")
    (root / "bad\x1b[31m.png").write_bytes(b"no image")
    (root / "v.svg").write_text("<svg/>")
    (root / "scan.npy").write_bytes(b"x")
    (root / "clip.mp4").write_bytes(b"x")
    assert main(["predict", str(run), str(root)]) == 1
    printed = capsys.readouterr()
    header, *lines = printed.out.split("\n")[:-1]
    assert header == "path\tclass\tprobability\tverdict"
    assert [line.split("\t")[:2] for line in lines] == [
        [f"{root}/a\\nb.png", "tab\\tname"],
        [f"{root}/plain.png", "tab\\tname"],
        [f"{root}/tab\\tx.png", "tab\\tname"],
    ]
    assert "\x1b" not in printed.err and "bad\\x1b[31m.png" in printed.err
    assert "1 .mp4 file, which kfg does not read (clip.mp4)" in printed.err
    assert all(f"error: {root}/{name}" in printed.err for name in ("v.svg", "scan.npy"))
    assert main(["predict", str(run), str(root), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["path"] for row in rows] == [f"{root}/a\nb.png", f"{root}/plain.png", f"{root}/tab\tx.png"]
    assert rows[0]["top"][0]["class"] == "tab\tname"
