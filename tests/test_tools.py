"""The programs of tools/: each can be imported, so what it takes from kfg is there."""

import importlib
import pathlib

import pytest

TOOLS = pathlib.Path(__file__).parents[1] / "tools"
PROGRAMS = sorted(path.stem for path in TOOLS.glob("*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_finds_what_it_uses(name):
    assert pathlib.Path(importlib.import_module(name).__file__).parent == TOOLS
