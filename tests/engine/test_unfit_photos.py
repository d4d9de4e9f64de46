"""What `kfg train` will refuse, `kfg audit` finds; both say it in words, and name what is passed over by kind."""

import os
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from kfg.__main__ import main
from kfg.data import audit, fingerprints, folder, splits
from kfg.engine import changes, own_photographs, photographs
from kfg.errors import InputError


def photo(seed):
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return small.resize((40, 32), Image.Resampling.BICUBIC)


def photos(root, *names, count=5, start=0):
    for k, name in enumerate(names, start):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            photo(100 * k + i).save(root / name / f"{i}.png")
    return root


def refused(root, kind):
    """Return why a folder is not trained on; the audit must call that an error of this kind."""
    found = audit.audit(root)
    assert audit.exit_code(found) == 1 and kind in {one.kind for one in found.findings if one.severity == "error"}
    with pytest.raises(InputError) as error:
        own_photographs.audited(root)
    said = str(error.value)
    assert said.startswith(str(root)) and said.count(str(root)) <= 3 and "\n" not in said and " .: " not in said
    return said


def test_a_class_of_one_photograph_is_an_error_with_what_helps(tmp_path):
    root = photos(tmp_path / "my photos", "cat", "dog")
    photos(root, "ox", count=1, start=9)
    assert (
        "class 'ox' has only one photograph, which can be used for training or for the test, not for both; add"
        in refused(root, "one-image-class")
    )


def test_classes_too_small_to_be_divided_are_an_error_that_says_how_many_are_needed(tmp_path):
    root = photos(tmp_path / "photos", "cat", "dog", count=2)
    said = refused(root, "too-few-images")
    assert "no image would be left for val" in said and "at least three" in said
    photos(root, "ox", count=3, start=7)
    own_photographs.audited(root)  # one class that can be divided is enough


def test_copies_of_one_photograph_do_not_make_a_class_large_enough(tmp_path, capsys):
    root = photos(tmp_path / "photos", "cat", "dog", count=1)
    for i, name in enumerate(["cat"] * 9 + ["dog"] * 9):
        shutil.copy(root / name / "0.png", root / name / f"copy {i}.png")
    said = refused(root, "too-few-images")
    assert "copies" in said
    assert main(["split", str(root), "--out", str(tmp_path / "split.csv")]) == 2
    assert "no image is left for val" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("rename", ["dog/0.png", "dog"])
def test_names_that_are_not_utf8_are_errors_of_the_audit_too(tmp_path, rename):
    root = photos(tmp_path / "photos", "cat", "dog")
    os.rename(root / rename, os.fsencode((root / rename).with_name("caf")) + b"\xe9.png")
    said = refused(root, "bad-name")
    assert "\\x" in said and "this name is not UTF-8; rename it" in said
    said.encode("utf-8")


def test_ids_that_are_mixed_with_names_in_train_are_found(tmp_path):
    root = photos(tmp_path / "contest", "train/01_cat", "train/dog")
    assert "'dog': its name has no id" in refused(root, "misnamed-parts")


def test_a_dead_link_among_the_class_folders_is_an_error(tmp_path):
    root = photos(tmp_path / "photos", "cat", "dog")
    (root / "horse").symlink_to("/nowhere")
    assert "horse: a link among the class folders that leads nowhere" in refused(root, "dead-link")


def test_a_split_csv_of_a_run_that_chose_on_its_test_images_is_found(tmp_path):
    root = photos(tmp_path / "photos", "cat", "dog")
    rows = [f"{name}/{i}.png,{name},{'train' if i < 3 else 'val+test'}" for name in ("cat", "dog") for i in range(5)]
    (root / "split.csv").write_text("\n".join(["path,class,part", *rows]))
    assert "part 'val+test' only describes what a run did" in refused(root, "bad-split")


def test_the_layout_comes_before_broken_files_and_the_command_is_quoted(tmp_path, capsys):
    root = photos(tmp_path / "my photos", "PetImages/cat", "PetImages/dog")
    (root / "PetImages" / "cat" / "0.png").write_bytes(b"no image")
    said = refused(root, "layout")
    assert "the class folders are further down" in said and f"give '{root}/PetImages', and 1 more error " in said
    assert said.endswith(f"(kfg audit '{root}' lists all)")
    line = f"audit: no class folders found; 2 errors (layout 1, not-an-image 1), listed by `kfg audit '{root}'`\n"
    assert capsys.readouterr().out.endswith(line)


def test_the_audit_is_told_in_a_line_that_lists_what_it_counts(tmp_path, capsys):
    root = photos(tmp_path / "photos", "cat", "dog")
    own_photographs.audited(root)
    assert capsys.readouterr().out == "audit: 10 photographs in 2 classes, nothing to repair\n"
    shutil.copy(root / "cat" / "0.png", root / "cat" / "copy.png")
    own_photographs.audited(root)
    said = f"audit: 11 photographs in 2 classes; 1 warning (duplicate 1), listed by `kfg audit {root}`\n"
    assert capsys.readouterr().out == said


def test_a_review_is_proposed_with_its_whole_command_and_only_where_it_helps(tmp_path, capsys):
    root = photos(tmp_path / "my photos", "cat", "dog")
    shutil.copy(root / "cat" / "0.png", root / "dog" / "copy.png")
    assert main(["audit", str(root)]) == 1
    said = capsys.readouterr().out
    assert f"`kfg review '{root}'` shows the photographs of these: " in said
    assert f"kfg review '{root}' lets you leave photographs out" in refused(root, "duplicate-across-classes")
    paths = [f"{name}/{one.name},{name}" for name in ("cat", "dog") for one in sorted((root / name).iterdir())]
    (root / "labels.csv").write_text("\n".join(["path,class", *paths]))
    assert main(["audit", str(root), "--csv", str(root / "labels.csv")]) == 1  # which kfg review cannot read
    assert "kfg review" not in capsys.readouterr().out
    (tmp_path / "outer").mkdir()
    root.rename(tmp_path / "outer" / "photos")
    assert main(["audit", str(tmp_path / "outer")]) == 1
    said = capsys.readouterr().out
    assert "kfg trains on these photographs only after the errors are repaired.\n" in said and "kfg review" not in said
    photos(tmp_path / "pets", "cat", "Cat")
    assert main(["audit", str(tmp_path / "pets")]) == 1
    said = capsys.readouterr().out
    assert "in case only; put the photographs of both into one folder" in said and "kfg review" not in said


