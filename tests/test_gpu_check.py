"""tools/gpu_check.py goes through everything without a GPU; what it writes can be read; what fails is not hidden."""

import json
import subprocess

import gpu_check
import gpu_rates
import pytest
import tensorflow as tf


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
    assert checks["a cut training goes on as if it had not been, on CPU:0"]["largest_difference"] == 0
    assert checks["an export answers as its model"]["allowed"] == 1e-4
    said = capsys.readouterr().out
    assert "ConvNet 1" in said and "an export answers as its model: passed" in said


def test_a_check_that_fails_and_a_process_that_dies_are_told(tmp_path, capsys, monkeypatch):
    died = subprocess.CompletedProcess([], -9, stdout="")
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda *_, **__: died)
    monkeypatch.setattr(gpu_check, "machine", dict)
    out = tmp_path / "row.json"
    assert gpu_check.main(["--out", str(out)]) == 1
    assert json.loads(out.read_text())["checks"]["tf32 ran"] == {"passed": False, "exit_code": -9}
    assert "float16 ran: FAILED (exit code -9)" in capsys.readouterr().out


def test_a_process_of_its_own_is_understood(monkeypatch, tmp_path, capsys):
    found = {"rates": [], "checks": {"a": {"passed": True}}}
    monkeypatch.setattr(gpu_check, "measured", lambda name, *, tiny: found)
    assert gpu_check.main(["--format", "tf32"]) == 0
    said = "a note of a library\n" + capsys.readouterr().out
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, stdout=said))
    assert gpu_check.in_a_process("tf32", tiny=True) == found
