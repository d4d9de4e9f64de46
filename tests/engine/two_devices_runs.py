"""Commands with `--devices` where TensorFlow has two of them, for tests/engine/test_shared_trainings.py.

Run       python two_devices_runs.py PHOTOS OUT
Writes    OUT/said.json: name of a command -> its exit code, and what it wrote on both streams
"""

import contextlib
import io
import json
import pathlib
import sys

import tensorflow as tf
import tiny_recipe
from bare import bare_runs

from kfg import __main__ as kfg
from kfg.engine import runner
from kfg.models import backbones
from kfg.training import checkpoint

TRAIN = (
    "image_size=(32, 32)", "weights=none", "head_epochs=2", "epochs=2", "views=0", "batch_size=16", "min_errors=0",
    "backbone=tiny", "dropout=0", "freeze=stages:2",  # as by default, where a trunk is pretrained
)  # fmt: skip


def run(program, words) -> dict:
    """Run a command in this process; return its exit code and what it said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = program([str(word) for word in words])
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


@contextlib.contextmanager
def interrupted(stage="seed-0"):
    """Let Ctrl-C come when the first epoch of a stage is saved."""
    save = checkpoint.save

    def cut(path, model, companions=(), *, epoch):
        save(path, model, companions, epoch=epoch)
        if path.parent.parent.name == stage:
            raise KeyboardInterrupt

    checkpoint.save = cut
    try:
        yield
    finally:
        checkpoint.save = save


def main(photos: pathlib.Path, out: pathlib.Path) -> None:
    def tiny(folder, *more):
        words = ["--data", photos, "--out", out / folder, "--set", "epochs=2", *more]
        return run(lambda words: runner.main(tiny_recipe.RECIPE, words), words)

    def train(folder, *more):
        return run(kfg.main, ["train", photos, "--out", out / folder, *more])

    settings = [word for setting in TRAIN for word in ("--set", setting)]
    said = {
        "three": tiny("three", "--devices", "3"),
        "train, three": train("three", "--devices", "3"),
        "small batch": train("batch", "--devices", "2", "--set", "batch_size=1"),
        "one": tiny("one"),
        "two": tiny("two", "--devices", "all"),
    }
    with interrupted():
        said["cut"] = tiny("cut", "--devices", "2")
    said["resumed"] = tiny("cut", "--devices", "2", "--resume")
    said["train"] = train("train", "--devices", "2", *settings)
    with interrupted():
        said["train, cut on one"] = train("train-cut", *settings)
    said["train, resumed on two"] = train("train-cut", "--devices", "2", "--resume", *settings)
    (out / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
    from conftest import small_net  # pytest, which looks for doctests here, has several modules of that name

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    ends = tuple(f"block{i}_relu" for i in (1, 2, 3, 4, 6))
    backbones.BACKBONES["tiny"] = backbones.Backbone(small_net, 64, 32, ends)
    with bare_runs():
        main(*map(pathlib.Path, sys.argv[1:3]))
