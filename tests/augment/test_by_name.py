import dataclasses
import json

import pytest

from kfg.augment.by_name import ByName, labelled
from kfg.augment.policies import ClassTargeted, Policy
from kfg.errors import InputError

CLASSES = ("anchor", "cobra", "palm")
TURN, FLIP = Policy(rotation=45), Policy(horizontal_flip=True)


def test_names_become_labels():
    policy = labelled(ByName(default=FLIP, by_class={"palm": TURN}), CLASSES)
    assert policy == ClassTargeted(default=FLIP, by_class={2: TURN})


def test_others_come_before_a_classes_own():
    named = ByName(default={"rotation": 10}, by_class={"palm": {"shear": 5}, "cobra": FLIP})
    policy = labelled(named, CLASSES, others={"palm": TURN})
    assert policy == ClassTargeted(default=Policy(rotation=10), by_class={2: TURN, 1: FLIP})
    assert labelled(FLIP, CLASSES, others={"anchor": TURN}) == ClassTargeted(default=FLIP, by_class={0: TURN})


def test_one_policy_for_all_stays_itself():
    assert labelled(FLIP, CLASSES, others={}) is FLIP


def test_it_comes_back_from_json():
    named = ByName(default=FLIP, by_class={"palm": Policy(zoom=(0.8, 1.1))})
    assert ByName(**json.loads(json.dumps(dataclasses.asdict(named)))) == named


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"policy: no class 'moth'; choose from anchor, cobra, palm$"):
        labelled(ByName(by_class={"moth": TURN}), CLASSES)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"by_class": [1]}, "by_class: expected"),
        ({"by_class": {"palm": 45}}, "by_class: palm: expected settings"),
        ({"by_class": {"palm": {"rotation": -1}}}, "by_class: palm: rotation must be"),
        ({"by_class": {"palm": {"colour": 1}}}, "by_class: palm: .*'colour'"),
        ({"default": 3, "by_class": {}}, "default: expected settings"),
    ],
)
def test_wrong_settings_are_named(settings, said):
    with pytest.raises(ValueError, match=said):
        ByName(**settings)
