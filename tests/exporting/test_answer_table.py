"""Rows of answers as text and as values, and copies in class folders."""

import dataclasses

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.exporting import answer_table
from kfg.exporting.classifiers import Answer

NAMES = ("cat", "dog")


def answer(path, probabilities=(0.25, 0.75), error=""):
    return Answer(str(path), NAMES, np.array(() if error else probabilities, np.float32), error)


def test_a_row_says_what_was_answered_or_what_could_not_be_read():
    row = answer_table.values(answer("a, b.jpg"), 3)
    assert list(row) == answer_table.columns(3) and row["class 3"] is None
    assert answer_table.cells(row) == ["a, b.jpg", "dog", "0.7500", "cat", "0.2500", "", "", "", ""]
    assert answer_table.top_of(row) == [
        {"class": "dog", "probability": 0.75},
        {"class": "cat", "probability": 0.25},
    ]
    told = dataclasses.replace(answer("a.jpg"), verdict="unsure", chosen=(1, 0))
    assert answer_table.cells(answer_table.values(told, 1, sets=True))[-3:] == ["unsure", "dog | cat", ""]
    bad = answer_table.values(answer("caf\udce9.jpg", error="bad.jpg: no"), 1)
    assert answer_table.cells(bad) == ["caf\\xe9.jpg", "", "", "", "bad.jpg: no"] and answer_table.top_of(bad) == []


def test_photographs_are_copied_into_class_folders_and_none_is_lost(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_text(folder)
    out = tmp_path / "sorted"
    answer_table.check_folder(out, NAMES)
    for folder in ("one", "two"):
        answer_table.copy_into(answer_table.values(answer(tmp_path / folder / "1.jpg"), 1), out)
    assert {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.jpg")} == {
        "dog/1.jpg": "one",
        "dog/1-2.jpg": "two",
    }
    assert (tmp_path / "one" / "1.jpg").is_file()
    foreign = dataclasses.replace(answer(tmp_path / "one" / "1.jpg"), verdict="none of these")
    answer_table.copy_into(answer_table.values(foreign, 1), out)
    unsure = dataclasses.replace(foreign, verdict="unsure")
    answer_table.copy_into(answer_table.values(unsure, 1), out)
    assert (out / "none of these" / "1.jpg").is_file() and (out / "dog" / "1-3.jpg").is_file()
    with pytest.raises(InputError, match="sorted: is not empty; give a new folder"):
        answer_table.check_folder(out, NAMES)


def test_a_photograph_that_is_gone_is_blamed_and_not_its_copy(tmp_path):
    gone, out = tmp_path / "gone.jpg", tmp_path / "sorted"
    with pytest.raises(InputError, match=f"--sort-into {out}: {gone}: No such file"):
        answer_table.copy_into(answer_table.values(answer(gone), 1), out)


def test_an_answer_is_shown_in_a_line_and_can_be_in_a_set():
    one = answer("a.jpg")
    assert repr(one) == "Answer(path='a.jpg', class_name='dog', probability=0.7500, verdict='', error='')"
    assert "class_name='', probability=nan" in repr(answer("b.jpg", error="b.jpg: truncated"))
    assert one == one and one != answer("a.jpg") and len({one, answer("a.jpg")}) == 2


@pytest.mark.parametrize("name", ["a/b", "..", "aux", "what?", ""])
def test_a_class_that_can_be_no_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="cannot be the name of a folder"):
        answer_table.check_folder(tmp_path / "out", ["cat", name])
