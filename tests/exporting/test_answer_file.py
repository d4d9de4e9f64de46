"""Tables of any size: written piece by piece, resumed after a kill, every photograph answered exactly once."""

import csv
import json

import numpy as np
import pytest

from kfg.errors import InputError
from kfg.exporting import answer_file, answer_forms
from kfg.exporting.answer_file import AnswerFile
from kfg.exporting.classifiers import Answer

PHOTOGRAPHS = [f"photos/{i}.jpg" for i in range(23)]


@pytest.fixture(params=[".csv", ".parquet"])
def target(request, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_file, "PIECE", 5)
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet (pyarrow) is not installed")
    return tmp_path / f"answers{request.param}"


def table(target, photographs=PHOTOGRAPHS, model="m", top=2):
    return AnswerFile(target, answer_forms.of(target), photographs, top=top, model=model)


class Classifier:
    """Answers by the number in the name, cannot read 13, and is killed before the answer number `dies`."""

    def __init__(self, dies=None):
        self.dies, self.asked = dies, []

    def predict(self, paths):
        for count, path in enumerate(paths):
            if count == self.dies:
                raise KeyboardInterrupt
            self.asked.append(path)
            number = int(path.split("/")[1].split(".")[0])
            bad = f"{path}: truncated" if number == 13 else ""
            yield Answer(path, ("cat", "dog"), np.array([number, 100 - number], np.float32) / 100, bad)


def fill(asked, classifier, *, resume=False):
    with asked.begun(resume=resume):
        pieces = {number: asked.stretch(number) for number in asked.missing()}
        rows = list(asked.kept(answer_file.answers(classifier, pieces, top=2)))
        return rows, asked.close()


def rows_of(target):
    if target.suffix == ".csv":
        with open(target, newline="") as file:
            return list(csv.DictReader(file))
    from pyarrow import parquet

    return parquet.read_table(target).to_pylist()


def test_every_photograph_is_in_the_table_once_and_in_order(target):
    rows, unread = fill(table(target), Classifier())
    assert [row["path"] for row in rows] == PHOTOGRAPHS and unread == 1
    found = rows_of(target)
    assert [row["path"] for row in found] == PHOTOGRAPHS and not (target.parent / f"{target.name}.partial").exists()
    assert list(found[0]) == ["path", "class", "probability", "class 2", "probability 2", "verdict", "error"]
    assert found[3]["class"] == "dog" and float(found[3]["probability"]) == pytest.approx(0.97)
    assert found[13]["error"] == "photos/13.jpg: truncated" and not found[13]["class"]
    assert not found[13]["probability"] and not found[3]["error"]
    assert table(target).finished() == 1
    with pytest.raises(InputError, match="holds answers for other photographs; give the table another name"):
        table(target, PHOTOGRAPHS[:-1]).finished()


def test_after_a_kill_the_rest_is_answered_and_nothing_twice(target):
    killed = Classifier(dies=12)
    with pytest.raises(KeyboardInterrupt):
        fill(table(target), killed)
    assert not target.exists() and table(target).finished() is None
    with pytest.raises(
        InputError,
        match=r"answers\.\w+\.partial: holds a table that was interrupted; add --resume to continue it, or remove",
    ):
        fill(table(target), Classifier())
    resumed = Classifier()
    fill(table(target), resumed, resume=True)
    assert resumed.asked == PHOTOGRAPHS[10:]  # two pieces were whole, the third is asked again
    fresh = target.with_name(f"fresh{target.suffix}")
    fill(table(fresh), Classifier())
    assert rows_of(target) == rows_of(fresh)
    if target.suffix == ".csv":
        assert target.read_bytes() == fresh.read_bytes()


def test_pieces_may_come_in_any_order_but_each_on_its_own_photographs(target):
    asked = table(target)
    with asked.begun(resume=False):
        pieces = {number: asked.stretch(number) for number in reversed(asked.missing())}
        for _ in asked.kept(answer_file.answers(Classifier(), pieces, top=2)):
            pass
        ((_, rows),) = answer_file.answers(Classifier(), {0: asked.stretch(0)}, top=2)
        with pytest.raises(ValueError, match="piece 1: its 5 answers do not have the paths of its 5 photographs"):
            asked.put(1, rows)
        asked.close()
    assert [row["path"] for row in rows_of(target)] == PHOTOGRAPHS


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"model": "other"}, "was started with another model"),
        ({"photographs": [*PHOTOGRAPHS, "more.jpg"]}, "was started with other photographs"),
    ],
)
def test_what_was_begun_with_something_else_is_refused(target, changed, said):
    with pytest.raises(KeyboardInterrupt):
        fill(table(target), Classifier(dies=12))
    with pytest.raises(InputError, match=said):
        fill(table(target, **changed), Classifier(), resume=True)
    fill(table(target), Classifier(), resume=True)


def test_other_peoples_files_are_left_alone(target):
    target.write_text("a,b\n1,2\n")
    with pytest.raises(
        InputError, match="this file exists and is not a table written by kfg predict with these columns"
    ):
        table(target)
    target.unlink()
    (target.parent / f"{target.name}.partial").mkdir()
    (target.parent / f"{target.name}.partial" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"partial: holds something that kfg did not write"):
        fill(table(target), Classifier())
    assert [path.name for path in (target.parent / f"{target.name}.partial").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("resume", [True, False])
def test_a_second_command_on_one_table_is_refused(target, resume):
    with table(target).begun(resume=False), pytest.raises(InputError, match="another command is writing this table"):
        fill(table(target), Classifier(), resume=resume)


def test_a_finished_table_is_complete_only_for_what_was_asked(target):
    """--resume must not take an earlier model's answers for those of the model that is named now."""
    fill(table(target), Classifier())
    assert table(target).finished() == 1
    with pytest.raises(InputError, match=r"answers\.\w+: was written with another model; give the table another name"):
        table(target, model="other").finished()
    form = answer_forms.of(target)
    doubting = AnswerFile(target, form, PHOTOGRAPHS, top=2, model="m", doubt=[0.9, None])
    with pytest.raises(InputError, match="was written with another --precision-of-answers or --sets"):
        doubting.finished()
    fill(table(target, model="other"), Classifier())
    assert table(target, model="other").finished() == 1
    order = target.parent / f".{target.name}.order"
    kept = order.read_text()
    order.write_text(json.dumps({**json.loads(kept), "table": "of another table, moved to this name"}))
    with pytest.raises(InputError, match="it is not known which model gave these answers"):
        table(target, model="other").finished()
    order.unlink()  # as beside a table of an earlier version
    with pytest.raises(InputError, match="it is not known which model gave these answers"):
        table(target).finished()


def test_the_suffix_says_the_form(monkeypatch):
    assert answer_forms.of("A.CSV").SUFFIX == ".csv"
    with pytest.raises(InputError, match=r"--out a.xlsx: give a name that ends in \.csv or \.parquet"):
        answer_forms.of("a.xlsx")
    assert answer_forms.csv_of("A.CSV").SUFFIX == ".csv"
    with pytest.raises(InputError, match=r"--csv a.parquet: give a name that ends in \.csv; --out also writes"):
        answer_forms.csv_of("a.parquet")
    monkeypatch.setattr(answer_forms.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"Parquet needs the package pyarrow; install it with pip install pyarrow"):
        answer_forms.of("a.parquet")
