import os
import pathlib
import socket
import subprocess
import sys

import fake_recipe
import numpy as np
import pytest
from PIL import Image

from kfg.figures import drawing
from kfg.search.command import main

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Return a folder of two classes of noise; trials of the fake recipe never look at it."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir()
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.fixture
def where():
    """Return a free address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def without_pictures(monkeypatch):
    """Draw nothing for the pages of searches, which takes most of their time; test_page.py does without this."""
    monkeypatch.setattr(drawing, "save", lambda figure, path: path.write_bytes(b""))


@pytest.fixture
def search(photos, tmp_path):
    """Return a function that runs a search of the fake recipe in this process, and returns its exit code."""

    def run(*words, out=tmp_path / "out", data=photos):
        words = [str(word) for word in ("fake", "--data", data, "--out", out, *words)]
        return main(words, spaces=fake_recipe.SPACES)

    return run


@pytest.fixture
def start(photos, tmp_path):
    """Return a function that starts such a search as a process; those still running are killed at the end."""
    begun = []

    def run(*words, out=tmp_path / "out"):
        words = [str(word) for word in (HERE / "fake_recipe.py", "fake", "--data", photos, "--out", out, *words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen([sys.executable, *words], env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.communicate()