def test_split_refuses_an_empty_part_and_names_classes_that_a_part_lacks(tmp_path, capsys):
    root, out = photos(tmp_path / "photos", "cat", "dog", "ox", count=1), tmp_path / "split.csv"
    assert main(["split", str(root), "--out", str(out)]) == 2 and not out.exists()
    said = capsys.readouterr().err
    assert said.startswith(f"error: {root}: no image is left for val; a class is divided only if") and "--val 0" in said
    assert main(["split", str(root), "--out", str(out), "--val", "0", "--test", "0"]) == 0
    photos(root, "cow", count=6, start=7)
    capsys.readouterr()
    assert main(["split", str(root), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "test has no image of 3 of the 4 classes: cat, dog, ox" in printed and "train has no image" not in printed


def test_a_full_disk_under_split_is_told_without_resume(tmp_path, monkeypatch, capsys):
    root = photos(tmp_path / "photos", "cat", "dog")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert main(["split", str(root), "--out", str(tmp_path / "split.csv")]) == 2
    said = capsys.readouterr().err
    assert "No space left on device; free some space and run the same command again" in said and "--resume" not in said


def test_what_is_not_read_is_counted_where_training_begins(tmp_path, capsys):
    root = photos(tmp_path / "photos", "cat", "dog", "cat ")
    for i in range(3):
        (root / "cat" / f"{i}.svg").write_text("<svg/>")
        (root / "dog" / f"{i}.dcm").write_bytes(bytes(128) + b"DICM")
    (root / "@eaDir" / "cat").mkdir(parents=True)
    photographs.open_index(root, out=tmp_path / "out")
    said = capsys.readouterr().out
    assert (
        "not used: 3 .dcm and 3 .svg files, which kfg does not read (cat/0.svg), 1 as folders that an operating system"
        in said
    )
    assert "classes whose names look the same: 'cat' and 'cat ' differ only by U+0020 SPACE at the end" in said


def test_the_word_demo_beside_a_folder_demo_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(photographs.demo, "write", lambda root: photos(root, "mug", "pen"))
    photographs.open_index(None, out=tmp_path / "out")
    assert "--data ./demo" not in capsys.readouterr().out
    photos(tmp_path / "demo", "ape", "bee", "cow")
    index, name = photographs.open_index(None, out=tmp_path / "out")
    said = capsys.readouterr().out
    assert index.classes == ("mug", "pen") and name == "demo"
    assert f"--data demo: uses drawn images, in {tmp_path}/out/demo-data; for your own folder" in said
    index, _ = photographs.open_index(pathlib.Path("demo"), out=tmp_path / "out")
    assert index.classes == ("ape", "bee", "cow")


def test_changed_photographs_are_named_not_a_fingerprint(tmp_path):
    root = photos(tmp_path / "photos", "cat", "dog")
    index = audit.duplicate_groups(folder.scan(root))
    splits.write_csv(splits.split(index), tmp_path / "split.csv")
    photo(900).save(root / "cat" / "3.png")
    (root / "dog" / "0.png").unlink()
    (root / "dog" / "1.png").rename(root / "cat" / "9.png")
    said = changes.since(tmp_path, audit.duplicate_groups(folder.scan(root)))
    assert said == (
        "the photographs are not those it was started on: 1 changed (cat/3.png), 2 gone (dog/0.png, dog/1.png), "
        "1 new (cat/9.png)"
    )
    assert "other parts or classes" in changes.since(tmp_path, index)
    assert "other photographs" in changes.since(tmp_path / "nowhere", index)


def test_what_the_audit_has_read_and_compared_is_not_read_and_compared_again(tmp_path, monkeypatch):
    root, compared, read = photos(tmp_path / "photos", "cat", "dog", count=8), [], []
    shutil.copy(root / "cat" / "0.png", root / "cat" / "copy.png")
    near_pairs, fingerprint = fingerprints.near_pairs, fingerprints.read
    monkeypatch.setattr(fingerprints, "near_pairs", lambda prints: compared.append(len(prints)) or near_pairs(prints))
    monkeypatch.setattr(
        fingerprints, "read", lambda root, paths, **rest: read.append(len(paths)) or fingerprint(root, paths, **rest)
    )
    index = own_photographs.prepared(root, out=tmp_path / "runs").index
    assert compared == [17] and read == [17, 0]
    whole = audit.duplicate_groups(folder.scan(root))
    assert index.paths == whole.paths and index.sha256 == whole.sha256
    np.testing.assert_array_equal(index.groups, whole.groups)


@pytest.mark.parametrize("setting", ["dropout=5", "dropout=much", "epochs=-1", "backbone=WRONG", "imbalance=WRONG"])
def test_a_wrong_setting_is_refused_before_a_photograph_is_read(setting, tmp_path, monkeypatch, capsys):
    root = photos(tmp_path / "photos", "cat", "dog")
    monkeypatch.setattr(audit, "audit", lambda *_, **__: pytest.fail("photographs are read"))
    assert main(["train", str(root), "--set", setting]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --set {setting.partition('=')[0]}") and said.count("\n") == 1
