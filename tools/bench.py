"""Measure kfg beside what it replaces; the cases of a table take turns, so that a busy machine slows them alike.

Run       python tools/bench.py augment [--repeats 7] [--images 512]
Prints    the median of each case with its lowest and highest, and the ratios beside the bars of the project
Exit      0 when every bar is met, else 1; it is no test, because a shared machine makes it fail now and then
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

SIZE = 224  # pixels, square
BATCH = 64  # images
TURN, SHIFT, ZOOM = 30, 0.1, 0.1  # degrees; fraction of the size; factors in [1 - ZOOM, 1 + ZOOM]
FILL = "reflect"


def interleaved(cases: dict[str, Callable[[], float]], *, repeats: int) -> dict[str, list[float]]:
    """Run every case once to warm up, then `repeats` rounds of all cases, every other round backwards.

    Args:
        cases: name -> function that does the work once and returns its figure (images/s, seconds, MB).
        repeats: int >= 1, figures per case.
    Returns:
        name -> figures in the order measured, without the warm-up.
    """
    for case in cases.values():
        case()
    figures = {name: [] for name in cases}
    for number in range(repeats):
        for name in list(cases) if number % 2 == 0 else reversed(cases):
            figures[name].append(cases[name]())
    return figures


def rate(work: Callable[[], object], count: int) -> Callable[[], float]:
    """Return a case for `interleaved`: how many of `count` things `work` does in a second."""

    def case():
        start = time.perf_counter()
        work()
        return count / (time.perf_counter() - start)

    return case


def report(title: str, figures: dict[str, list[float]], *, unit: str, bars=()) -> bool:
    """Print medians, then for each (name, other, least) of `bars` the ratio of their medians; True if all are met."""
    print(f"{title}: median of {len(next(iter(figures.values())))} (lowest to highest), {os.cpu_count()} cores")
    for name, values in figures.items():
        print(f"  {statistics.median(values):10,.1f} {unit}  ({min(values):,.1f} to {max(values):,.1f})  {name}")
    met = True
    for name, other, least in bars:
        ratio = statistics.median(figures[name]) / statistics.median(figures[other])
        met &= ratio >= least
        print(f"  {ratio:10.2f} times  {name} / {other}; bar {least}: {'met' if ratio >= least else 'MISSED'}")
    return met


def augment(args) -> bool:
    """Flip, rotate, shift and zoom 224-pixel images: legacy generator, Keras layers, ours."""
    images = np.random.default_rng(0).integers(0, 256, (args.images, SIZE, SIZE, 3), dtype=np.uint8)
    legacy, layers, ours = "legacy ImageDataGenerator.flow", "Keras Random* layers in a map", "kfg Policy in a map"
    one_by_one = "Keras Random* layers in a map, image by image"
    cases = {
        legacy: legacy_generator(images),
        layers: keras_layers(images, batched=True),
        one_by_one: keras_layers(images, batched=False),
        ours: own_policy(images),
    }
    figures = interleaved({name: rate(work, len(images)) for name, work in cases.items()}, repeats=args.repeats)
    bars = [(ours, legacy, 4), (ours, layers, 3), (ours, one_by_one, 3)]
    return report(f"augment, {SIZE} px, batches of {BATCH}", figures, unit="images/s", bars=bars)


def legacy_generator(images):
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=TURN,
        width_shift_range=SHIFT,
        height_shift_range=SHIFT,
        zoom_range=ZOOM,
        horizontal_flip=True,
        fill_mode=FILL,
    )

    def work():
        flow = generator.flow(images, batch_size=BATCH)
        for _ in range(len(flow)):
            next(flow)

    return work


def keras_layers(images, *, batched):
    import keras
    import tensorflow as tf

    stack = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(TURN / 360, fill_mode=FILL),
            keras.layers.RandomTranslation(SHIFT, SHIFT, fill_mode=FILL),
            keras.layers.RandomZoom(ZOOM, ZOOM, fill_mode=FILL),
        ]
    )
    dataset = tf.data.Dataset.from_tensor_slices(images)
    dataset = dataset.batch(BATCH) if batched else dataset
    dataset = dataset.map(lambda x: stack(x, training=True), num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset if batched else dataset.batch(BATCH)
    return lambda: drain(dataset)


def own_policy(images):
    """As kfg.data.pipeline runs it: positions in batches, one numpy_function per batch."""
    import tensorflow as tf

    from kfg.augment.policies import Policy

    policy = Policy(
        rotation=TURN, width_shift=SHIFT, height_shift=SHIFT, zoom=ZOOM, horizontal_flip=True, fill_mode=FILL
    )
    labels = np.zeros(len(images), np.int32)

    def change(positions):
        return policy.apply(images[positions], labels[positions], seed=0, epoch=0, positions=positions)

    dataset = tf.data.Dataset.range(len(images)).batch(BATCH)
    dataset = dataset.map(
        lambda positions: tf.numpy_function(change, [positions], tf.uint8),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return lambda: drain(dataset)


def drain(dataset):
    for _ in dataset:
        pass


def parser() -> argparse.ArgumentParser:
    """Return the command line; a sub-command is a function from its arguments to whether its bars are met."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--repeats", type=int, default=7, help="figures per case, at least 5 to be quoted")
    command = commands.add_parser("augment", parents=[common], help="augmented images per second")
    command.add_argument("--images", type=int, default=512)
    command.set_defaults(run=augment)
    return top


def main(arguments=None) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = parser().parse_args(arguments)
    return 0 if args.run(args) else 1


if __name__ == "__main__":
    sys.exit(main())
