"""The devices that `--devices` names, on a machine that is made to look as if it had GPUs."""

import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.training import devices


@pytest.fixture
def gpus(monkeypatch):
    """Return the function count -> None that lets TensorFlow find so many GPUs, the last of them cut into two."""

    def find(count):
        there = {"GPU": [f"gpu {number}" for number in range(count)], "CPU": ["cpu 0"]}
        cut = {f"gpu {count - 1}": ["first half", "second half"]}
        monkeypatch.setattr(tf.config, "list_physical_devices", there.get)
        monkeypatch.setattr(tf.config, "get_logical_device_configuration", cut.get)

    return find


def test_gpus_are_named_and_the_processor_only_if_there_is_none(gpus):
    gpus(2)
    assert devices.here() == ("GPU:0", "GPU:1", "GPU:2")
    assert devices.chosen("2") == ("GPU:0", "GPU:1") and devices.chosen("all") == devices.here()
    gpus(0)
    assert devices.here() == devices.chosen("all") == devices.chosen("1") == ("CPU:0",)


def test_what_is_there_is_said_where_more_are_asked_for(gpus):
    gpus(1)
    with pytest.raises(InputError, match=r"^--devices 3: TensorFlow finds 2 here \(GPU:0, GPU:1\)$"):
        devices.chosen("3")
    gpus(0)
    with pytest.raises(InputError, match=r"^--devices 2: TensorFlow finds 1 here \(CPU:0\); no GPU, and all cores"):
        devices.chosen("2")


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.5", "²"])
def test_no_number_is_refused(text):
    with pytest.raises(InputError, match="--devices: expected all, or a number from 1 up, got"):
        devices.chosen(text)


def test_each_device_must_get_an_image():
    devices.check_batch(("GPU:0", "GPU:1"), 2)
    with pytest.raises(InputError, match="--devices: 2 cannot share a batch of 1 images"):
        devices.check_batch(("GPU:0", "GPU:1"), 1)
