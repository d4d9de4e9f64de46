"""Run one command of kfg in a forked process; `running.Forked` uses it.

The fork server imports this module once. Nothing may be computed with TensorFlow at import, or forked processes would
hang.
"""

import os
import pathlib
import runpy
import signal
import sys
import warnings

from PIL import Image

from kfg import files, quiet

with quiet.tensorflow_notes():
    import keras
    from keras import layers

    from kfg.figures import drawing
    from kfg.models import backbones, mmal
    from kfg.recipes import folder as _folder  # noqa: F401  imported once, for all commands
    from kfg.recipes import imagenet20 as _imagenet20  # noqa: F401

REPAIR = ("kfg", "repair")
UNDRAWN = "CHAOS_UNDRAWN"  # environment variable: where it is set, no figures are drawn
TINY = "tiny"  # a trunk that is traced in a second; EfficientNet-Lite0 takes half a minute


def tiny_trunk(image_size) -> keras.Model:
    """Return a trunk of six convolutions, which takes almost no time to compute."""
    x = images = keras.Input((*image_size, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(x)
    for i, stride in enumerate((2, 2, 2, 2, 2, 1), start=1):
        x = layers.Conv2D(8, 3, strides=stride, padding="same", use_bias=False, name=f"block{i}_conv")(x)
        x = layers.BatchNormalization(name=f"block{i}_bn")(x)
        x = layers.ReLU(name=f"block{i}_relu")(x)
    return keras.Model(images, x)


def know_tiny_trunk() -> None:
    """Register the tiny trunk with kfg in this process, for `backbone=tiny`."""
    ends = tuple(f"block{i}_relu" for i in (1, 2, 3, 4, 6))
    backbones.BACKBONES[TINY] = backbones.Backbone(tiny_trunk, 64, 32, ends)
    mmal.TAPS[TINY] = ("block6_relu", "block5_relu")


def command(words) -> int:
    """Run `kfg ...` or `-m MODULE ...` as the program of this process; return the exit code."""
    know_tiny_trunk()
    if tuple(words[:2]) == REPAIR:
        from chaos import proven

        proven.prove()
    module, *rest = ["kfg", *words[1:]] if words[0] == "kfg" else words[1:]
    sys.argv = [module, *rest]
    warnings.filterwarnings("ignore", message=".*found in sys.modules after import of package", category=RuntimeWarning)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    return 0


def one_pixel(_, path) -> None:
    """Write a picture in the place of a figure."""
    with files.whole(path, "wb") as file:
        Image.new("L", (1, 1)).save(file, "PNG")


def serve(words, folder: str, cwd: str, env: dict) -> None:
    """Run a command in a session of its own, with its output in files."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, number in (("out.txt", 1), ("err.txt", 2)):
        file = os.open(pathlib.Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    os.environ.update(env)
    os.chdir(cwd)
    if UNDRAWN in os.environ:
        drawing.save = one_pixel
    raise SystemExit(command(list(words)))
