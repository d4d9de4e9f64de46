"""The demonstration of a recipe that is called without arguments: its main job on drawn images, in a few minutes."""

import pathlib
import statistics
import time

from kfg.engine.orders import Order
from kfg.engine.recipe import Recipe
from kfg.files import read_json
from kfg.runs import run_files

OUT = run_files.RUNS / "demo"
REFERENCE = 60.0  # GFLOP/s of the machine the numbers of epochs are chosen for: two idle cores with AVX2
SHAPE, KERNEL = (16, 24, 24, 32), (5, 5, 32, 64)  # of the timed convolution, as in the small nets of the recipes
REPEATS = 5


def order(recipe: Recipe, out: pathlib.Path = OUT) -> Order:
    """Return the order for a recipe that was called without arguments, and print what it will do."""
    demo = recipe.demo
    settings = dict(demo.settings)
    if demo.epochs is not None:
        settings["epochs"] = _earlier(recipe, out) or epochs_for(demo.epochs, speed())
    size = ", ".join(f"{name}={value}" for name, value in settings.items())
    print(f"Without arguments, this program {demo.does}, using the built-in demo images (20 classes of drawings).")
    print(f"It is sized to take five minutes ({size}), so its figures only show how it works; they are not results.")
    print(f"{real_data(recipe)}\n", flush=True)
    return Order(data=None, out=out, rows=demo.rows, settings=settings, resume=True)


def _earlier(recipe: Recipe, out) -> int | None:
    """Return the epochs of an earlier demonstration: it is continued with them, however fast the machine is now."""
    config = run_files.run_folder(out, recipe.name, recipe.demo.rows[0], 0) / run_files.CONFIG
    return read_json(config, dict)["config"]["epochs"] if config.is_file() else None


def real_data(recipe: Recipe) -> str:
    """Return the line that tells how to run a recipe on one's own photographs."""
    rows = ",".join(recipe.default_rows)
    return (
        f"With your own photographs, one folder for each class: python -m kfg.recipes.{recipe.name} --data DIR --out "
        f"runs (rows {rows}; --help lists all options)"
    )


def epochs_for(epochs: int, gflops: float) -> int:
    """Return the epochs for a machine of this speed if REFERENCE gets `epochs`: at most all, at least a quarter.

    Example:
        >>> epochs_for(12, REFERENCE), epochs_for(12, REFERENCE / 2), epochs_for(12, 1), epochs_for(12, 10 * REFERENCE)
        (12, 6, 3, 12)
    """
    return max(-(-epochs // 4), min(epochs, round(epochs * gflops / REFERENCE)))


def speed() -> float:
    """Return this machine's speed in GFLOP/s for a float32 convolution and its gradients; takes less than a second."""
    import tensorflow as tf

    images, kernel = tf.ones(SHAPE), tf.Variable(tf.ones(KERNEL))
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        with tf.GradientTape() as tape:
            tape.watch(images)
            found = tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
        gradients = tape.gradient(found, [images, kernel])
        float(tf.reduce_sum(gradients[0]))
        float(tf.reduce_sum(gradients[1]))
        took.append(time.perf_counter() - began)
    batch, height, width, _ = SHAPE
    products = batch * height * width * KERNEL[0] * KERNEL[1] * KERNEL[2] * KERNEL[3]
    return 3 * 2 * products / statistics.median(took) / 1e9  # one forward pass and two gradients
