"""The answer file: ids by file name, nothing guessed for an image that cannot be read."""

import csv
import json
import os

import keras
import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.errors import InputError
from kfg.exporting.classifiers import Answer
from kfg.runs import answers

pytestmark = pytest.mark.usefixtures("untraced")
CLASSES = ("0004615_red", "12_green", "300_blue")
COLOURS = {"r.png": (200, 0, 0), "g.png": (0, 200, 0), "é b.png": (0, 0, 200)}


class Fixed:
    """A classifier that answers class number `len(name) % C`, and cannot read what is named bad."""

    def __init__(self, classes=CLASSES):
        self.classes = tuple(classes)

    def predict(self, paths):
        for path in map(str, paths):
            if "bad" in path:
                yield Answer(path, self.classes, np.empty(0, np.float32), f"{path}: cannot be decoded")
            else:
                chosen = len(os.path.basename(path)) % len(self.classes)
                yield Answer(path, self.classes, np.where(np.arange(len(self.classes)) == chosen, 0.75, 0.125))


@pytest.fixture
def run(tmp_path):
    """A run folder whose model answers the colour an image has most of."""
    path = tmp_path / "run"
    path.mkdir()
    layers = [
        keras.layers.Rescaling(scale=1 / 25),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Softmax(),
    ]
    keras.Sequential([keras.Input(shape=(4, 4, 3)), *layers]).save(path / "model.keras")
    (path / "classes.json").write_text(json.dumps(CLASSES))
    return path


@pytest.fixture
def contest_root(tmp_path):
    root = tmp_path / "contest"
    for path in (*(f"train/{name}/0.png" for name in CLASSES), *(f"test/{name}" for name in COLOURS)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), COLOURS.get(os.path.basename(path), (9, 9, 9))).save(root / path)
    return root


def test_a_contest_is_answered_from_its_folder(run, contest_root, tmp_path, capsys):
    out, table = tmp_path / "out" / "answer.json", tmp_path / "out" / "answer.csv"
    words = ["answer", run, contest_root, "--out", out, "--group", "les élèves", "--csv", table]
    assert main([*map(str, words)]) == 0
    expected = {"g.png": "12", "r.png": "0004615", "é b.png": "300"}
    assert json.loads(out.read_text(encoding="utf-8")) == {"images": expected, "groupname": "les élèves"}
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"]: row["id"] for row in rows} == expected
    assert all(0.9 < float(row["probability"]) <= 1 for row in rows)
    assert capsys.readouterr().out == f"{out}: 3 of 3 images answered\n"
    # the same from the test folder, and by file
    for words in ([contest_root / "test"], [contest_root / "test" / name for name in COLOURS]):
        assert main(["answer", str(run), *map(str, words), "--out", str(out)]) == 0
        assert json.loads(out.read_text(encoding="utf-8")) == {"images": expected, "groupname": ""}


def test_what_cannot_be_read_is_named_and_missing_and_the_rest_answered(run, contest_root, tmp_path, capsys):
    test = contest_root / "test"
    (test / "broken.jpg").write_text("no image")
    (test / "phone.jxl").write_text("not read by kfg")
    (test / "notes.txt").write_text("no image either, and none that is meant")
    (test / ".hidden.png").write_text("skipped")
    out = tmp_path / "answer.json"
    assert main(["answer", str(run), str(contest_root), "--out", str(out)]) == 1
    assert set(json.loads(out.read_text(encoding="utf-8"))["images"]) == set(COLOURS)
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0] == f"{test}: not used: 1 .txt file, which kfg does not read (notes.txt)"
    assert lines[1].endswith("computes the answers.")
    assert len(lines) == 4 and f"error: {test}/broken.jpg" in lines[2] and f"error: {test}/phone.jxl" in lines[3]
    assert printed.out == f"{out}: 3 of 5 images answered\n"


def test_ids_or_names_whole(tmp_path):
    def answered(classes):
        return {name: one for name, (one, _) in answers.answer(Fixed(classes), ["a", "bb", "ccc"]).images.items()}

    assert answered(CLASSES) == {"a": "12", "bb": "300", "ccc": "0004615"}
    assert answered(["cat", "dog_1", "12"]) == {"a": "dog_1", "bb": "12", "ccc": "cat"}
    assert answered(["12_cat", "dog", "ox"]) == {"a": "dog", "bb": "ox", "ccc": "12_cat"}
    with pytest.raises(InputError, match="'12_cat' and '12_dog': have the same id"):
        answered(["12_cat", "12_dog", "9_x"])


