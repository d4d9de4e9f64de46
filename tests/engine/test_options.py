"""--set: settings by hand, and those a search found."""

import dataclasses
import json

import pytest

from kfg.augment.by_name import ByName
from kfg.augment.policies import Policy
from kfg.engine import orders, selection
from kfg.engine.options import assigned, replaced
from kfg.errors import InputError
from kfg.recipes import competition100, cub200, folder, imagenet20

FIELDS = ("epochs", "l2_on", "policy")


def test_a_searchs_file_is_taken_whole_and_a_later_word_wins(tmp_path):
    found = {"score": 0.5, "settings": {"epochs": 9, "l2_on": ["conv5"], "policy": {"brightness": [0.8, 1.2]}}}
    (tmp_path / "best.json").write_text(json.dumps(found))
    changes = assigned([f"@{tmp_path}/best.json", "epochs=3"], FIELDS)
    assert changes == {"epochs": 3, "l2_on": ("conv5",), "policy": {"brightness": (0.8, 1.2)}}
    words = ["--data", "x", "--set", f"@{tmp_path}/best.json"]
    rows = selection.configured(imagenet20.RECIPE, orders.read(imagenet20.RECIPE, words))
    assert rows["convnet1"].config.l2_on == ("conv5",)
    assert rows["convnet1"].config.policy == Policy(brightness=(0.8, 1.2))


@pytest.mark.parametrize(
    ("word", "content"),
    [
        ("epochs", None),
        ("epochs=", None),
        ("depth=3", None),
        ("@none.json", None),
        ("@a.json", "[1]"),
        ("@a.json", "{}"),
        ("@a.json", "{"),
        ("@a.json", '{"settings": {}}'),
        ("@a.json", '{"settings": {"depth": 3}}'),
    ],
)
def test_what_is_no_setting_is_refused(tmp_path, monkeypatch, word, content):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / word[1:]).write_text(content)
    with pytest.raises(InputError, match=word[1:] if word.startswith("@") else word):
        assigned([word], FIELDS)


@pytest.mark.parametrize(
    "words, transfer, head",
    [
        ((), 8, 0),
        (("--quick",), 2, 0),
        (("--smoke",), 1, 0),
        (("--epochs", "5"), 5, 0),
        (("--epochs", "50%"), 4, 0),
        (("--smoke", "--set", "epochs=3"), 3, 3),
    ],
)
def test_a_row_that_is_not_fine_tuned_stays_so_unless_told(words, transfer, head):
    given = orders.read(folder.RECIPE, ["--data", "x", "--rows", "transfer,head", *words])
    rows = selection.configured(folder.RECIPE, given)
    assert [rows[name].config.epochs for name in ("transfer", "head")] == [transfer, head]


def test_a_schedule_stays_of_its_kind():
    plateau = cub200.ROWS["b0-frozen-plateau"].config
    assert replaced(plateau, {"schedule": {"factor": 0.5}}).schedule.patience == 11
    with pytest.raises(InputError, match=r"--set schedule: .*'gamma'"):
        replaced(plateau, {"schedule": {"gamma": 0.5}})


def test_none_is_taken_where_it_is_the_default():
    fbsd = competition100.ROWS["fbsd"].config
    assert (fbsd.decoded, replaced(fbsd, {"crop_from": None}).decoded) == ((550, 550), (448, 448))
    with pytest.raises(InputError, match=r"--set image_size: expected tuple like \(448, 448\), got None"):
        replaced(fbsd, {"image_size": None})


def test_a_policy_of_single_classes_is_taken_where_the_recipe_has_such():
    by_class = {"red": {"rotation": 45}}
    config = replaced(imagenet20.Config(), {"policy": {"default": {"shear": 5}, "by_class": by_class}})
    assert config.policy == ByName(default=Policy(shear=5), by_class={"red": Policy(rotation=45)})
    assert replaced(imagenet20.Config(), {"policy": {"shear": 5}}).policy == Policy(shear=5)
    turned = dataclasses.replace(imagenet20.Config(), policy=Policy(shear=5))
    assert replaced(turned, {"policy": {"by_class": by_class}}).policy == config.policy  # the row's own for the others
    with pytest.raises(InputError, match=r"--set policy: .*'by_class'"):
        replaced(competition100.ROWS["fbsd"].config, {"policy": {"by_class": by_class}})
