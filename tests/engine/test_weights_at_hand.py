"""What rows begin from is at hand before anything is trained: pretrained weights, and a budget of parameters."""

import pytest

from kfg.engine import runner
from kfg.models import pretrained
from kfg.recipes import cub200, fruit3


def refused(recipe, photos, out, capsys, *options):
    assert runner.main(recipe, ["--data", str(photos), "--out", str(out), *options]) == 2
    assert not list(out.rglob("config.json"))
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(pretrained, "SITE", "http://127.0.0.1:9/")


def test_weights_that_cannot_be_had_end_a_command_before_its_first_row(photos, tmp_path, capsys):
    error = refused(fruit3.RECIPE, photos, tmp_path, capsys, "--rows", "cnn,resnet50,vgg16,mlp", "--seeds", "0,1")
    assert error.startswith("error: row resnet50: weights: resnet50_weights")
    assert error.endswith("; --rows cnn,mlp can be run")
    assert "can be run" not in refused(cub200.RECIPE, photos, tmp_path, capsys, "--rows", "b0")
    assert "row b2: weights: none.h5: no such file" in refused(
        cub200.RECIPE, photos, tmp_path, capsys, "--rows", "b2", "--weights", "none.h5"
    )


def test_a_trunk_over_budget_is_refused_before_its_weights_are_sought(photos, tmp_path, capsys):
    error = refused(cub200.RECIPE, photos, tmp_path, capsys, "--rows", "b2", "--max-params", "5M")
    assert "row b2: max-params: efficientnet-b2 has" in error
    assert "5,000,000 are allowed" in error