def test_no_answer_at_all_is_no_file():
    assert answers.answer(Fixed(), ["a", "bad"]) == answers.Answers({"a": ("12", 0.75)}, ("bad: cannot be decoded",))
    with pytest.raises(InputError, match="none of the 2 images can be read; the first: bad1: cannot be decoded"):
        answers.answer(Fixed(), ["bad1", "bad2"])


def test_two_files_of_one_id_are_told_and_answered_both(run, contest_root, tmp_path, capsys):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(contest_root / "test" / "r.jpg")
    assert main(["answer", str(run), str(contest_root), "--out", str(tmp_path / "answer.json")]) == 0
    assert "2 files have names that differ only in the suffix (r.jpg, r.png)" in capsys.readouterr().err
    assert {"r.jpg", "r.png"} <= set(json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["images"])


def test_one_name_is_one_image(tmp_path, monkeypatch):
    for path in ("a/1.jpg", "b/1.jpg", "a/2.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in answers.images(["a", "a/1.jpg", tmp_path / "a"])] == ["a/1.jpg", "a/2.jpg"]
    for twice in (["a", "b"], ["."]):
        with pytest.raises(InputError, match=r"b/1\.jpg: has the same name as a/1\.jpg"):
            answers.images(twice)


def test_a_folder_with_train_and_test_is_never_answered_whole(tmp_path):
    for path in ("train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert answers.images([tmp_path]) == [tmp_path / "test" / "3.jpg"]  # class names without ids
    (tmp_path / "test" / "cat").mkdir()
    (tmp_path / "test" / "cat" / "4.jpg").touch()
    with pytest.raises(InputError, match=r"test/cat/4\.jpg: in a folder inside test"):
        answers.images([tmp_path])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_json_cannot_carry_is_said_first(tmp_path):
    (tmp_path / "1.jpg").touch()
    os.rename(tmp_path / "1.jpg", os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    with pytest.raises(InputError, match=r"caf\\xe9\.jpg: this name is not UTF-8"):
        answers.images([tmp_path])


@pytest.mark.parametrize(
    "words, said",
    [
        (["--out", "here"], "here: is a folder"),
        (["--out", "file/answer.json"], "file/answer.json: "),
        (["--csv", "here"], "here: is a folder"),
        (["--out", "one", "--csv", "here/../one"], "--csv here/../one: is also the file of --out; give another name"),
        (["--group", "caf\udce9"], r"--group: not UTF-8, got 'caf\\xe9'"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "1.jpg").touch()
    assert main(["answer", "no-model", "1.jpg", *words]) == 2  # the model would be missed next
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1
    assert not (tmp_path / "answer.json").exists() and not (tmp_path / "one").exists()


def test_both_files_or_none(tmp_path):
    given = answers.Answers({"a.jpg": ("12", 0.5)})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        answers.write(given, tmp_path / "answer.json", table=tmp_path / "out")
    assert not (tmp_path / "answer.json").exists()
    answers.write(given, tmp_path / "answer.json", table=tmp_path / "answer.csv")
    assert (tmp_path / "answer.csv").read_text() == "file,id,probability\na.jpg,12,0.500000\n"


@pytest.mark.parametrize(
    "option, own", [("--out", '{"images": {}, "groupname": ""}'), ("--csv", "file,id,probability\n")]
)
def test_only_a_file_of_the_same_kind_is_replaced(option, own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.jpg").touch()
    target = tmp_path / "mine.json"
    for text, said in (
        ("my notes", "mine.json: this file exists and is not a"),
        (own, "no-model: no such run"),
    ):
        target.write_text(text)
        assert main(["answer", "no-model", "1.jpg", option, "mine.json"]) == 2
        assert capsys.readouterr().err.startswith(f"error: {said}") and target.read_text() == text


@pytest.mark.parametrize("name", ["0011.ppm", "0011.svg", "0011.npy", "0011.dcm", "0011.psd"])
def test_a_picture_of_a_rare_format_is_answered_or_named_never_forgotten(run, contest_root, tmp_path, capsys, name):
    path = contest_root / "test" / name
    if name.endswith(".ppm"):
        Image.new("RGB", (8, 8), (0, 200, 0)).save(path)
    else:
        path.write_bytes(b"what a picture of this format begins with")
    out = tmp_path / "answer.json"
    code = main(["answer", str(run), str(contest_root), "--out", str(out)])
    printed = capsys.readouterr()
    answered = set(json.loads(out.read_text(encoding="utf-8"))["images"])
    assert answered - {name} == set(COLOURS)
    if name in answered:
        assert code == 0
    else:
        assert code == 1 and f"error: {path}" in printed.err
    assert printed.out.endswith(f"of {len(COLOURS) + 1} images answered\n")
