"""A run that takes over the net of an earlier one gets its weights, without what was added to its answers."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from kfg.data.index import make_index
from kfg.engine import earlier_net
from kfg.errors import InputError
from kfg.models import backbones, calibrated, heads, mirrored, opinions
from kfg.recipes.folder_settings import Config

CLASSES = ("ant", "bee", "cat")
CONFIG = Config(image_size=(32, 32), weights="none")


def net(seed, name="efficientnet-lite0"):
    keras.utils.set_random_seed(seed)
    return backbones.classifier(name, num_classes=3, image_size=(32, 32), weights="none")


def index_of(classes, parts=None):
    """Return an Index of one photograph of each class."""
    return make_index(
        "photos", [f"{name}/1.jpg" for name in classes], list(range(len(classes))), list(classes),
        parts=parts or ["train"] * len(classes), sha256=[name * 8 for name in classes],
    )  # fmt: skip


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Return the folder of a run with all that kfg train adds to a net, and the net itself."""
    run, own = tmp_path_factory.mktemp("run"), net(1)
    plain = keras.models.clone_model(own)
    plain.set_weights(own.get_weights())
    heads.raise_classes(own, [0, 0.75, 0])
    both = opinions.averaged(own, net(2, "mobilenet-v3-small"))
    calibrated.with_temperature(mirrored.averaged(both), 1.3).save(run / "model.keras")
    settings = {"second_opinion": "mobilenet-v3-small", "mirror_averaged": True, "class_bias": [["bee", 1.5]]}
    config = {**json.loads(json.dumps(dataclasses.asdict(CONFIG))), **settings}
    choices = {"raised classes": {"temperature": 0.5}}
    (run / "config.json").write_text(json.dumps({"recipe": "folder", "config": config, "choices": choices}))
    (run / "classes.json").write_text(json.dumps(CLASSES))
    (run / "report.json").write_text("{}")
    return run, plain


def test_the_trained_net_is_taken_over_and_nothing_that_was_added_to_it(earlier):
    run, plain = earlier
    model = net(3)
    earlier_net.take_over(run, model, CLASSES)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    "changed, classes, said",
    [
        ({"image_size": (64, 64)}, CLASSES, r"has image_size \[32, 32\], not \[64, 64\]"),
        ({"backbone": "efficientnet-lite1"}, CLASSES, "has backbone 'efficientnet-lite0', not 'efficientnet-lite1'"),
        ({"weights": "imagenet"}, CLASSES, "has weights 'none', not 'imagenet'"),
        ({}, CLASSES[:2], "has other classes than these photographs"),
    ],
)
def test_another_net_is_refused(earlier, changed, classes, said):
    run, _ = earlier
    earlier_net.check(run, CONFIG, index_of(CLASSES))
    with pytest.raises(InputError, match=said):
        earlier_net.check(run, dataclasses.replace(CONFIG, **changed), index_of(classes))


def test_a_net_that_has_learned_from_what_are_test_photographs_here_is_refused(earlier, tmp_path):
    shutil.copytree(earlier[0], tmp_path / "run")
    listed = ["path,class,part,sha256", *(f"{name}/1.jpg,{name},train,{name * 8}" for name in CLASSES)]
    (tmp_path / "run" / "split.csv").write_text("\n".join(listed) + "\n")
    earlier_net.check(tmp_path / "run", CONFIG, index_of(CLASSES))
    with pytest.raises(InputError, match=r"was trained on 1 images that are val or test here, such as cat/1\.jpg"):
        earlier_net.check(tmp_path / "run", CONFIG, index_of(CLASSES, parts=("train", "train", "test")))


def test_a_run_that_is_not_there_or_not_finished_is_refused(earlier, tmp_path):
    with pytest.raises(InputError, match=r"net_of .*: there is no model\.keras"):
        earlier_net.check(tmp_path, CONFIG, index_of(CLASSES))
    (tmp_path / "model.keras").write_bytes((earlier[0] / "model.keras").read_bytes())
    with pytest.raises(InputError, match=r"net_of .*: this run is not finished"):
        earlier_net.check(tmp_path, CONFIG, index_of(CLASSES))
