"""Labels from a table of any columns: what is read, what is said, and what is refused."""

import dataclasses
import hashlib
import types

import numpy as np
import pytest
from PIL import Image

import kfg
from kfg.__main__ import main
from kfg.data import audit, corrections, folder, labels, tables, told
from kfg.data.labels import Labels
from kfg.errors import InputError
from kfg.exporting import answer_table
from kfg.exporting.classifiers import Answer
from kfg.runs import answers, found, new_photographs

SPECIES = {"a": "ant", "b": "bee", "c": "cicada"}


@pytest.fixture
def photos(tmp_path):
    """Make photos/images/{a,b,c}{0..7}.JPG, eight of each of three species."""
    rng = np.random.default_rng(0)
    home = tmp_path / "photos" / "images"
    home.mkdir(parents=True)
    for letter in SPECIES:
        for i in range(8):
            pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 40)).save(home / f"{letter}{i}.JPG")
    return tmp_path / "photos"


def rows(form="images/{}.JPG", separator=","):
    names = [f"{letter}{i}" for i in range(8) for letter in SPECIES]
    return [separator.join((form.format(name), SPECIES[name[0]])) for name in names]


def table(path, header, lines, *, encoding="utf-8", end="\n"):
    path.write_bytes(end.join([header, *lines, ""]).encode(encoding))
    return path


def check(index):
    """Check that each photograph has the label that its name says, and each is there once."""
    assert index.classes == ("ant", "bee", "cicada") and index.counts().tolist() == [8, 8, 8]
    names = [path.rpartition("/")[2] for path in index.paths]
    assert [SPECIES[name[0]] for name in names] == [index.classes[label] for label in index.labels]
    assert all(path.is_file() for path in index.full_paths())


@pytest.mark.parametrize(
    "form, separator, encoding, end",
    [
        ("images/{}.JPG", ",", "utf-8", "\n"),
        ("images\\{}.JPG", ";", "utf-8-sig", "\r\n"),
        (".\\images\\{}.jpg", "\t", "utf-16", "\r\n"),
        ("images/{}", ",", "utf-16-le", "\n"),
    ],
)
def test_tables_of_spreadsheets_are_read_whatever_their_form(photos, form, separator, encoding, end):
    header = separator.join(("filename", "species"))
    csv = table(photos / "labels.csv", header, rows(form, separator), encoding=encoding, end=end)
    index = folder.scan(photos, labels=Labels(csv, "filename", "species"))
    check(index)
    assert set(index.parts) == {""} and told.parts_read(index) == "" and told.passed_over(index) == []


def test_columns_with_usual_names_are_found_and_said(photos):
    lines = [f"{i},{row},{'train' if i % 3 else 'test'}" for i, row in enumerate(rows())]
    csv = table(photos / "labels.csv", "nr,File,Species,subset", lines)
    index = folder.scan(photos, labels=Labels(csv))
    check(index)
    assert index.parts.count("train") == 16 and index.parts.count("test") == 8
    taken = f"{csv}: using the column 'File' for the path and 'Species' for the label and 'subset' for the part"
    assert told.parts_read(index).startswith(
        f"{taken} (choose others with --path-column and --label-column and --part-column"
    )
    index = folder.scan(photos, labels=Labels(csv, "File", "subset"))
    assert index.classes == ("test", "train") and set(index.parts) == {""}  # the label's column says no part


def test_a_column_called_line_is_a_column_like_any_other(photos):
    csv = table(photos / "labels.csv", "filename,line", rows())
    check(folder.scan(photos, labels=Labels(csv, "filename", "line")))
    csv = table(photos / "labels.csv", "filename,line", [*rows(), "images/a0.JPG,"])
    with pytest.raises(InputError, match="1 row has no label in column 'line': line 26;"):
        labels.read(Labels(csv, "filename", "line"), photos)


def test_paths_relative_to_the_folder_of_the_photographs_are_found_and_said(photos, tmp_path):
    csv = table(tmp_path / "train.csv", "id,breed", rows("{}"))
    index = folder.scan(photos / "images", labels=Labels(csv))
    check(index)
    assert f"paths in {csv} are read relative to {photos / 'images'}" in told.parts_read(index)
    below = table(tmp_path / "all.csv", "path,label", rows("photos/images/{}.JPG"))
    assert set(folder.scan(photos, labels=Labels(below)).paths) == {f"images/{path}" for path in index.paths}
    whole = table(tmp_path / "whole.csv", "path,label", rows(f"{photos}/images/{{}}.JPG"))
    check(folder.scan(photos, labels=Labels(whole)))


def test_a_photograph_that_is_listed_twice_with_one_label_counts_once(photos):
    csv = table(photos / "boxes.csv", "path,label", [*rows(), "images/../images/a0.JPG,ant", "images/b1.JPG,bee"])
    index = folder.scan(photos, labels=Labels(csv))
    check(index)
    assert f"2 rows of {csv} repeat a photograph" in told.parts_read(index)


