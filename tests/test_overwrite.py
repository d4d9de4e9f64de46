"""Somebody else's files and folders stay."""

import errno
import json
import os

import pytest
from PIL import Image

from kfg import files, overwrite
from kfg.__main__ import main
from kfg.errors import InputError

MARKS, PARTS = ("mark",), ("more",)


def made(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"{folder.name}/{name}")
    return folder


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_of_the_same_kind_is_replaced_and_nothing_is_left_beside(tmp_path):
    new, old = made(tmp_path / "new", "mark"), made(tmp_path / "old", "mark", "more", ".DS_Store")
    overwrite.replace_folder(new, old, marks=MARKS, parts=PARTS)
    assert content(old) == {"mark": "new/mark"} and os.listdir(tmp_path) == ["old"]


@pytest.mark.parametrize(
    "names, said",
    [
        (("mark", "thesis.pdf"), "holds thesis.pdf, which kfg did not write"),
        (("more",), "is not a complete folder written by kfg, as it has no mark"),
        (("a.jpg",), "holds a.jpg"),
        (("mark", ".git"), "holds .git"),
    ],
)
def test_any_other_folder_is_refused(names, said, tmp_path):
    new, old = made(tmp_path / "new", "mark"), made(tmp_path / "old", *names)
    before = content(old)
    with pytest.raises(InputError, match=f"old: {said}"):
        overwrite.replace_folder(new, old, marks=MARKS, parts=PARTS)
    assert content(old) == before and content(new) == {"mark": "new/mark"}


def test_where_the_new_one_cannot_take_the_name_the_old_one_has_it_again(tmp_path, monkeypatch):
    new, old = made(tmp_path / "new", "mark"), made(tmp_path / "old", "mark")
    real = os.replace

    def replace(one, other):
        if one == new:
            raise OSError(errno.EACCES, "Permission denied")
        real(one, other)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="Permission denied"):
        overwrite.replace_folder(new, old, marks=MARKS, parts=PARTS)
    assert content(old) == {"mark": "old/mark"}


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (9, 9), (40 * i, 9 * len(name), 200 * (name == "cat"))).save(
                tmp_path / "photos" / name / f"{i}.png"
            )
    return tmp_path / "photos"


SPLIT, JSON = "path,class,part,group,sha256\na,b,train,0,\n", json.dumps({"images": 1, "classes": {}, "findings": []})


@pytest.mark.parametrize(
    "command, option, own, foreign",
    [
        ("split", "--out", SPLIT, "path,class,part\nmine.jpg,cat,train\n"),
        ("split", "--out", "", "my notes"),
        ("split", "--out", SPLIT, "\ufeffpath;class;part"),
        ("audit", "--json", JSON, '{"images": 3}'),
        ("audit", "--json", JSON, "[1]"),
        ("audit", "--json", "", "#!/bin/sh"),
    ],
)
def test_a_command_replaces_its_own_file_and_no_other(command, option, own, foreign, photos, tmp_path, capsys):
    target = tmp_path / "notes.csv"
    target.write_text(foreign, encoding="utf-8")
    assert main([command, str(photos), option, str(target)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {target}: this file exists and is not ")
    assert captured.err.count("\n") == 1 and captured.out == "" and target.read_text(encoding="utf-8") == foreign
    target.write_text(own)
    assert main([command, str(photos), option, str(target)]) < 2
    first = target.read_text()
    assert first != own and main([command, str(photos), option, str(target)]) < 2 and target.read_text() == first


@pytest.mark.parametrize("made, said", [(os.mkdir, "is a folder"), (os.mkfifo, "is a device or a pipe")])
def test_what_is_no_file_is_refused_before_the_work(made, said, photos, tmp_path, capsys):
    made(tmp_path / "target")
    assert main(["split", str(photos), "--out", str(tmp_path / "target")]) == 2
    assert f"error: {tmp_path / 'target'}: {said}" in capsys.readouterr().err


def test_a_new_folder_can_be_written_where_nothing_is_or_an_empty_folder(tmp_path):
    made(tmp_path / "empty")
    made(tmp_path / "full", "photo")
    (tmp_path / "link").symlink_to("nowhere")
    names = ("new", "empty", "full", "full/photo", "link")
    assert [overwrite.is_free(tmp_path / name) for name in names] == [True, True, False, False, False]


def test_a_folder_is_tried_with_a_name_as_long_as_a_runs_and_a_rename(tmp_path, monkeypatch):
    (tmp_path / ".writable").write_text("mine")
    overwrite.check_writable("--out", tmp_path)
    assert content(tmp_path) == {".writable": "mine"}
    deep = tmp_path
    while len(str(deep)) + 200 < os.pathconf(tmp_path, "PC_PATH_MAX"):
        deep = deep / ("d" * 40)
    deep.mkdir(parents=True)
    deep = deep / ("e" * (os.pathconf(tmp_path, "PC_PATH_MAX") - len(str(deep)) - 20))
    with pytest.raises(InputError, match=r"--out .*: this path is too long, as 140 more characters"):
        overwrite.check_writable("--out", deep)

    def replace(one, other):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported", str(one))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(
        InputError, match=r"--cache .*: its file system cannot rename files \(Operation not supported\)"
    ):
        overwrite.check_writable("--cache", tmp_path)
    assert not list(tmp_path.glob(".kfg*"))


EXPORT = {"marks": ("a.pb", "names.json"), "parts": ("variables", "variables/variables.*", "assets")}


def an_export(folder, text="new"):
    (folder / "variables").mkdir(parents=True)
    for name in ("a.pb", "names.json", "variables/variables.index"):
        (folder / name).write_text(text)
    return folder


def test_somebody_elses_file_deep_in_an_export_is_kept(tmp_path):
    there = an_export(tmp_path / "models", "old")
    overwrite.check_folder(there, **EXPORT)
    (there / "assets").mkdir()
    (there / "assets" / "logo.png").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"models: holds assets.logo\.png, which kfg did not write"):
        overwrite.replace_folder(an_export(tmp_path / "partial"), there, **EXPORT)
    assert (there / "assets" / "logo.png").read_bytes() == b"mine"


def test_a_kill_between_two_renames_loses_no_export(tmp_path, monkeypatch):
    there = an_export(tmp_path / "models", "old")
    rename = files.rename

    def killed(source, target):
        if source.name == "partial":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(files, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        overwrite.replace_folder(an_export(tmp_path / "partial"), there, **EXPORT)
    assert not there.exists()
    monkeypatch.setattr(files, "rename", rename)
    overwrite.replace_folder(tmp_path / "partial", there, **EXPORT)
    assert (there / "a.pb").read_text() == "new" and sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_what_others_call_half_written_is_not_swept(tmp_path):
    names = [".holiday.jpg.partial", ".backup.2024.tar.partial", ".b.12-xyz.partial"]
    for name in names:
        (tmp_path / name).write_text("mine")
    own = files.beside(tmp_path / "cache.bin")
    own.write_text("half")
    files.sweep(tmp_path, idle=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
