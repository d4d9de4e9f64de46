"""Ctrl-C while TensorFlow is imported (a stand-in for it is interrupted, or fails, at once), and what it may say."""

import gc
import logging
import os
import subprocess
import sys

import pytest

from kfg import quiet

PROGRAMS = (["kfg.recipes.fruit3", "--data", "photos"], ["kfg", "predict", "run", "."])


def imported(program, tmp_path, body):
    (tmp_path / "tensorflow.py").write_text(body)
    return subprocess.run(
        [sys.executable, "-m", *program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_an_interrupted_import_is_one_line_and_130(program, tmp_path):
    ended = imported(program, tmp_path, "raise KeyboardInterrupt")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_an_import_that_fails_keeps_its_traceback(program, tmp_path):
    ended = imported(program, tmp_path, "raise RuntimeError('half of it is missing')")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr and ended.stderr.endswith("RuntimeError: half of it is missing\n")


def test_a_library_that_imports_a_recipe_keeps_its_own_handler(tmp_path):
    (tmp_path / "tensorflow.py").write_text("")
    script = "import sys, kfg.recipes; sys.exit(sys.excepthook is not sys.__excepthook__)"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    assert subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}).returncode == 0


def test_advice_against_tracing_anew_is_dropped_and_other_warnings_pass(caplog, monkeypatch):
    with quiet.tensorflow_notes():
        pass
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "propagate", True)  # to caplog; TensorFlow, once imported, has a handler of its own
    caplog.set_level(logging.WARNING, logger="tensorflow")
    logger.warning("5 out of the last %d calls to f triggered tf.function retracing.", 35)
    logger.warning("the disk is on fire")
    assert [record.getMessage() for record in caplog.records] == ["the disk is on fire"]


def test_no_garbage_is_collected_during_the_import_and_again_afterwards():
    assert gc.isenabled()
    with pytest.raises(RuntimeError), quiet.tensorflow_notes():
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()
    gc.unfreeze()