def test_what_the_table_does_not_list_is_passed_over_and_said(photos):
    csv = table(photos / "labels.csv", "path,label", rows()[:-2])
    (photos / "notes.txt").write_text("mine")
    index = folder.scan(photos, labels=Labels(csv))
    assert sorted(told.passed_over(index)) == [
        ("images/b7.JPG", "unlisted"),
        ("images/c7.JPG", "unlisted"),
        ("notes.txt", "not-an-image"),
    ]
    found = audit.audit(photos, labels=Labels(csv))
    assert found.images == 22 and found.classes == {"ant": 8, "bee": 7, "cicada": 7} and "'label'" in found.told


@pytest.mark.parametrize("name", ["corrections.csv", "decided.csv"])
def test_corrections_in_the_folder_are_not_reported_as_unread(photos, name):
    csv = table(photos / "labels.csv", "path,label", rows())
    digest = hashlib.sha256((photos / "images" / "a0.JPG").read_bytes()).hexdigest()
    made = corrections.Correction("images/a0.JPG", digest, "ant", "bee", "seen", corrections.now())
    corrections.decide(photos / "corrections.csv", photos, made.path, made, was=None)
    (photos / "corrections.csv").rename(photos / name)
    wanted = True if name == "corrections.csv" else photos / name
    index = folder.scan(photos, labels=Labels(csv), corrections=wanted)
    assert index.counts().tolist() == [7, 9, 8] and told.passed_over(index) == []
    found = audit.audit(photos, labels=Labels(csv), corrections=wanted)
    assert found.passed_over == [] and found.corrected.applied == 1
    ignored = told.passed_over(folder.scan(photos, labels=Labels(csv), corrections=False))
    assert ignored == ([] if wanted is True else [(name, "not-an-image")])


BAD = [  # header, lines, what is said
    (
        "name,kind",
        rows(),
        "no column has a common name for the path (path, file, filename and 14 more); its first line",
    ),
    ("path,kind", rows(), "no column has a common name for the label"),
    ("path,label,image", [f"{row},x" for row in rows()], "the columns 'path' and 'image' could each be the path"),
    (
        "path,label",
        [*rows(), "images/x1.JPG,ant", "images/x2.JPG,bee"],
        "2 rows have a photograph that does not exist: ",
    ),
    ("path,label", [*rows(), "images/a0.JPG,bee"], "1 photograph has two labels: images/a0.JPG ('ant' and 'bee' in "),
    ("path,label", [*rows(), "images/a0.JPG,", ",bee"], "1 row has no path in column 'path': line 27; fill it in"),
    ("path,label", ["images/a0.JPG,ant", "images/a1.JPG,ant"], "all photographs have the label 'ant'"),
    ("path,label", [*rows(), "C:\\me\\a.jpg,ant"], "is on another computer"),
    ("path,label", [*rows(), "../beside.txt,ant"], "is outside of"),
    ("path,label", [*rows(), f"{'long ' * 99},ant"], "1 row has a photograph that does not exist: 'long long "),
    ("path,label", [], "lists no photographs"),
    ("path,label", rows("{}.JPG"), "24 rows have a photograph that does not exist: 'a0.JPG' in line 2, "),
]


