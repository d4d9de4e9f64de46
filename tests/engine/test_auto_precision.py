"""--precision auto: one choice for all runs of a folder that are to be compared."""

import json
import types

import keras
import pytest

from kfg.engine import timed_precision
from kfg.engine.job import Job
from kfg.errors import InputError
from kfg.training import precision


def net(units=3):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="softmax")])


def frozen():
    model = net()
    model.trainable = False
    return model


@pytest.fixture
def timed(monkeypatch):
    """Make each timing find another format the fastest; return the batch sizes that were timed."""
    batches = []

    def choose(build, options, *, batch_size):
        batches.append(batch_size)
        name = ("bfloat16", "float32")[len(batches) % 2]
        return name, False, {name: 2.0}

    monkeypatch.setattr(precision, "choose", choose)
    return batches


def test_a_later_command_takes_what_an_earlier_one_chose(tmp_path, timed):
    made, data = [], types.SimpleNamespace(index=types.SimpleNamespace(root=tmp_path / "photos", corrected=None))
    for seed in (0, 1):
        job = Job(recipe="r", row="a", config=None, seed=seed, data=data, out=tmp_path, precision="auto")
        job.compile(net, optimizer=lambda: keras.optimizers.SGD(learning_rate=0.1), batch_size=32)
        made.append(json.loads((job.workdir / "env.json").read_text()))
    assert [env["precision"] for env in made] == ["float32", "float32"] and timed == [32]
    assert made[0]["photographs"] == str(tmp_path / "photos")
    assert made[0]["images_per_second"] == made[1]["images_per_second"] == {"float32": 2.0}


def test_another_net_batch_folder_or_machine_is_timed_anew(tmp_path, timed, monkeypatch):
    timed_precision.chosen(tmp_path, net, None, batch_size=32)
    assert timed_precision.chosen(tmp_path, net, None, batch_size=8)[0] == "bfloat16"
    timed_precision.chosen(tmp_path, lambda: net(5), None, batch_size=32)
    timed_precision.chosen(tmp_path, frozen, None, batch_size=32)
    timed_precision.chosen(tmp_path / "other", net, None, batch_size=32)
    monkeypatch.setattr(precision, "device", lambda: "another")
    timed_precision.chosen(tmp_path, net, None, batch_size=32)
    assert timed == [32, 8, 32, 32, 32, 32]
    assert len(json.loads((tmp_path / timed_precision.FILE).read_text())) == 5  # none of them was overwritten


def test_xla_is_no_choice_where_devices_share_the_training(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(precision, "candidates", lambda model: [("float32", False), ("float32", True)])
    monkeypatch.setattr(
        precision, "choose", lambda build, options, *, batch_size: asked.append(options) or (*options[-1], {})
    )
    for shared, xla in ((False, True), (True, False), (True, False), (False, True)):
        assert timed_precision.chosen(tmp_path, net, None, batch_size=32, shared=shared)[:2] == ("float32", xla)
    assert asked == [[("float32", False), ("float32", True)], [("float32", False)]]  # each is kept for its own kind


def test_a_damaged_file_is_named(tmp_path, timed):
    (tmp_path / timed_precision.FILE).write_text("[{")
    with pytest.raises(InputError, match=timed_precision.FILE):
        timed_precision.chosen(tmp_path, net, None, batch_size=32)
