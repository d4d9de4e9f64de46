"""Names on a screen, names that look the same, and names too long for a disk."""

import unicodedata

import pytest
from PIL import Image

from kfg import names
from kfg.__main__ import main
from kfg.data import audit, class_names


@pytest.mark.parametrize(
    "text, shown",
    [
        ("esc\x1b[31mred", "esc\\x1b[31mred"),
        ("a\nb", "a\\nb"),
        ("tab\tx", "tab\\tx"),
        ("bell\x07", "bell\\x07"),
        ("c1\x9b31m", "c1\\x9b31m"),
        ("del\x7f", "del\\x7f"),
        ("back\x08space", "back\\x08space"),
        ("gpj.\u202egnp", "gpj.\\u202egnp"),
        ("iso\u2066late", "iso\\u2066late"),
        ("line\u2028end", "line\\u2028end"),
        ("caf\udce9", "caf\\xe9"),
        ("caf\udce9\x1b", "caf\\xe9\\x1b"),
    ],
)
def test_what_could_garble_a_terminal_is_shown_as_an_escape(text, shown):
    assert names.printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "two words",
        "ünïcödé",
        "🐱cat",
        "👩\u200d🔬",
        "back\\slash",
        "<b>",
        "%s",
        "猫",
        "no\u00a0break",
        "क्\u200dष",
    ],
)
def test_names_that_harm_nothing_come_back_as_they_are(text):
    assert names.printable(text) == names.utf8(text) == text and names.is_utf8(text)


LOOK_ALIKE = [
    ("cat", "cat ", "only by U+0020 SPACE at the end"),
    ("cat", "\tcat", "only by U+0009 without a name at the start"),
    ("red cat", "red\u00a0cat", "only by U+0020 SPACE in one and U+00A0 NO-BREAK SPACE in the other"),
    ("cat", "c\u200bat", "only by U+200B ZERO WIDTH SPACE inside"),
    ("cat", "\ufeffcat", "only by U+FEFF ZERO WIDTH NO-BREAK SPACE at the start"),
    ("cat", "c\u0430t", "only by U+0061 LATIN SMALL LETTER A in one and U+0430 CYRILLIC SMALL LETTER A in the other"),
    ("red-cat", "red\u2010cat", "only by U+002D HYPHEN-MINUS in one and U+2010 HYPHEN in the other"),
    ("red cat", "red  cat", "only by U+0020 SPACE inside"),
]


@pytest.mark.parametrize("one, other, said", LOOK_ALIKE)
def test_names_that_look_the_same_are_told_by_what_differs(one, other, said):
    assert names.look_alikes(["ox", other, one]) in ([(one, other)], [(other, one)])
    assert names.difference(one, other) == said
    assert said in class_names.look_alikes([one, other])


def test_names_that_look_different_are_let_be():
    assert names.look_alikes(["cat", "cats", "cat 2", "cat_2", "chat", "café", "cafe", "01", "1", "猫", "犬"]) == []
    assert class_names.look_alikes(["cat", "dog"]) == ""


@pytest.mark.parametrize(
    "one, other, severity",
    [
        ("cat", "cat ", "warning"),
        ("cat", "c\u200bat", "warning"),
        ("cat", "Cat", "error"),
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "error"),
    ],
)
def test_the_audit_and_the_split_tell_of_classes_that_look_the_same_once(tmp_path, capsys, one, other, severity):
    for k, name in enumerate((one, other)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(4):
            picture = Image.effect_noise((24, 24), 40 + 20 * i + 90 * k).convert("RGB")
            picture.save(tmp_path / "data" / name / f"{i}.png")
    found = [item for item in audit.audit(tmp_path / "data").findings if item.kind == "name-collision"]
    assert [item.severity for item in found] == [severity]
    assert names.difference(*sorted((one, other))) in found[0].detail
    assert main(["split", str(tmp_path / "data"), "--out", str(tmp_path / "split.csv")]) == 0
    assert "classes whose names look the same" in capsys.readouterr().out


def test_a_long_name_is_cut_to_bytes_and_stays_unlike_others():
    long = ["é" * 125 + f"{i}.jpg" for i in range(3)]
    cut = [names.cut(one, 200) for one in long]
    assert len(set(cut)) == 3 and all(len(one.encode()) <= 200 for one in cut) and cut[0].startswith("é" * 90)
    assert names.cut("x" * 200, 200) == "x" * 200 and len(names.cut("x" * 201, 200)) == 200


def test_paths_in_commands_are_quoted():
    assert names.quoted("my photos/[v2]") == "'my photos/[v2]'"
    assert names.quoted("photos") == "photos"
