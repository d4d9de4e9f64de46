"""Which logs are opened, what is read from a run folder for them, and what happens where their packages are absent."""

import ast
import importlib.util
import pathlib
import types

import pytest

from kfg.__main__ import main
from kfg.engine import runner
from kfg.errors import InputError
from kfg.recipes import fruit3
from kfg.tracking import logs


def test_names_may_be_repeated_and_have_commas_between_them():
    assert logs.names(["wandb", "tensorboard, wandb"]) == ("wandb", "tensorboard")
    assert logs.names([]) == ()


@pytest.mark.parametrize("text", ["mlflow", "", "tensorboard,", "Wandb"])
def test_names_that_are_none_are_refused_with_those_that_are(text):
    with pytest.raises(InputError, match=r"--track: .* is not one of tensorboard, wandb"):
        logs.names([text])


@pytest.mark.parametrize("spec", [None, types.SimpleNamespace(origin=None)], ids=["nothing", "a folder of the name"])
@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
@pytest.mark.parametrize("command", ["kfg train", "a recipe"])
def test_an_absent_package_is_one_line_before_anything_is_done(command, name, spec, tmp_path, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: spec if wanted == name else find_spec(wanted))
    options = ["--out", str(tmp_path / "out"), "--track", name]
    if command == "kfg train":
        code = main(["train", str(tmp_path / "photos"), *options])
    else:
        code = runner.main(fruit3.RECIPE, ["--data", str(tmp_path / "photos"), *options])
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    assert (
        printed.err
        == f"error: --track {name}: the package {name} is not installed; install it with pip install {name}\n"
    )
    assert not list(tmp_path.iterdir())


def test_packages_are_imported_only_for_who_asks():
    files = list(pathlib.Path(logs.__file__).parents[1].rglob("*.py"))
    found = [imported(ast.parse(path.read_text(encoding="utf-8"))) for path in files]
    at_once, later = (set().union(*sets) for sets in zip(*found, strict=True))
    assert "keras" in at_once and not at_once & set(logs.LOGS)
    assert set(logs.LOGS) <= later


def imported(tree) -> tuple[set, set]:
    """Return the packages that a module imports when it is imported itself, and those that its functions import."""
    at_once, later = set(), set()

    def look(node, names):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            look(child, later if inside else names)

    look(tree, at_once)
    return at_once, later


def test_stages_come_before_the_runs_own_epochs_and_unknown_cells_are_left_out(tmp_path):
    (tmp_path / "head").mkdir()
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,\n2,0.25,0.75\n")
    (tmp_path / "head" / "history.csv").write_text("epoch,loss\n1,2\n")
    assert list(logs.stages(tmp_path)) == [
        ("head/", [{"epoch": 1, "loss": 2}]),
        ("", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 0.75}]),
    ]


def test_logs_of_runs_that_never_began_are_discarded_and_nothing_else(tmp_path):
    for name in ("tensorboard", "wandb", "export"):
        (tmp_path / name).mkdir()
    logs.discard(tmp_path)
    logs.discard(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
