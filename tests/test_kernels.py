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
        "from kfg.__main__ import main; main(['models'])",
        "from kfg import program; program.begin()",
        "import kfg; kfg.Part",
        "import story; story.told = lambda out: 0; story.main()",
        "from kfg.exporting import on_ray; on_ray.Worker('nowhere', 1)",
    ],
)
def test_whatever_imports_tensorflow_first_takes_onednn_before(use):
    told = "print('called', 'tensorflow' in sys.modules)"
    code = f"import sys; sys.path += {sys.path!r}; from kfg import kernels; kernels.take_onednn = lambda: {told}; {use}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("called False\n"), done.stderr
