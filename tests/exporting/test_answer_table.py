"""Tables of answers and copies in class folders."""

import csv

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.exporting import answer_table
from kfg.exporting.classifiers import Answer

NAMES = ("cat", "dog")


def answer(path, probabilities=(0.25, 0.75), error=""):
    return Answer(str(path), NAMES, np.array(() if error else probabilities, np.float32), error)


def test_a_table_has_every_image_and_what_could_not_be_read(tmp_path):
    rows = [answer_table.cells(answer("a, b.jpg"), 2), answer_table.cells(answer("bad.jpg", error="bad.jpg: no"), 2)]
    answer_table.write_table(rows, tmp_path / "t.csv", 2)
    with open(tmp_path / "t.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert read[0] == {
        "path": "a, b.jpg",
        "class": "dog",
        "probability": "0.7500",
        "class 2": "cat",
        "probability 2": "0.2500",
        "error": "",
    }
    assert read[1]["error"] == "bad.jpg: no" and read[1]["class"] == ""
    answer_table.check_table(tmp_path / "t.csv", 2)  # its own may be overwritten
    (tmp_path / "mine.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"mine.csv: this file is there and is not a table of kfg predict's"):
        answer_table.check_table(tmp_path / "mine.csv", 2)


def test_photographs_are_copied_into_class_folders_and_none_is_lost(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_text(folder)
    out = tmp_path / "sorted"
    answer_table.check_folder(out, NAMES)
    answers = [answer(tmp_path / "one" / "1.jpg"), answer(tmp_path / "two" / "1.jpg"), answer("x", error="no")]
    assert answer_table.sort_into(answers, out) == 2
    assert {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.jpg")} == {
        "dog/1.jpg": "one",
        "dog/1-2.jpg": "two",
    }
    assert (tmp_path / "one" / "1.jpg").is_file()
    with pytest.raises(InputError, match="sorted: holds something already"):
        answer_table.check_folder(out, NAMES)


@pytest.mark.parametrize("name", ["a/b", "..", "aux", "what?", ""])
def test_a_class_that_can_be_no_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="cannot be the name of a folder"):
        answer_table.check_folder(tmp_path / "out", ["cat", name])
