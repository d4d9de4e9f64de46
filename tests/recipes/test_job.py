"""What a run writes about its data before it trains."""

import json

import pytest
from PIL import Image

from kfg.data import folder
from kfg.errors import InputError
from kfg.recipes._data import Data
from kfg.recipes._job import Job


def job(root, out):
    data = Data(index=folder.scan(root), name="mine", cache_dir=out / "cache")
    return Job(recipe="folder", row="head", config=None, seed=0, data=data, out=out)


def photos(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (4, 4), (i, i, i)).save(root / name / f"{i}.png")


def test_a_contest_keeps_its_ids_as_text_beside_the_classes(tmp_path):
    root = tmp_path / "contest"
    photos(root, "train/0012_cat", "train/007_fox", "test")
    run = job(root, tmp_path / "out")
    index = run.split(val=0.2, test=0.2, seed=0)
    assert [len(index.where(part)) for part in folder.PARTS] == [6, 2, 2]
    assert json.loads((run.workdir / "classes.json").read_text()) == ["0012_cat", "007_fox"]
    assert (run.workdir / "class_labels.txt").read_text() == "0 0012\n1 007\n"
    # a split.csv of one's own, whose classes have no ids beside one that has
    given = {"0012_cat": "cat", "007_fox": "007_fox"}
    rows = [f"train/{name}/{i}.png,{given[name]},train" for name in given for i in range(5)]
    (root / "split.csv").write_text("\n".join(["path,class,part", *rows]))
    with pytest.raises(InputError, match="class folder 'cat': no id"):
        job(root, tmp_path / "other").split(val=0.2, test=0.2, seed=0)


def test_other_folders_have_no_ids_to_keep(tmp_path):
    photos(tmp_path / "photos", "2020_cats", "2020_dogs")
    run = job(tmp_path / "photos", tmp_path / "out")
    run.split(val=0.2, test=0.2, seed=0)
    assert (run.workdir / "classes.json").is_file() and not (run.workdir / "class_labels.txt").exists()
