"""Measure kfg beside what it replaces; the cases of a table take turns, so that a busy machine slows all of them alike.

Run       python tools/bench.py augment|train|precision|help-time|demo|recipes|memory|frozen|fine-tune|predict|search|
          attention|modules|optimizer|kernels|near|versions|serve [--repeats 7]
          python tools/bench.py all [--data DIR] [--run RUN]
Prints    the median of each case with its lowest and highest figure, and the ratios beside the project's targets (bars)
Exit      0 if every bar is met, 3 if one is missed; this is not a test, because a busy machine misses bars by chance
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import bench_all
import bench_attention
import bench_first
import bench_kernels
import bench_near
import bench_optimizer
import bench_search
import bench_serve
import bench_transfer
import bench_versions
import numpy as np
from _measure import interleaved, rate, report
from bench_all import MISSED

TOOLS = pathlib.Path(__file__).parent
SIZE = 224  # pixels, square
BATCH = 64  # images
TURN, SHIFT, ZOOM = 30, 0.1, 0.1  # degrees; fraction of the size; factors in [1 - ZOOM, 1 + ZOOM]
FILL = "reflect"
RANGES = {
    "rotation": TURN, "width_shift": SHIFT, "height_shift": SHIFT, "zoom": ZOOM, "horizontal_flip": True,
    "fill_mode": FILL,
}  # fmt: skip


def augment(args) -> bool:
    """Measure flipping, rotating, shifting and zooming 224-pixel images: legacy generator, Keras layers, kfg."""
    images = np.random.default_rng(0).integers(0, 256, (args.images, SIZE, SIZE, 3), dtype=np.uint8)
    legacy, layers, ours = "legacy ImageDataGenerator.flow", "Keras Random* layers in a map", "kfg Policy in a map"
    one_by_one = "Keras Random* layers in a map, image by image"
    epoch, part = "kfg training_batches of one epoch", "kfg Part.batches, each pass another epoch"
    cases = {
        legacy: legacy_generator(images),
        layers: keras_layers(images, batched=True),
        one_by_one: keras_layers(images, batched=False),
        ours: own_policy(images),
        epoch: one_epoch(images),
        part: batches_of_a_part(images),
    }
    figures = interleaved({name: rate(work, len(images)) for name, work in cases.items()}, repeats=args.repeats)
    bars = [(ours, legacy, 4), (ours, layers, 3), (ours, one_by_one, 3), (part, epoch, 0.95)]
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
    """Return a function that runs kfg's Policy as kfg.data.pipeline does, with one numpy_function per batch."""
    import tensorflow as tf

    from kfg.augment.policies import Policy

    policy = Policy(**RANGES)
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


def one_epoch(images):
    from kfg.augment.policies import Policy
    from kfg.data import pipeline, stores

    labels, policy = np.zeros(len(images), np.int32), Policy(**RANGES)
    dataset = pipeline.training_batches(stores.Images(images), labels, batch_size=BATCH, seed=0, policy=policy)
    return lambda: drain(dataset)


def batches_of_a_part(images):
    import kfg

    part = kfg.Part(images, np.zeros(len(images), np.int32), name="train")
    dataset = part.batches(BATCH, policy=kfg.Policy(**RANGES))
    return lambda: drain(dataset)