@pytest.mark.parametrize("header, lines, said", BAD)
def test_a_table_that_cannot_be_used_is_refused_with_exit_2(photos, capsys, header, lines, said):
    (photos.parent / "beside.txt").write_text("x")
    csv = table(photos / "labels.csv", header, lines)
    for command in ("audit", "split"):
        assert main([command, str(photos), "--csv", str(csv)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {csv}") and said in line
    assert not (photos / "split.csv").exists()


def test_options_that_name_nothing_are_refused(photos):
    csv = table(photos / "labels.csv", "filename,species", rows())
    with pytest.raises(InputError, match=r"--label-column specie: no such column in .*; did you mean species\?"):
        labels.read(Labels(csv, label_column="specie"), photos)
    with pytest.raises(InputError, match=r"--csv labels.csv: no such file; did you mean .*photos/labels.csv\?"):
        labels.read(dataclasses.replace(Labels(csv), csv=csv.relative_to(photos)), photos)
    with pytest.raises(InputError, match=r"--part-column: only works with a table of labels; give the table with"):
        labels.given(None, None, None, "part")
    lines = [f"{row},{part}" for row, part in zip(rows(), [*["train"] * 22, "learn", "x"], strict=True)]
    csv = table(photos / "parts.csv", "filename,species,set", lines)
    with pytest.raises(InputError, match=r"2 rows have a part other than train, val or test, or empty .*'learn'"):
        labels.read(Labels(csv, part_column="set"), photos)
    assert set(folder.scan(photos, labels=Labels(csv)).parts) == {""}  # by its words, no column of parts


def test_split_writes_what_training_takes_with_and_without_the_table(photos, capsys):
    csv = table(photos / "labels.csv", "filename,species", rows())
    words = ["split", str(photos), "--csv", str(csv), "--path-column", "filename", "--label-column", "species"]
    assert main([*words, "--val", "0.2", "--test", "0.2"]) == 0
    capsys.readouterr()
    alone, beside = folder.scan(photos), folder.scan(photos, labels=Labels(csv))
    assert alone.parts == beside.parts and alone.paths == beside.paths and set(alone.parts) == {"train", "val", "test"}
    assert told.decided_by(beside) == str(photos / "split.csv")
    other = table(photos / "other.csv", "filename,species", [*rows()[:-1], "images/c7.JPG,bee"])
    with pytest.raises(
        InputError, match=r"split\.csv: cannot be used together with .*other\.csv \(1 photographs differ, such as"
    ):
        folder.scan(photos, labels=Labels(other))


def test_load_takes_a_table(photos):
    csv = table(photos / "labels.csv", "filename,species", rows())
    with pytest.warns(UserWarning, match="using the column 'species' for the label"):
        parts = kfg.load(photos, image_size=8, val=0.25, test=0.25, csv=csv, path_column="filename")
    assert sum(map(len, parts)) == 24 and parts.train.classes == ("ant", "bee", "cicada")


@pytest.fixture
def answered(photos):
    """Return the table that kfg predict writes for the photographs, each answered with the class ant or bee."""
    sums = np.array([[0.9, 0.1], [0.2, 0.8]] * 12)
    paths = sorted((photos / "images").iterdir())
    given = [Answer(str(path), ("ant", "bee"), one) for path, one in zip(paths, sums, strict=True)]
    lines = [",".join(answer_table.cells(answer_table.values(one, 1))) for one in given]
    return table(photos / "answers.csv", ",".join(answer_table.columns(1)), lines)


COLUMNS = ("--path-column", "path", "--label-column", "class")


@pytest.mark.parametrize(
    "command", [["audit"], ["split"], ["train", "--out", "{}/runs"], ["evaluate", "run", "--out", "{}/new", "--on"]]
)
def test_a_models_answers_are_refused_as_labels_in_one_line(photos, answered, capsys, monkeypatch, command):
    loaded = types.SimpleNamespace(classes=("ant", "bee"))
    monkeypatch.setattr(new_photographs.classifiers, "load", lambda model: loaded)
    monkeypatch.setattr(found, "only", lambda model: model)
    command = [word.format(photos.parent) for word in command]
    assert main([*command, str(photos), "--csv", str(answered), *COLUMNS]) == 2
    said = capsys.readouterr().err.splitlines()
    said = [line for line in said if "step 1" not in line]
    assert len(said) == 1 and f"{answered}: its classes are a model's answers, not what the photographs show" in said[0]
    assert "look at each photograph" in said[0] and "name that column by --label-column" in said[0]


@pytest.mark.parametrize("top, sets", [(1, False), (3, False), (1, True), (2, True)])
def test_every_table_of_answers_is_known_and_one_without_the_models_columns_is_read(photos, answered, top, sets):
    assert tables.holds_answers(answer_table.columns(top, sets=sets)) and tables.holds_answers(answers.COLUMNS)
    with pytest.raises(InputError, match="a model's answers"):
        kfg.load(photos, csv=answered)
    lines = [line.split(",") for line in answered.read_text().splitlines()]
    looked_at = [f"{path},{name},{p},{verdict},{name}" for path, name, p, verdict, _ in lines[1:]]
    own = table(photos / "own.csv", "path,class,probability,verdict,truth", looked_at)
    assert folder.scan(photos, labels=Labels(own, label_column="truth")).counts().tolist() == [12, 12]
    table(answered, "path,class,error", [f"{path},{name},{error}" for path, name, _, _, error in lines[1:]])
    assert folder.scan(photos, labels=Labels(answered)).counts().tolist() == [12, 12]


@pytest.mark.parametrize("command", [["audit"], ["split"], ["train"], ["review", "--port", "0"]])
def test_a_models_answers_are_not_suggested_as_labels(photos, answered, capsys, command):
    assert main([*command, str(photos / "images")]) in (1, 2)
    told = capsys.readouterr()
    assert "photographs in the folder itself" in told.out + told.err and "answers.csv" not in told.out + told.err
    table(answered, "path,class", rows())
    assert main([*command, str(photos / "images")]) in (1, 2)
    told = capsys.readouterr()
    assert "kfg audit, split, train and evaluate read it with --csv" in told.out + told.err
