"""What a run writes about its data before it trains."""

import dataclasses
import json

import pytest
from PIL import Image

from kfg.data import folder
from kfg.data.part_folders import PARTS
from kfg.engine import provenance
from kfg.engine.job import Job
from kfg.engine.photographs import Data
from kfg.errors import InputError


def job(root, out):
    data = Data(index=folder.scan(root), name="mine", cache_dir=out / "cache")
    return Job(recipe="folder", row="head", config=None, seed=0, data=data, out=out)


def photos(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (4, 4), (i, i, i)).save(root / name / f"{i}.png")


def test_opening_a_run_again_removes_what_a_killed_process_left(tmp_path, monkeypatch):
    photos(tmp_path / "photos", "cat", "dog")
    run = job(tmp_path / "photos", tmp_path / "out")
    monkeypatch.setattr(provenance, "settings", lambda job: {"seed": job.seed})
    run.open()
    (run.workdir / "head" / "checkpoint").mkdir(parents=True)
    left = [
        run.workdir / folder / ".last.npz.999999999-00c0ffee.partial" for folder in (".", "head", "head/checkpoint")
    ]
    for path in left:
        path.touch()
    with pytest.raises(InputError, match="add --resume"):
        run.open()
    assert all(path.exists() for path in left)
    dataclasses.replace(run, resume=True).open()
    assert not any(path.exists() for path in left) and (run.workdir / "config.json").is_file()


def test_a_contest_keeps_its_ids_as_text_beside_the_classes(tmp_path):
    root = tmp_path / "contest"
    photos(root, "train/0012_cat", "train/007_fox", "test")
    run = job(root, tmp_path / "out")
    index = run.split(val=0.2, test=0.2, seed=0)
    assert [len(index.where(part)) for part in PARTS] == [6, 2, 2]
    assert json.loads((run.workdir / "classes.json").read_text()) == ["0012_cat", "007_fox"]
    assert (run.workdir / "class_labels.txt").read_text() == "0 0012\n1 007\n"
    # a split.csv of one's own, whose classes have no ids beside one that has
    given = {"0012_cat": "cat", "007_fox": "007_fox"}
    rows = [f"train/{name}/{i}.png,{given[name]},train" for name in given for i in range(5)]
    (root / "split.csv").write_text("\n".join(["path,class,part", *rows]))
    with pytest.raises(InputError, match="class folder 'cat': its name has no id"):
        job(root, tmp_path / "other").split(val=0.2, test=0.2, seed=0)


def test_other_folders_have_no_ids_to_keep(tmp_path):
    photos(tmp_path / "photos", "2020_cats", "2020_dogs")
    run = job(tmp_path / "photos", tmp_path / "out")
    run.split(val=0.2, test=0.2, seed=0)
    assert (run.workdir / "classes.json").is_file() and not (run.workdir / "class_labels.txt").exists()


@pytest.mark.parametrize("names", [("train/0012_cat", "train/007_fox"), ("0012_cat", "007_fox")])
def test_ids_are_kept_where_there_is_nothing_to_answer_yet(tmp_path, names):
    photos(tmp_path / "photos", *names)
    run = job(tmp_path / "photos", tmp_path / "out")
    run.split(val=0.2, test=0.2, seed=0)
    assert (run.workdir / "class_labels.txt").read_text() == "0 0012\n1 007\n"


@pytest.mark.parametrize(
    "names, said",
    [
        (("12_cat", "012_fox"), "class folders '012_fox' and '12_cat': have the same id, apart from leading zeros"),
        (("12_cat", "12_fox"), "class folders '12_cat' and '12_fox': have the same id; "),
        (("12_cat", "fox"), "class folder 'fox': its name has no id; start it with digits and '_' as in '12_cat'"),
    ],
)
def test_ids_that_a_contest_cannot_have_are_refused_before_training(tmp_path, names, said):
    photos(tmp_path / "contest", *(f"train/{name}" for name in names))
    with pytest.raises(InputError, match=said):
        job(tmp_path / "contest", tmp_path / "out").split(val=0.2, test=0.2, seed=0)
    # classes that merely look so, in data with labelled test images, are no contest's
    photos(tmp_path / "photos", *(f"{part}/{name}" for name in names for part in ("train", "test")))
    run = job(tmp_path / "photos", tmp_path / "out")
    run.split(val=0.2, test=0.2, seed=0)
    assert not (run.workdir / "class_labels.txt").exists()
