"""TensorFlow computes by oneDNN's kernels, unless the user said otherwise or it was there first."""

import os
import subprocess
import sys

import pytest

from kfg import kernels


@pytest.mark.parametrize(
    "machine, there, before, after",
    [
        ("x86_64", False, None, "1"),
        ("AMD64", False, None, "1"),
        ("x86_64", False, "0", "0"),
        ("aarch64", False, None, None),
        ("x86_64", True, None, None),
    ],
)
def test_onednn_is_taken_where_it_was_measured_and_can_still_be(machine, there, before, after, monkeypatch):
    monkeypatch.setattr(kernels.platform, "machine", lambda: machine)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    if not there:
        monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setenv(kernels.ONEDNN, before or "")  # what was there before is restored at the end
    if before is None:
        monkeypatch.delenv(kernels.ONEDNN)
    kernels.take_onednn()
    assert os.environ.get(kernels.ONEDNN) == after


@pytest.mark.parametrize(
    "use",
    [
        "from kfg import program; program.begin()",
        "import kfg; kfg.Part",
        "from kfg.training import fit",
        "import bench",
    ],
)
def test_whatever_of_kfg_imports_tensorflow_first_has_taken_onednn_before(use):
    # the import of TensorFlow fails, so that only what comes before it can be seen
    code = f"""
import os, platform, sys
sys.path += {sys.path!r}
platform.machine = lambda: "x86_64"
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print("TensorFlow sees", os.environ.get({kernels.ONEDNN!r}))
            raise SystemExit
sys.meta_path.insert(0, Refused())
{use}
import tensorflow
"""
    others = {name: value for name, value in os.environ.items() if name != kernels.ONEDNN}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=others)
    assert done.stdout == "TensorFlow sees 1\n", done.stderr
