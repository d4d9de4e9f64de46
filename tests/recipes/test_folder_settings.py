"""What a repair sets of kfg train: refused where it cannot be, done where it can."""

import keras
import numpy as np
import pytest

from kfg.data.index import make_index
from kfg.errors import InputError
from kfg.models import freezing, heads
from kfg.recipes import folder_parts, folder_settings

PATHS = ["ant/0.jpg", "ant/1.jpg", "bee/0.jpg", "bee/1.jpg", "bee/2.jpg"]


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"class_bias": ("ant", 1)}, "class_bias: expected pairs of class and number"),
        ({"class_bias": (("ant", float("nan")),)}, "class_bias: expected pairs of class and number"),
        ({"left_out": (1,)}, "left_out: expected paths of photographs"),
        ({"second_backbone": "efficientnet-lite0"}, "second_backbone: must be another trunk than backbone"),
        ({"second_backbone": "efficientnet-lite9"}, "second_backbone=efficientnet-lite9: expected one of"),
        ({"second_opinion": "efficientnet-lite0"}, "second_opinion: must be another trunk than backbone"),
        ({"second_opinion": "efficientnet-lite9"}, "second_opinion=efficientnet-lite9: expected one of"),
        (
            {"freeze": "nowhere"},
            "freeze: expected one of auto, none, all, head, last-block.bn, stages:N, re:REGEX, got",
        ),
        ({"freeze": "stages:N"}, "freeze: expected one of"),
        ({"freeze": "stages:"}, "freeze: expected one of"),
        ({"freeze": "re:"}, "freeze: expected one of"),
        ({"freeze": "re:("}, "freeze: expected one of"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_photograph_is_read(settings, said):
    with pytest.raises(InputError, match=said):
        folder_settings.checked(settings)


def test_every_policy_of_freezing_is_taken_and_named():
    assert (folder_settings.AUTO, *freezing.POLICIES) == folder_settings.FREEZE
    for policy in ("none", "all", "head", "last-block+bn", "stages:3", "re:^block[56]"):
        assert folder_settings.checked({"freeze": policy})


def index():
    return make_index(
        "photos", PATHS, [0, 0, 1, 1, 1], ["ant", "bee"], parts=["train", "val", "train", "train", "test"]
    )


def test_photographs_left_out_are_in_no_part_and_a_class_is_never_emptied(capsys):
    kept = folder_parts.without(index(), ("bee/1.jpg",))
    assert kept.parts == ("train", "val", "train", "", "test")
    assert "Left out of training: 1 of 3 photographs." in capsys.readouterr().out
    assert folder_parts.without(index(), ()).parts == index().parts
    with pytest.raises(InputError, match=r"left_out: bee/2.jpg: is not a training photograph"):
        folder_parts.without(index(), ("bee/2.jpg",))
    with pytest.raises(InputError, match="left_out: ant would have no training photograph"):
        folder_parts.without(index(), ("ant/0.jpg",))


def test_a_classs_answers_are_raised_by_as_much_as_was_said():
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head"), keras.layers.Softmax()])
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    before = net.predict(rows, verbose=0)
    heads.raise_classes(net, [0, 1.5])
    after = net.predict(rows, verbose=0)
    shift = np.log(after[:, 1] / after[:, 0]) - np.log(before[:, 1] / before[:, 0])
    np.testing.assert_allclose(shift, 1.5, atol=1e-4)
