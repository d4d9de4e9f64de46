"""The cases of tools/bench.py for searches: plain KerasTuner, used as in its guide, beside python -m kfg.search.

Both draw the same settings at random, train for the same number of epochs on the same training images, and score on the
same validation images. Plain KerasTuner reads and decodes the files in every epoch and trains the whole net. Each
search is a process of its own. Its start counts, and so does the filling of kfg's caches, once per search.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

from _measure import interleaved, report

HERE = pathlib.Path(__file__)
BARS = {"head": 20, "convnet": 1.5}
FIXED = {  # settings that are not searched in either: one trunk, one net, no augmentation that plain KerasTuner lacks
    "head": (
        "backbone=efficientnet-lite0",
        "views=0",
        "image_size=(224, 224)",
        "imbalance=none",
        "label_smoothing=0.0",
        "head_batch_size=64",
    ),
    "convnet": (
        "width={width}",
        "dense_width=1.0",
        "kernel=5",
        "l2_on=()",
        "batch_size=128",
        "policy={{}}",
        "plateau_factor=0.9",
        "plateau_patience=5",
    ),
}
# Half precision can speed up dense convolutions. In kfg it is an option; KerasTuner's guide does not mention it.
PRECISIONS = {"head": ["float32"], "convnet": ["float32", "bfloat16"]}
RECIPES = {"head": "folder", "convnet": "imagenet20"}
EPOCHS = {"head": "head_epochs", "convnet": "epochs"}


def search(args) -> bool:
    """Measure trials per hour in one space, plain KerasTuner and kfg; the bar is for the last precision of kfg."""
    plain, names = "plain KerasTuner, float32", {f"kfg.search, {one}": one for one in PRECISIONS[args.space]}
    with tempfile.TemporaryDirectory() as scratch:
        numbers = iter(range(10**6))

        def case(command, trials):
            def run():
                out = pathlib.Path(scratch, str(next(numbers)))
                start = time.perf_counter()
                words = [*command, "--data", args.data, "--out", out, "--max-trials", trials]
                subprocess.run([sys.executable, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
                return 3600 * trials / (time.perf_counter() - start)

            return run

        theirs = [HERE, args.space, "--epochs", args.epochs, "--width", args.width]
        cases = {plain: case(theirs, args.plain_trials)}
        cases |= {name: case(own_command(args, precision), args.trials) for name, precision in names.items()}
        figures = interleaved(cases, repeats=args.repeats, warm_up=False)
    title = (
        f"search {args.space}, {args.epochs} epochs, plain {args.plain_trials} trials, ours {args.trials}, {args.data}"
    )
    return report(title, figures, unit="trials/hour", bars=[(list(names)[-1], plain, BARS[args.space])])


def own_command(args, precision) -> list:
    fixed = [*FIXED[args.space], f"{EPOCHS[args.space]}={args.epochs}"]
    settings = [word for one in fixed for word in ("--set", one.format(width=args.width))]
    words = ["-m", "kfg.search", RECIPES[args.space], "--space", args.space, "--precision", precision]
    return [*words, *settings]


def plain_search(args) -> None:
    """Search as in KerasTuner's guide: with build(hp) and datasets of files, all in one process."""
    import keras_tuner

    from kfg.data import audit, folder, splits
    from kfg.recipes import folder as own_folder
    from kfg.recipes import imagenet20

    config = {"head": own_folder.ROWS["head"], "convnet": imagenet20.ROWS["convnet1"]}[args.space].config
    index = audit.duplicate_groups(folder.scan(args.data))
    index = splits.split(index, val=config.val_fraction, test=config.test_fraction, seed=config.split_seed)
    build, size = {"head": (head_model, (224, 224)), "convnet": (convnet_model, config.image_size)}[args.space]
    batch_size = {"head": 64, "convnet": 128}[args.space]
    parts = {part: files(index.take(index.where(part)), size, batch_size, part == "train") for part in ("train", "val")}
    tuner = keras_tuner.RandomSearch(
        lambda hp: build(hp, len(index.classes), size, args.width),
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=args.max_trials,
        seed=1,
        directory=args.out,
        project_name="plain",
    )
    tuner.search(parts["train"], validation_data=parts["val"], epochs=args.epochs, verbose=0)


def files(index, size, batch_size, shuffled):
    """Return batches in the way of keras.utils.image_dataset_from_directory."""
    import tensorflow as tf

    def read(path, label):
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(image, size), label

    paths = tf.data.Dataset.from_tensor_slices(([str(path) for path in index.full_paths()], index.labels))
    paths = paths.shuffle(len(index), seed=0) if shuffled else paths
    return paths.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def head_model(hp, num_classes, size, width):
    import keras

    from kfg.models import backbones, freezing, heads

    head = heads.linear(dropout=hp.Float("dropout", 0.0, 0.6))
    model = backbones.classifier("efficientnet-lite0", num_classes=num_classes, image_size=size, head=head)
    freezing.apply(model, "head")
    rate = hp.Float("head_learning_rate", 2e-4, 2e-2, sampling="log")
    optimizer = keras.optimizers.AdamW(rate, weight_decay=hp.Float("weight_decay", 1e-4, 0.2, sampling="log"))
    return compiled(model, optimizer)


def convnet_model(hp, num_classes, size, width):
    import keras

    from kfg.models import convnets

    dropout = hp.Float("dropout", 0.0, 0.5)
    model = convnets.convnet(num_classes=num_classes, image_size=size, width=width, dropout=dropout)
    return compiled(model, keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 5e-3, sampling="log")))


def compiled(model, optimizer):
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


def add_commands(commands, common) -> None:
    """Add `search` to the command line of tools/bench.py."""
    command = commands.add_parser("search", parents=[common], help="trials per hour beside plain KerasTuner")
    command.add_argument("space", choices=BARS)
    command.add_argument("--data", required=True, help="folder of class folders")
    command.add_argument("--epochs", type=int, default=20)
    command.add_argument("--trials", type=int, default=20, help="of kfg.search")
    command.add_argument("--plain-trials", type=int, default=1, help="of plain KerasTuner")
    command.add_argument("--width", type=float, default=1.0, help="of the convnet")
    command.set_defaults(run=search)


def main() -> int:
    """Run one plain search; `search` starts this as a process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("space", choices=BARS)
    parser.add_argument("--data")
    parser.add_argument("--out")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--width", type=float)
    parser.add_argument("--max-trials", type=int)
    plain_search(parser.parse_args())
    return 0


if __name__ == "__main__":
    sys.exit(main())
