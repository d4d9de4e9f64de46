"""tools/gpu_check.py goes through everything without a GPU; what it writes can be read; what fails is not hidden."""

import json
import math
import subprocess

import gpu_check
import gpu_checks
import gpu_rates
import numpy as np
import pytest
import tensorflow as tf

from kfg.errors import InputError
from kfg.models import catalogue, sizes


@pytest.fixture
def tf32():
    """Put TensorFlow's setting back, which each number format sets."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


def test_tiny_goes_through_everything_and_writes_one_row(tmp_path, capsys, monkeypatch, tf32):
    assert list(gpu_rates.NETS) == ["ConvNet 1", "EfficientNet-Lite0", "ResNet-50", "FBSD"]
    # the others take seconds to build
    monkeypatch.setattr(gpu_rates, "NETS", {"ConvNet 1": gpu_rates.NETS["ConvNet 1"]})
    out = tmp_path / "row.json"
    assert gpu_check.main(["--tiny", "--out", str(out)], measure=gpu_check.measured) == 0
    (line,) = out.read_text().splitlines()
    row = json.loads(line)
    assert row["tiny"] and row["versions"]["tensorflow"] == tf.__version__ and row["kfg"] and row["gpus"] == []
    timed = [(one["net"], one["format"], one["xla"]) for one in row["rates"]]
    assert timed == [
        ("ConvNet 1", "float32", False), ("ConvNet 1", "float32", True), ("ConvNet 1", "tf32", False),
        ("ConvNet 1", "float16", False),
    ]  # fmt: skip
    for one in row["rates"]:
        assert one["left_out"] == "XLA cannot compile it" if one["images_per_second"] is None else not one["left_out"]
    assert all(one["images_per_second"] for one in row["rates"] if not one["xla"])
    checks = row["checks"]
    assert checks["an export answers as its model"]["deviation_of_the_answers"] > 0.02  # else nothing is compared
    assert checks["a cut training goes on as if it had not been, on CPU:0"]["largest_difference"] == 0
    assert checks["an export answers as its model"]["allowed"] == 1e-4
    said = capsys.readouterr().out
    assert "ConvNet 1" in said and "an export answers as its model: passed" in said


@pytest.mark.parametrize("name", gpu_rates.NETS)
def test_each_net_is_what_its_name_says_at_both_sizes(name):
    net = gpu_rates.NETS[name]
    for size in (net.tiny, net.image_size):
        model = catalogue.shapes_only(lambda size=size: net.build(size))
        assert model.input_shape == (None, *size, 3) and model.output_shape == (None, gpu_rates.CLASSES)
    known = {"ConvNet 1": "convnet1", "EfficientNet-Lite0": "efficientnet-lite0", "ResNet-50": "resnet50"}
    if name in known:
        size = sizes.describe(known[name], num_classes=gpu_rates.CLASSES)
        assert model.count_params() == size["parameters"]
    else:
        assert model.count_params() > 40e6  # FBSD on ResNet-50


def test_a_training_that_comes_to_no_number_is_a_failed_check_and_the_others_stay(monkeypatch, tf32):
    def spoiled(*_, **__):
        raise InputError("the loss is not a number from epoch 1 on\nand more")

    monkeypatch.setattr(gpu_checks, "_trained", spoiled)
    monkeypatch.setattr(gpu_rates, "measured", lambda *_, **__: ["rates"])
    found = gpu_check.measured("tf32", tiny=True)
    failed = found["checks"].pop("a cut training goes on as if it had not been, on CPU:0")
    assert failed == {"passed": False, "error": "the loss is not a number from epoch 1 on"}
    assert found["rates"] == ["rates"] and found["checks"]["an export answers as its model"]["passed"]


@pytest.mark.parametrize("spoiled", [0, 1])
def test_a_weight_that_is_no_number_is_far_from_any_other(spoiled):
    one, other = [np.zeros(3), np.zeros(2)], [np.zeros(3), np.zeros(2)]
    assert gpu_checks._near(one, other, 0.1)["passed"]
    other[spoiled][1] = np.nan
    assert gpu_checks._near(one, other, 0.1) == {"passed": False, "largest_difference": np.inf, "allowed": 0.1}


def test_an_error_of_one_net_leaves_the_others_their_rates(monkeypatch):
    def failing(net, *_, **__):
        if net is gpu_rates.NETS["FBSD"]:
            raise tf.errors.InternalError(None, None, "the driver gave up\nstack")
        return 1.0

    monkeypatch.setattr(gpu_rates, "rate", failing)
    found = gpu_rates.measured("float32", ("GPU:0",), tiny=False)
    told = {one["net"]: (one["images_per_second"], one["left_out"]) for one in found}
    assert told["FBSD"] == (None, "the driver gave up") and told["ResNet-50"] == (1.0, "")


def test_a_check_that_fails_and_a_process_that_dies_are_told(tmp_path, capsys, monkeypatch):
    died = subprocess.CompletedProcess([], -9, stdout="")
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda *_, **__: died)
    monkeypatch.setattr(gpu_check, "machine", dict)
    out = tmp_path / "row.json"
    assert gpu_check.main(["--out", str(out)]) == 1
    assert json.loads(out.read_text())["checks"]["tf32 ran"] == {"passed": False, "exit_code": -9}
    assert "float16 ran: FAILED (exit code -9)" in capsys.readouterr().out


def test_a_process_of_its_own_is_understood(monkeypatch, tmp_path, capsys):
    found = {"rates": [], "checks": {"a": {"passed": False, "difference": math.inf}}}
    monkeypatch.setattr(gpu_check, "measured", lambda name, *, tiny: found)
    assert gpu_check.main(["--format", "tf32"]) == 0
    said = "a note of a library\n" + capsys.readouterr().out
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, stdout=said))
    written = {"a": {"passed": False, "difference": "Infinity"}}  # which JSON can hold
    assert gpu_check.in_a_process("tf32", tiny=True) == {"rates": [], "checks": written}
