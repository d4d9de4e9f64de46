"""What a recipe says of its images before it trains on them."""

import os

import pytest
from PIL import Image

from kfg.data import demo
from kfg.engine import photographs
from kfg.errors import InputError


def photos(root, per_class=3):
    for name in ("cat", "dog"):
        for i in range(per_class):
            path = root / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((20, 16), 50 + 20 * i + (7 if name == "cat" else 0)).convert("RGB").save(path)
    return root


def test_photographs_that_are_passed_over_are_said_in_one_line(tmp_path, capsys):
    root = photos(tmp_path / "photos")
    (root / "cat" / "IMG_1.JXL").touch()
    (root / "cat" / "notes.txt").touch()
    (tmp_path / "more").mkdir()
    (root / "dog" / "more").symlink_to(tmp_path / "more", target_is_directory=True)
    data = photographs.open_data(root, out=tmp_path / "out")
    assert len(data.index) == 6
    said = [line for line in capsys.readouterr().out.splitlines() if "not used" in line]
    assert said == [
        f"{root}: not used: 1 .jxl and 1 .txt files, which kfg does not read (cat/IMG_1.JXL), "
        "1 as linked folders (dog/more)"
    ]


def test_a_folder_read_whole_says_nothing_of_the_kind(tmp_path, capsys):
    photographs.open_data(photos(tmp_path / "photos"), out=tmp_path / "out")
    assert "not used" not in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_one_line_before_anything_is_done(tmp_path):
    root = photos(tmp_path / "photos")
    os.rename(root / "dog" / "1.png", os.fsencode(root / "dog") + b"/caf\xe9.png")
    with pytest.raises(InputError, match=r"dog/caf\\xe9\.png: this name is not UTF-8; rename it"):
        photographs.open_data(root, out=tmp_path / "out")


def test_a_demo_folder_that_lost_images_is_not_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr(demo.write, "__kwdefaults__", {**demo.write.__kwdefaults__, "images_per_class": 8})
    assert len(photographs.open_data(None, out=tmp_path).index.classes) == 20
    (tmp_path / "demo-data" / "mug" / "mug_0000.jpg").unlink()
    with pytest.raises(InputError, match=r"mug/mug_0000\.jpg is missing"):
        photographs.open_data(None, out=tmp_path)
