"""split.csv as people and spreadsheets write it: read where it is certain, else a line that says how to write it."""

import os
import unicodedata

import pytest

from kfg.data import audit, class_names, folder, splitcsv, splits, tables, told
from kfg.data.index import make_index
from kfg.errors import InputError

ROWS = [
    ("cat/0.jpg", "cat", "train"), ("cat/1.jpg", "cat", "val"), ("cat/2.jpg", "cat", "test"),
    ("dog/0.jpg", "dog", "train"), ("dog/1.jpg", "dog", "val"), ("dog/2.jpg", "dog", "test"),
]  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A folder whose own layout would be two classes without parts."""
    root = tmp_path / "photos"
    for path, _, _ in ROWS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not looked at")
    return root


def table(rows=ROWS, separator=",", header=("path", "class", "part"), end="\n"):
    return end.join(separator.join(row) for row in [header, *rows]) + end


def write(root, text, encoding="utf-8"):
    (root / "split.csv").write_bytes(text if isinstance(text, bytes) else text.encode(encoding))


def read(root):
    index = folder.scan(root)
    return sorted(zip(index.paths, (index.classes[label] for label in index.labels), index.parts, strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_of_spreadsheets(root, encoding, separator):
    write(root, table(separator=separator, end="\r\n"), encoding)
    assert read(root) == ROWS
    assert "bad-split" not in {one.kind for one in audit.audit(root).findings}


@pytest.mark.parametrize(
    "header",
    [
        ("Path", "Class", "Part"),
        ("FILENAME", "label", "split"),
        ("image_path", "Category", "Set"),
        ("file", "species", "subset"),
        (" path", "class ", "part"),
    ],
)
def test_other_names_of_columns(root, header):
    write(root, table(header=header))
    assert read(root) == ROWS


@pytest.mark.parametrize(
    "text",
    [
        table(separator=", "),
        table([("", "", ""), *ROWS, ("", "", "")]).replace("\n", "\n\n"),
        table([(str(i), *row) for i, row in enumerate(ROWS)], header=("", "path", "class", "part")),
        table([(*row, "3", "a note") for row in ROWS], header=("path", "class", "part", "width", "note")),
        table([(path, name, part.upper()) for path, name, part in ROWS]),
        table([(path, name, f" {part.capitalize()} ") for path, name, part in ROWS]),
        table(
            [(path, name, {"val": "valid", "train": "Training", "test": "testing"}[part]) for path, name, part in ROWS]
        ),
        table([(path.replace("/", "\\"), name, part) for path, name, part in ROWS]),
        table([(f"./{path}", name, part) for path, name, part in ROWS]),
        table([(f"cat/../{path}", name, part) for path, name, part in ROWS]),
        table([(f"../photos/{path}", name, part) for path, name, part in ROWS]),
        table([(path.replace("/", "//"), name, part) for path, name, part in ROWS]),
        table([(*row, f"{i}.0") for i, row in enumerate(ROWS)], header=("path", "class", "part", "group")),
    ],
)
def test_what_means_the_same_reads_the_same(root, text):
    write(root, text)
    assert read(root) == ROWS
    assert audit.audit(root).images == 6 and not any(
        one.kind in ("bad-split", "missing") for one in audit.audit(root).findings
    )


def test_absolute_paths_inside_the_folder_are_relative_and_all_of_it_is_used(root, tmp_path):
    write(root, table([(str(root / path), name, part) for path, name, part in ROWS]))
    assert read(root) == ROWS
    assert told.passed_over(folder.scan(root)) == []
    if os.name != "nt":
        (tmp_path / "link").symlink_to(root)
        assert read(tmp_path / "link") == ROWS  # the table names the real folder, the user gave a link to it


@pytest.mark.parametrize("path", ["../outside/1.jpg", "/elsewhere/1.jpg", "cat/../../1.jpg", "..", "C:\\data\\1.jpg"])
def test_paths_that_lead_out_of_the_folder_are_refused(root, path):
    write(root, table([*ROWS, (path, "cat", "train")]))
    with pytest.raises(InputError) as error:
        folder.scan(root)
    assert str(error.value).startswith(f"{root / 'split.csv'}:8: {path} is ") and str(root) in str(error.value)
    assert [one.kind for one in audit.audit(root).findings][:1] == ["bad-split"]


@pytest.mark.parametrize(
    "row",
    [
        ("./cat/0.jpg", "cat", "train"),
        ("cat//0.jpg", "cat", "train"),
        ("cat\\0.jpg", "dog", "train"),
        ("dog/../cat/0.jpg", "cat", "test"),
    ],
)
def test_one_file_under_two_spellings_is_told_with_both(root, row):
    write(root, table([*ROWS, row]))
    with pytest.raises(InputError) as error:
        folder.scan(root)
    assert str(error.value).endswith(f":8: {row[0]} is listed twice, in line 2 as 'cat/0.jpg'; remove one of the lines")


@pytest.mark.parametrize(
    "text, said",
    [
        (b"PK\x03\x04" + bytes(600), "an Excel workbook or another zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel workbook"),
        (bytes(600), "not a table in text; save the table as CSV (UTF-8)"),
        (table([row[:2] for row in ROWS], header=("filename", "label")).encode(), "no column 'split' or 'part'"),
        (table(header=("image", "file", "part")).encode(), "the columns 'image' and 'file' could both be the path"),
        (table([("https://x.org/1.jpg", "cat", "train")]).encode(), "is a web address; download"),
        (table([("cat/0.JPG", "cat", "train"), *ROWS[1:]]).encode(), "there is '0.jpg', which differs in case only"),
        (table([("cat", "cat", "train"), *ROWS[1:]]).encode(), "cat is a folder"),
        (
            table([(*ROWS[0][:2], "left"), *ROWS[1:]]).encode(),
            "part 'left' is not one of train, val, test; write train",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line_without_a_false_one_class(root, text, said):
    write(root, text)
    with pytest.raises(InputError) as error:
        folder.scan(root)
    assert said in str(error.value) and "\n" not in str(error.value) and str(root / "split.csv") in str(error.value)
    found = audit.audit(root)
    assert audit.exit_code(found) == 1
    assert not {one.kind for one in found.findings} & {"one-class", "empty-class", "no-images", "too-few-images"}


def test_nfc_and_nfd_of_one_name_are_matched(root):
    on_disk, listed = (unicodedata.normalize(form, "café/crème.jpg") for form in ("NFD", "NFC"))
    (root / on_disk).parent.mkdir()
    (root / on_disk).write_bytes(b"x")
    write(root, table([*ROWS, (listed, "cat", "train")]))
    assert on_disk in folder.scan(root).paths and listed not in folder.scan(root).paths
    assert "missing" not in {one.kind for one in audit.audit(root).findings}
    (root / on_disk).rename(root / "cat" / "crème\u200b.jpg")  # and what cannot be matched is shown
    write(root, table([*ROWS, ("cat/crème.jpg", "cat", "train")]))
    with pytest.raises(InputError, match="which differs only by U\\+200B ZERO WIDTH SPACE inside"):
        folder.scan(root)
    assert any("U+200B" in one.detail for one in audit.audit(root).findings if one.kind == "missing")


def test_an_empty_part_leaves_it_to_kfg_and_only_that(root):
    write(root, table([(path, name, "" if part == "val" else part) for path, name, part in ROWS]))
    index = folder.scan(root)
    assert sorted(index.parts) == ["", "", "test", "test", "train", "train"]
    assert told.parts_read(index) == "2 images have no part in split.csv; kfg chooses one for them"
    decided = splits.split(index, val=0.5)
    assert [part for part, given in zip(decided.parts, index.parts, strict=True) if given] == [
        p for p in index.parts if p
    ]


def test_what_kfg_writes_comes_back_to_the_letter(tmp_path):
    names = [" cat", "cat ", "a,b", 'quo"te', "semi;colon", "tab\tname", "new\nline", "back\\slash", "=1", "é"]
    paths = []
    for name in names:
        paths.append(f"{name}/0.jpg")
        (tmp_path / name).mkdir()
        (tmp_path / paths[-1]).write_bytes(b"x")
    index = make_index(tmp_path, paths, range(len(names)), names, parts=["train"] * len(names))
    splits.write_csv(index, tmp_path / "split.csv")
    back = folder.read_split(tmp_path / "split.csv", tmp_path, classes=names)
    assert (back.paths, back.classes, back.labels.tolist()) == (tuple(paths), tuple(names), list(range(len(names))))
    rows, columns = splitcsv.split_rows(tmp_path / "split.csv")
    assert [row["path"] for row in rows] == paths and columns == ["path", "class", "part", "group", "sha256"]


def test_a_class_that_is_not_utf8_names_the_table_as_a_cause(root):
    write(root, table([(path, f"{name}é", part) for path, name, part in ROWS]), "latin-1")
    with pytest.raises(InputError, match=r"cat\\xe9: this name is not UTF-8; rename it \(if only split"):
        class_names.check_names(folder.scan(root))
    found = [(one.kind, one.severity) for one in audit.audit(root).findings]
    assert found.count(("bad-name", "error")) == 2


def test_a_table_is_read_no_further_than_asked(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1;2\n\n3\n4;5;6\n")
    assert tables.read(tmp_path / "t.csv", limit=2)[1] == [
        {"a": "1", "b": "2", tables.LINE: 2},
        {"a": "3", "b": None, tables.LINE: 4},
    ]
    assert tables.read(tmp_path / "t.csv")[1][2] == {"a": "4", "b": "5", tables.LINE: 5}