def train(args) -> bool:
    """Measure training of ConvNet 1: plain Keras fit on float32 arrays, kfg in float32, kfg in auto's choice."""
    import keras

    from kfg.data import pipeline, stores
    from kfg.models.convnets import convnet
    from kfg.training import callbacks, fit, optimizers, precision

    images = np.random.default_rng(0).integers(0, 256, (args.images, 68, 45, 3), dtype=np.uint8)
    labels = np.arange(args.images, dtype=np.int32) % 20

    def compiled(jit_compile=False):
        model = convnet(num_classes=20, image_size=(68, 45))
        fit.compile_classifier(model, optimizer=optimizers.Adam(learning_rate=1e-3), jit_compile=jit_compile)
        return model

    def plain():
        model = keras.Sequential([keras.Input((68, 45, 3)), *compiled().layers[1:]])  # without kfg's rescaling
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        scaled = images.astype("float32") / 255
        return lambda: model.fit(scaled, labels, batch_size=BATCH, verbose=0)

    def ours(name, jit_compile=False):
        with precision.scope(name):
            model = compiled(jit_compile)

        def work():
            batches = pipeline.training_batches(stores.Images(images), labels, batch_size=BATCH, seed=0)
            steps = pipeline.steps(len(labels), BATCH)
            model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[callbacks.StopOnNaN()])

        return work

    chosen, jit_compile, rates = precision.choose(compiled, precision.candidates(compiled()), batch_size=BATCH)
    timed = f" of {', '.join(f'{name} {rate:.1f}/s' for name, rate in rates.items())}" if rates else ", untimed"
    print(f"auto: {chosen}{' with XLA' if jit_compile else ''}{timed}")
    keras_fit, float32, auto = "plain Keras fit, float32 arrays", "kfg, float32", f"kfg, auto: {chosen}"
    cases = {keras_fit: plain(), float32: ours("float32"), auto: ours(chosen, jit_compile)}
    figures = interleaved({name: rate(work, args.images) for name, work in cases.items()}, repeats=args.repeats)
    bars = [(auto, keras_fit, 1.0 if chosen == "float32" else 1.5), (float32, keras_fit, 1.0)]
    return report(f"train ConvNet 1, batches of {BATCH}", figures, unit="images/s", bars=bars)


def memory(args) -> bool:
    """Measure peak memory while 2,000 and 20,000 images go through decoding, disk cache and an augmented epoch.

    Each measurement is a new process.
    """

    def peak(count):
        code = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import bench; bench.stream({count})"
        answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        return float(answer.stdout.split()[-1])

    few, many = "2,000 images", "20,000 images"
    figures = interleaved({few: lambda: peak(2_000), many: lambda: peak(20_000)}, repeats=args.repeats, warm_up=False)
    # the bar is "at most 1.15 times", so the ratio printed is few / many, at least 1 / 1.15
    return report("peak memory", figures, unit="MB", bars=[(few, many, round(1 / 1.15, 3))])


def stream(count) -> None:
    """Decode `count` images to disk, read one augmented epoch of them, and print the process's peak memory in MB."""
    import resource

    from PIL import Image

    from kfg.augment.policies import Policy
    from kfg.data import decoded, pipeline
    from kfg.data.index import make_index

    with tempfile.TemporaryDirectory() as scratch:
        rng = np.random.default_rng(0)
        for i in range(200):
            pixels = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((300, 300)).save(f"{scratch}/{i}.jpg")
        paths = [f"{i % 200}.jpg" for i in range(count)]
        index = make_index(scratch, paths, np.arange(count) % 2, ("a", "b"))
        images = decoded.load(index, image_size=(128, 128), memory_budget=0, cache_dir=f"{scratch}/cache")
        policy = Policy(rotation=TURN, horizontal_flip=True)
        drain(pipeline.training_batches(images, index.labels, batch_size=BATCH, seed=0, policy=policy))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def drain(dataset):
    for _ in dataset:
        pass


def parser() -> argparse.ArgumentParser:
    """Return the command-line parser; each sub-command sets `run`, a function arguments -> whether its bars are met."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--repeats", type=int, default=7, help="figures per case, at least 5 to be quoted")
    command = commands.add_parser("augment", parents=[common], help="augmented images per second")
    command.add_argument("--images", type=int, default=512)
    command.set_defaults(run=augment)
    command = commands.add_parser("train", parents=[common], help="ConvNet 1 training images per second")
    command.add_argument("--images", type=int, default=192)
    command.set_defaults(run=train)
    command = commands.add_parser("memory", parents=[common], help="peak memory of streaming many images")
    command.set_defaults(run=memory)
    bench_all.add_commands(commands, common)
    bench_first.add_commands(commands, common)
    bench_transfer.add_commands(commands, common)
    bench_search.add_commands(commands, common)
    bench_attention.add_commands(commands, common)
    bench_optimizer.add_commands(commands, common)
    bench_kernels.add_commands(commands, common)
    bench_near.add_commands(commands, common)
    bench_serve.add_commands(commands, common)
    bench_versions.add_commands(commands, common)
    return top


def main(arguments=None) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = parser().parse_args(arguments)
    return 0 if args.run(args) else MISSED


if __name__ == "__main__":
    sys.exit(main())
