"""kfg evaluate RUN --on DIR: a model that names the strongest colour, on squares of known colours."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from kfg import export
from kfg.__main__ import main
from kfg.data import audit, folder, splits

COLOURS = {"blue": (30, 30, 220), "green": (30, 220, 30), "red": (220, 30, 30)}


def square(path, colour, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), tuple(abs(value - shade) for value in colour)).save(path)


@pytest.fixture
def photographs(tmp_path):
    """Ten squares of each colour; one of class green looks blue."""
    root = tmp_path / "photographs"
    for number in range(10):
        for name, colour in COLOURS.items():
            square(root / name / f"{number}.png", colour, number)
    square(root / "green" / "9.png", COLOURS["blue"], 20)
    return root


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    run = tmp_path_factory.mktemp("exported")
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 25)(images))
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax", use_bias=False)(x))
    model.layers[-1].set_weights([np.eye(3)[::-1].astype(np.float32)])  # channels are red, green, blue
    samples = np.zeros((1, 8, 8, 3), np.uint8)
    export.save(model, run / "export", classes=sorted(COLOURS), samples=samples)
    return run


@pytest.fixture
def run(exported, photographs, tmp_path):
    """A run that was trained on the squares 0 to 6 of each class and tested on the others."""
    run = shutil.copytree(exported, tmp_path / "run")
    parts = [{"0": "val", "7": "test", "8": "test", "9": "test"}.get(path.split("/")[1][0], "train")
             for path in folder.scan(photographs).paths]  # fmt: skip
    index = folder.scan(photographs)
    index = folder.make_index(index.root, index.paths, index.labels, index.classes, parts=parts)
    splits.write_csv(audit.duplicate_groups(index), run / "split.csv")
    return run


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_what_the_run_has_seen_is_left_out_and_the_rest_is_reported(run, photographs, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copy(photographs / "red" / "3.png", photographs / "red" / "another-name.png")
    assert main(["evaluate", str(run), "--on", str(photographs), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Left out: 22 of 31 images" in said
    assert f"{out}: 9 test images of 3 classes" in said and f"report: {out / 'report.html'}" in said
    found = json.loads((out / "report.json").read_text())
    assert found["top1"]["value"] == pytest.approx(8 / 9)
    assert found["confusion"] == [[3, 0, 0], [1, 2, 0], [0, 0, 3]]
    assert found["parts"] == {"test": 9}
    answers = rows_of(out / "predictions.csv")
    assert [row["path"] for row in answers if row["correct"] == "0"] == ["green/9.png"]
    assert [row["path"] for row in rows_of(out / "split.csv")] == [row["path"] for row in answers]
    page = (out / "report.html").read_text()
    assert str(run) in page and "22 of 31" in page and "all 9 of part test" in page
    assert "history.csv" not in page and "names no seed" not in page


def test_an_export_alone_does_not_know_what_it_was_trained_on(exported, photographs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evaluate", str(exported / "export"), "--on", str(photographs), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "is not known" in said and "30 test images" in said


def test_the_run_is_known_beside_its_export(run, photographs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evaluate", str(run / "export"), "--on", str(photographs), "--out", str(out)]) == 0
    assert "9 test images" in capsys.readouterr().out


def test_of_a_divided_folder_the_test_part_is_used(exported, photographs, tmp_path, capsys):
    shutil.move(photographs, tmp_path / "divided" / "train")
    for name, colour in COLOURS.items():
        square(tmp_path / "divided" / "test" / name / "new.png", colour, 12)
    words = ["--on", str(tmp_path / "divided"), "--out", str(tmp_path / "out")]
    assert main(["evaluate", str(exported), *words]) == 0
    assert "3 test images" in capsys.readouterr().out


def test_one_class_will_do(run, tmp_path, capsys):
    for number in range(4):
        square(tmp_path / "new" / "red" / f"{number}.png", COLOURS["red"], 11 + number)
    assert main(["evaluate", str(run), "--on", str(tmp_path / "new"), "--out", str(tmp_path / "out")]) == 0
    assert "Left out: 0 of 4 images" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (found["macro_recall"]["value"], found["auc"]) == (1, None)


def test_a_broken_image_is_a_line_and_the_others_are_scored(run, photographs, tmp_path, capsys):
    (photographs / "red" / "8.png").write_bytes((photographs / "red" / "8.png").read_bytes()[:40])
    assert main(["evaluate", str(run), "--on", str(photographs), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "red/8.png" in printed.err
    assert "8 test images" in printed.out
    assert "1 could not be read" in (tmp_path / "out" / "report.html").read_text()


def test_wrong_use_is_a_line_and_leaves_everything_as_it_was(run, photographs, tmp_path, capsys):
    (photographs / "yellow").mkdir()
    square(tmp_path / "foreign" / "yellow" / "1.png", (200, 200, 0), 0)
    only_seen = tmp_path / "seen"
    shutil.copytree(photographs / "red", only_seen / "red", ignore=shutil.ignore_patterns("7*", "8*", "9*"))
    before = sorted(tmp_path.rglob("*"))
    cases = [
        (["--on", photographs, "--out", run], "holds something already"),
        (["--on", photographs, "--out", run / "split.csv" / "x"], "split.csv"),
        (["--on", photographs, "--out", photographs / "out"], "lies inside the folder of photographs"),
        (["--on", tmp_path / "foreign", "--out", tmp_path / "out"], "'yellow'"),
        (["--on", tmp_path / "nowhere", "--out", tmp_path / "out"], "no such folder"),
        (["--on", only_seen, "--out", tmp_path / "out"], "trained on all 7 images"),
        (["--on", photographs, "--posthoc"], "--posthoc"),
        (["--out", tmp_path / "out"], "--out: is for --on"),
    ]
    for words, named in cases:
        assert main(["evaluate", str(run), *map(str, words)]) == 2, words
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and named in error
        assert sorted(tmp_path.rglob("*")) == before
