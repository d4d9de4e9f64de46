"""Runs of recipes without what most of their time goes into, for tests that look at something else."""

import contextlib
import functools

import pytest
from PIL import Image

NOT_EXPORTED = {
    "passed": True, "images": 0, "largest_difference": 0.0, "serve": {"images": 0, "largest_difference": 0.0},
    "serve_bytes": {"images": 0, "largest_difference": None, "left_out": {}},
}  # fmt: skip


@contextlib.contextmanager
def bare_runs(*, traced: bool = False):
    """Let runs trace no graphs of models, write no export and draw no pictures: an eighth of their time is left.

    With `traced`, models are traced, so that a run comes out bit for bit as in a process of its own: on processors with
    AVX-512 a graph fuses operations that are otherwise rounded one by one.

    Each recipe's nets are traced, exported, checked, explained and drawn by the tests that do without this.
    """
    from kfg.engine import saving
    from kfg.exporting import parity

    def alike(*_, **__):
        return {**NOT_EXPORTED, "allowed_difference": parity.tolerance()}

    with pytest.MonkeyPatch.context() as patch, contextlib.nullcontext() if traced else untraced_models():
        patch.setattr(saving, "save", alike)
        with undrawn_pictures():
            yield


@contextlib.contextmanager
def undrawn_pictures():
    """Let each picture be one pixel, told from others by the length of its name, and look for nothing to show in it."""
    from kfg import explain, files
    from kfg.figures import confusion_figure, curves, drawing, reliability_figure, worst

    def empty(figure, path):
        with files.whole(path, "wb") as file:
            Image.new("RGB", (1, 1), (len(path.stem), 0, 0)).save(file, "PNG")

    drawn = ((confusion_figure, "draw"), (curves, "recall_bars"), (curves, "learning_curves"),
             (reliability_figure, "draw"), (worst, "sheet"))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explain, "looks", lambda *_: explain.Looks([], {}))
        patch.setattr(drawing, "save", empty)
        for module, name in drawn:
            patch.setattr(module, name, lambda *_, **__: None)
        yield


@contextlib.contextmanager
def untraced_models():
    import keras

    from kfg.training import features

    @functools.cache
    def forward(trunk):
        return lambda batch: keras.ops.convert_to_numpy(trunk(batch, training=False)).astype("float32")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", property(lambda self: True, lambda self, value: None))
        patch.setattr(features, "_forward", forward)
        yield
